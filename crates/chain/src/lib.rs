//! A request's state, the phases, the PDK and the traits plugins are written against.
