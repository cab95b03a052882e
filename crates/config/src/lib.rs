//! kong.conf, its environment and the declarative file: text in, checked values out.
