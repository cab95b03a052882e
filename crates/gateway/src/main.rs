//! The `polygate` program.

fn main() {}
