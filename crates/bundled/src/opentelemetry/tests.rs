//! Headers, spans and what is sent.
