//! Headers of every format, right and hostile.
