use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::*;

const PLACE: &str = "boot pid:[1]";

fn process(pid: u32, group: u32, started: u64) -> Stat {
    Stat { pid, group, started, ..Stat::default() }
}

fn found(list: &str, running: &[Stat]) -> Vec<(u32, Vec<u32>)> {
    find(list, PLACE, running).into_iter().map(|it| (it.group, it.members)).collect()
}

#[test]
fn leaders_and_members_are_recognised() {
    let list = "boot pid:[1]\n10 100 go\n20 200 py with blanks\n";
    for (what, running, expected) in [
        ("the leader", vec![process(10, 10, 100)], vec![(10, vec![10])]),
        ("leader and worker", vec![process(20, 20, 200), process(21, 20, 201)], vec![(20, vec![20, 21])]),
        ("a worker alone", vec![process(21, 20, 200)], vec![(20, vec![21])]),
        ("a worker older than the leader", vec![process(5, 20, 199)], vec![]),
        ("the number of a new leader", vec![process(10, 10, 101), process(11, 10, 102)], vec![]),
        ("a zombie", vec![Stat { has_ended: true, ..process(10, 10, 100) }], vec![]),
        (
            "the number of a new leader that is a zombie",
            vec![Stat { has_ended: true, ..process(10, 10, 101) }, process(11, 10, 102)],
            vec![],
        ),
        ("nothing", vec![process(30, 30, 100)], vec![]),
    ] {
        assert_eq!(found(list, &running), expected, "{what}");
    }
}

#[test]
fn lists_of_elsewhere_mean_nothing() {
    let running = [process(10, 10, 100)];
    for list in [
        "another-boot pid:[1]\n10 100 go\n",
        "boot pid:[2]\n10 100 go\n",
        "",
        "10 100 go\n",
        "boot pid:[1]\n10\n10 x go\nx 100 go\n10 100\n-1 100 go\n",
    ] {
        assert_eq!(found(list, &running), [], "{list:?}");
    }
}

fn leader(script: &str) -> Child {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).process_group(0).stdout(Stdio::piped());
    command.spawn().expect("/bin/sh can be run")
}

/// Waits for the line that the script prints once its traps are set.
fn ready(child: &mut Child) {
    let mut line = [0; 3];
    io::Read::read_exact(child.stdout.as_mut().expect("a pipe"), &mut line).expect("the script prints ok");
}

fn started(pid: u32) -> u64 {
    Stat::of(pid).expect("it runs").started
}

/// Whether a line ends so. Other tests of this process have lines of their own.
fn lists(file: &Path, end: &str) -> bool {
    let text = fs::read_to_string(file).expect("the list");
    assert!(text.starts_with(&(place() + "\n")), "{text}");
    text.lines().any(|line| line.ends_with(end))
}

// One test, because the list is one for the whole process.
#[tokio::test]
async fn what_a_killed_gateway_left_is_ended() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("plugin-servers");

    // A polite one, a deaf one, and one whose leader is gone while its worker, deaf too, lives.
    let mut polite = leader("echo ok; exec sleep 300");
    let mut deaf = leader("trap '' TERM; echo ok; while :; do sleep 300; done");
    let mut orphaned = leader("(trap '' TERM; echo ok; exec sleep 300) & wait");
    for child in [&mut polite, &mut deaf, &mut orphaned] {
        ready(child);
    }
    let innocent = leader("exec sleep 300").id();
    let mut text = place() + "\n";
    for (child, name) in [(&polite, "polite"), (&deaf, "deaf"), (&orphaned, "orphaned")] {
        text += &format!("{} {} {name}\n", child.id(), started(child.id()));
    }
    // The number of another process than the one that was started.
    text += &format!("{innocent} {} innocent\n", started(innocent) - 1);
    fs::write(&file, text).expect("a writable folder");
    orphaned.kill().and_then(|()| orphaned.wait()).expect("the leader ends");
    let in_group = |group: u32| Stat::all().filter(|it| it.runs_in(group)).count();
    assert_eq!(in_group(orphaned.id()), 1, "the worker lives");

    let begun = Instant::now();
    adopt(&file).await;
    assert!(begun.elapsed() >= GRACE, "the deaf ones have their grace");
    let deadline = Instant::now() + GRACE;
    let groups = [polite.id(), deaf.id(), orphaned.id()];
    while groups.iter().any(|group| in_group(*group) > 0) {
        assert!(Instant::now() < deadline, "all three end");
        sleep(INTERVAL).await;
    }
    assert_eq!(in_group(innocent), 1, "another process goes on");
    assert!(!lists(&file, "polite"), "they are forgotten");

    // From now on the list is kept.
    let entry = Entry::add(innocent, "x y");
    assert!(lists(&file, &format!("{innocent} {} x y", started(innocent))));
    drop(entry);
    assert!(!lists(&file, "x y"));

    signal(innocent, Signal::KILL);
    for mut child in [polite, deaf] {
        child.wait().expect("it has ended");
    }
}

#[test]
fn a_planted_link_is_not_followed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (victim, list) = (directory.path().join("victim"), directory.path().join("plugin-servers"));
    fs::write(&victim, "precious").expect("writes");
    let next = list.with_extension("new");
    std::os::unix::fs::symlink(&victim, &next).expect("links");
    write_new(&next, "list").expect("writes");
    assert_eq!(fs::read_to_string(&victim).expect("is there"), "precious");
    let made = fs::symlink_metadata(&next).expect("is there");
    assert!(made.is_file());
    assert_eq!(made.mode() & 0o777, 0o600);
    std::os::unix::fs::symlink(&victim, &list).expect("links");
    assert!(read(&list).is_err(), "a list is a file");
    assert_eq!(read(&next).expect("is ours"), "list");
}
