//! Tells the compiler that `cfg(fuzzing)`, which cargo-fuzz sets, is no spelling mistake.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
    println!("cargo::rerun-if-changed=build.rs");
}
