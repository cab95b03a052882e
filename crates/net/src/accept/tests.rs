use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::pending;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch::Sender;
use tokio::task::{JoinHandle, LocalSet, spawn_local, yield_now};
use tokio::time::{Instant, timeout};

use super::*;

/// Gives what it was told to, then nothing more. Streams are numbers.
struct Script(RefCell<VecDeque<io::Result<u32>>>);

impl Script {
    fn new(steps: impl IntoIterator<Item = io::Result<u32>>) -> Self {
        Self(RefCell::new(steps.into_iter().collect()))
    }
}

impl Listener for Script {
    type Stream = u32;
    type Peer = ();

    async fn next(&self) -> io::Result<(u32, ())> {
        let step = self.0.borrow_mut().pop_front();
        match step {
            Some(step) => step.map(|stream| (stream, ())),
            None => pending().await,
        }
    }

    fn waiting(self) -> impl Iterator<Item = (u32, ())> {
        self.0.into_inner().into_iter().filter_map(|step| Some((step.ok()?, ())))
    }
}

fn out_of_descriptors() -> io::Error {
    // EMFILE
    io::Error::from_raw_os_error(24)
}

/// Runs a test inside a `LocalSet`, with a clock that jumps.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    LocalSet::new().block_on(&runtime.unwrap(), test);
}

/// Serves a script with connections that note their number and stay; also what was noted and the pauses.
struct Served {
    stop: Sender<Stop>,
    task: JoinHandle<()>,
    seen: Rc<RefCell<Vec<u32>>>,
    pauses: Rc<Cell<usize>>,
    /// Ends all connections.
    release: Sender<bool>,
}

impl Served {
    fn start(steps: impl IntoIterator<Item = io::Result<u32>>) -> Self {
        let (stop, stopped) = watch::channel(Stop::Running);
        let (release, released) = watch::channel(false);
        let (seen, pauses) = (Rc::<RefCell<Vec<_>>>::default(), Rc::<Cell<_>>::default());
        let (noted, counted) = (seen.clone(), pauses.clone());
        let connection = move |number, ()| {
            let (noted, mut released) = (noted.clone(), released.clone());
            async move {
                noted.borrow_mut().push(number);
                let _ = released.wait_for(|is_released| *is_released).await;
            }
        };
        let paused = move |_: &io::Error| counted.set(counted.get() + 1);
        let task = spawn_local(serve(Script::new(steps), stopped, paused, connection));
        Self { stop, task, seen, pauses, release }
    }
}

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[test]
fn a_graceful_stop_waits_for_connections() {
    run(async {
        let served = Served::start([Ok(1), Ok(2)]);
        settle().await;
        served.stop.send_replace(Stop::Graceful);
        settle().await;
        assert!(!served.task.is_finished());
        served.release.send_replace(true);
        timeout(Duration::from_secs(1), served.task).await.expect("all are done").unwrap();
        assert_eq!(*served.seen.borrow(), [1, 2]);
    });
}

#[test]
fn a_fast_stop_drops_connections_whenever_it_comes() {
    run(async {
        for first in [Stop::Fast, Stop::Graceful] {
            let served = Served::start([Ok(1)]);
            settle().await;
            served.stop.send_replace(first);
            settle().await;
            served.stop.send_replace(Stop::Fast);
            timeout(Duration::from_secs(1), served.task).await.expect("nothing is waited for").unwrap();
        }
    });
}

#[test]
fn a_stop_from_before_the_start_counts() {
    run(async {
        let (_stop, stopped) = watch::channel(Stop::Graceful);
        let task = serve(Script::new([]), stopped, |_| {}, |_, ()| async {});
        timeout(Duration::from_secs(1), task).await.expect("it does not run");
    });
}

/// The kernel would reset them with the socket.
#[test]
fn connections_that_wait_when_a_listener_ends_are_served() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let (_stop, stopped) = watch::channel(Stop::Retired);
        let answer = |mut stream: TcpStream, _| async move { stream.write_all(b"served").await.unwrap() };
        serve(listener, stopped, |_| {}, answer).await;
        for mut client in clients {
            let mut answer = String::new();
            io::Read::read_to_string(&mut client, &mut answer).unwrap();
            assert_eq!(answer, "served");
        }
        assert!(std::net::TcpStream::connect(address).is_err());
    });
}

#[test]
fn a_stop_whose_sender_is_gone_is_fast() {
    run(async {
        let served = Served::start([Ok(1)]);
        settle().await;
        drop(served.stop);
        timeout(Duration::from_secs(1), served.task).await.expect("nothing is waited for").unwrap();
    });
}

#[test]
fn a_pause_is_told_once_and_ends() {
    run(async {
        let failures = (0..10).map(|_| Err(out_of_descriptors()));
        let served = Served::start(
            failures.chain([Ok(1), Ok(2), Err(out_of_descriptors()), Ok(3)]).collect::<Vec<_>>(),
        );
        let begun = Instant::now();
        while served.seen.borrow().len() < 3 {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(served.pauses.get(), 2);
        let waited = begun.elapsed();
        assert!(waited >= PAUSE * 11, "each failure costs a pause, no processor time: {waited:?}");
    });
}

#[test]
fn a_pause_ends_early_with_a_connection_and_with_a_stop() {
    run(async {
        let served = Served::start([Ok(1), Err(out_of_descriptors()), Ok(2), Err(out_of_descriptors())]);
        settle().await;
        assert_eq!(*served.seen.borrow(), [1]);
        let begun = Instant::now();
        served.release.send_replace(true);
        settle().await;
        assert_eq!(*served.seen.borrow(), [1, 2]);
        served.stop.send_replace(Stop::Graceful);
        served.task.await.unwrap();
        assert!(begun.elapsed() < PAUSE);
    });
}

#[test]
fn a_connection_that_broke_early_costs_no_pause() {
    run(async {
        let broken = || Err(io::ErrorKind::ConnectionAborted.into());
        let served = Served::start([broken(), broken(), Ok(1)]);
        settle().await;
        assert_eq!(*served.seen.borrow(), [1]);
        assert_eq!(served.pauses.get(), 0);
    });
}

/// A real socket: a connection is served, and after a stop nothing listens any more.
#[test]
fn tcp_connections_are_served() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(Stop::Running);
        let task = spawn_local(serve(
            listener,
            stopped,
            |error| panic!("{error}"),
            |mut stream: TcpStream, peer| async move {
                stream.write_all(peer.to_string().as_bytes()).await.unwrap();
            },
        ));
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, client.local_addr().unwrap().to_string());
        stop.send_replace(Stop::Graceful);
        task.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    });
}
