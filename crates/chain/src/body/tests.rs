use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt as _;
use std::pin::pin;
use std::task::Waker;

use super::*;

/// Gives its pieces one by one, being not ready before each.
struct Pieces {
    left: VecDeque<Result<Bytes, BodyError>>,
    waits: bool,
    knows_length: bool,
}

impl BodySource for Pieces {
    fn poll_data(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.waits = !self.waits;
        if self.waits {
            return Poll::Pending;
        }
        Poll::Ready(self.left.pop_front().transpose())
    }

    fn remaining(&self) -> Option<u64> {
        self.knows_length.then(|| self.left.iter().flatten().map(|it| it.len() as u64).sum())
    }
}

fn body(pieces: &[&str], knows_length: bool, end: Option<BodyError>) -> RequestBody {
    let mut left: VecDeque<_> = pieces.iter().map(|piece| Ok(Bytes::from(piece.to_string()))).collect();
    left.extend(end.map(Err));
    let settings = SpoolSettings { memory: 8, ..SpoolSettings::default() };
    RequestBody::stream(Box::new(Pieces { left, waits: false, knows_length }), Arc::new(settings))
}

/// Polls anew each time, as if whoever reads were given up in between.
fn read(body: &mut RequestBody) -> Result<HeldBody, BodyError> {
    loop {
        let poll = pin!(body.read()).poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(outcome) = poll {
            return outcome.map(|()| body.held().unwrap().clone());
        }
    }
}

#[test]
fn small_bodies_stay_in_memory_and_large_ones_do_not() {
    for (pieces, of_unknown_length, of_known_length) in [
        (vec![], true, true),
        (vec!["abc", "defgh"], true, true),
        (vec!["abc", "defghij"], false, true),
        (vec!["abc", "defghijk"], false, false),
    ] {
        for (knows_length, in_memory) in [(false, of_unknown_length), (true, of_known_length)] {
            let mut body = body(&pieces, knows_length, None);
            assert_eq!(body.length().is_some(), knows_length);
            let held = read(&mut body).unwrap();
            assert_eq!(matches!(held, HeldBody::Memory(_)), in_memory, "{pieces:?}");
            assert_eq!(held.bytes().unwrap(), pieces.concat());
            assert_eq!(held.len(), pieces.concat().len() as u64);
            assert_eq!(read(&mut body).unwrap().bytes().unwrap(), pieces.concat(), "a second time");
            assert_eq!(body.length(), Some(held.len()));
        }
    }
}

#[test]
fn files_can_be_opened_by_their_path_while_they_are_used() {
    let held = read(&mut body(&["0123456789"], false, None)).unwrap();
    let HeldBody::File(file) = held else { panic!("ten bytes are too many for memory") };
    let path = file.path();
    assert_eq!(std::fs::read(&path).unwrap(), b"0123456789");
    let mut middle = [0; 3];
    assert_eq!(file.read_at(&mut middle, 4).unwrap(), 3);
    assert_eq!(&middle, b"456");
    let inode = std::fs::metadata(&path).unwrap().ino();
    drop(file);
    // Its number may be that of another file by now.
    assert!(std::fs::metadata(&path).map_or(true, |other| other.ino() != inode));
}

#[test]
fn a_failure_is_final_and_has_a_status() {
    for (error, status) in [
        (BodyError::TooLarge, 413),
        (BodyError::Timeout, 408),
        (BodyError::Malformed("chunk size"), 400),
        (BodyError::ClientGone, 499),
    ] {
        let mut body = body(&["abc"], false, Some(error));
        assert_eq!(read(&mut body).unwrap_err().status(), status);
        assert_eq!(read(&mut body).unwrap_err().status(), status);
        assert_eq!(body.failure().unwrap().status(), status);
        assert!(body.held().is_none() && body.take_stream().is_none());
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_the_gateways_fault() {
    let settings = SpoolSettings { memory: 1, folder: "/nowhere/at/all".into() };
    let left = [Ok(Bytes::from_static(b"abc"))].into();
    let source = Pieces { left, waits: false, knows_length: false };
    let mut body = RequestBody::stream(Box::new(source), Arc::new(settings));
    assert_eq!(read(&mut body).unwrap_err().status(), 500);
}

#[test]
fn a_stream_can_be_taken_until_it_was_begun() {
    assert!(body(&["abc"], true, None).take_stream().is_some());
    let mut begun = body(&["abc", "d"], true, None);
    for _ in 0..3 {
        let _ = pin!(begun.read()).poll(&mut Context::from_waker(Waker::noop()));
    }
    assert!(begun.take_stream().is_none());
    assert_eq!(read(&mut begun).unwrap().bytes().unwrap(), "abcd");
    let mut given = RequestBody::new("x");
    assert!(given.take_stream().is_none());
    assert_eq!(given.held().unwrap().len(), 1);
}
