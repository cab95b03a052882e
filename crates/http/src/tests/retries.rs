//! When another try is made, and what is sent then.
