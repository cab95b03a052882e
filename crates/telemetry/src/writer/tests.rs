use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn lines_of_many_threads_are_whole_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let writer = LogWriter::open(&path).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let buffer = writer.buffer();
            thread::spawn(move || {
                for number in 0..20_000 {
                    buffer.append(|lines| lines.extend_from_slice(format!("{thread} {number}\n").as_bytes()));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(writer.close(PATIENCE));
    let text = text(&path);
    let mut next = [0; 4];
    for line in text.lines() {
        let (thread, number) = line.split_once(' ').unwrap();
        let next = &mut next[thread.parse::<usize>().unwrap()];
        assert_eq!(number.parse(), Ok(*next));
        *next += 1;
    }
    assert_eq!((next, writer.lost()), ([20_000; 4], 0));
}

#[test]
fn a_single_line_does_not_wait_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let writer = LogWriter::open(&path).unwrap();
    let buffer = writer.buffer();
    for count in 1..=5 {
        buffer.write(b"line\n");
        eventually("the line is in the file", || text(&path) == "line\n".repeat(count));
        // Long enough for the thread to fall asleep.
        thread::sleep(2 * REST);
    }
}

#[test]
fn busy_times_are_written_in_batches() {
    let directory = tempfile::tempdir().unwrap();
    let writer = LogWriter::open(directory.path().join("log")).unwrap();
    let buffer = writer.buffer();
    let begun = Instant::now();
    buffer.write(b"first\n");
    eventually("the first line wakes the thread", || locked(&buffer.lines).bytes.is_empty());
    for _ in 0..100 {
        buffer.write(b"more\n");
        let is_idle = writer.shared.is_idle.load(Ordering::Relaxed);
        // A slow machine may have seen the rest end.
        assert!(!is_idle || begun.elapsed() >= REST, "a line of a busy time wakes nobody");
    }
}

#[test]
fn a_rotated_file_keeps_what_was_said_before() {
    let directory = tempfile::tempdir().unwrap();
    let (path, rotated) = (directory.path().join("log"), directory.path().join("log.1"));
    let writer = LogWriter::open(&path).unwrap();
    let buffer = writer.buffer();
    buffer.write(b"old\n");
    fs::rename(&path, &rotated).unwrap();
    writer.reopen();
    eventually("the file is opened again", || path.exists());
    buffer.write(b"new\n");
    assert!(writer.close(PATIENCE));
    assert_eq!((text(&rotated).as_str(), text(&path).as_str()), ("old\n", "new\n"));
}

#[test]
fn lines_survive_their_buffer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let writer = LogWriter::open(&path).unwrap();
    let buffer = writer.buffer();
    buffer.write(b"last words\n");
    drop(buffer);
    eventually("they are in the file", || text(&path) == "last words\n");
    eventually("the buffer is forgotten", || locked(&writer.shared.buffers).is_empty());
    assert!(writer.close(PATIENCE));
}

#[test]
fn a_reader_that_stands_still_costs_lines_and_no_time() {
    let (mut reader, pipe) = std::io::pipe().unwrap();
    let writer = LogWriter::open(format!("/proc/self/fd/{}", pipe.as_raw_fd())).unwrap();
    drop(pipe);
    let buffer = writer.buffer();
    let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
    // More than the pipe, a batch and a buffer hold together.
    let written = 16 * 1024;
    for _ in 0..written {
        buffer.write(&line);
    }
    let lost = writer.lost();
    assert!(lost > 0 && locked(&buffer.lines).bytes.len() <= LIMIT + line.len());
    assert!(!writer.close(Duration::from_millis(50)), "nobody has read yet");
    let reading = thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    assert!(writer.close(PATIENCE));
    drop((writer, buffer));
    let bytes = reading.join().unwrap().unwrap();
    assert_eq!(bytes.len() / line.len(), written - lost as usize, "what was not lost arrives");
}

#[test]
fn lines_that_cannot_be_written_are_counted() {
    let writer = LogWriter::open("/dev/full").unwrap();
    let buffer = writer.buffer();
    buffer.write(b"one\n");
    buffer.write(b"two\n");
    eventually("both are counted", || writer.lost() == 2);
    assert!(writer.close(PATIENCE));
    buffer.write(b"late\n");
    assert_eq!(writer.lost(), 3);
    assert!(writer.close(PATIENCE), "a second time is no harm");
}
