//! The corpus of every target, and a few mutations of it: the same ones each time.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use polygate_fuzz::{TARGETS, Target};

/// Mutated inputs per target.
const MUTATIONS: usize = 400;

#[test]
fn the_corpus_passes() {
    for (name, target) in TARGETS {
        for (path, input) in corpus(name) {
            check(target, &input, &path.display().to_string());
        }
    }
}

#[test]
fn mutations_of_the_corpus_pass() {
    for (name, target) in TARGETS {
        let inputs: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, input)| input).collect();
        let mut mutator = Mutator { state: 0x9e37_79b9_7f4a_7c15 };
        for _ in 0..MUTATIONS {
            check(target, &mutator.mutated(&inputs), name);
        }
    }
}

#[test]
fn every_corpus_has_its_target() {
    let mut folders: Vec<String> = fs::read_dir(folder())
        .expect("the corpus")
        .map(|entry| entry.expect("an entry of it").file_name().to_string_lossy().into_owned())
        .collect();
    let mut names = TARGETS.map(|(name, _)| name);
    folders.sort();
    names.sort();
    assert_eq!(folders, names);
}

#[track_caller]
fn check(target: Target, input: &[u8], what: &str) {
    if catch_unwind(|| target(input)).is_err() {
        panic!("{what} failed with the input: {}", input.escape_ascii());
    }
}

/// The files by name.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder().join(name)).expect("a folder for every target");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of it").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "the corpus of {name} is empty");
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("a seed"));
    paths.into_iter().map(read).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Changes like those of a fuzzer, blind to what they reach.
struct Mutator {
    state: u64,
}

impl Mutator {
    fn mutated(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(input.len() + 1);
            let end = (at + 1 + self.below(16)).min(input.len());
            match self.below(5) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 => drop(input.drain(at..end)),
                2 => {
                    let copied = input[at..end].to_vec();
                    input.splice(at..at, copied);
                }
                3 => {
                    let byte = self.below(256) as u8;
                    input.insert(at, byte);
                }
                _ => {
                    let other = &inputs[self.below(inputs.len())];
                    input.truncate(at);
                    input.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
            }
        }
        input
    }

    /// Xorshift: good enough to choose with.
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % limit.max(1) as u64) as usize
    }
}
