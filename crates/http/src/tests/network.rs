//! Where upstreams are found in tests.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::tests::peer::Peer;
use crate::tests::pipe::{End, pipe};
use polygate_transport::Stream;

/// What becomes of a connection attempt.
#[derive(Clone)]
pub enum Door {
    Open,
    /// With an error of the system.
    Refused(i32),
    /// Nobody answers.
    Silent,
}

struct Place {
    /// For the attempts to come; those behind the last find it open.
    doors: VecDeque<Door>,
    capacity: usize,
    arrivals: UnboundedSender<End>,
}

thread_local! {
    static PLACES: RefCell<HashMap<SocketAddr, Place>> = RefCell::default();
}

/// One upstream in memory.
pub struct Upstream {
    address: SocketAddr,
    arrivals: UnboundedReceiver<End>,
}

impl Upstream {
    pub fn at(address: SocketAddr) -> Self {
        let (sender, arrivals) = unbounded_channel();
        let place = Place { doors: VecDeque::new(), capacity: 64 * 1024, arrivals: sender };
        PLACES.with_borrow_mut(|places| places.insert(address, place));
        Self { address, arrivals }
    }

    /// What the next attempts to connect find.
    pub fn doors(&self, doors: impl IntoIterator<Item = Door>) {
        self.with_place(|place| place.doors.extend(doors));
    }

    /// Bytes that connections hold in each direction.
    pub fn capacity(&self, capacity: usize) {
        self.with_place(|place| place.capacity = capacity);
    }

    fn with_place(&self, act: impl FnOnce(&mut Place)) {
        PLACES.with_borrow_mut(|places| act(places.get_mut(&self.address).unwrap()));
    }

    /// The next connection.
    pub async fn accept(&mut self) -> Peer {
        Peer::over(self.arrivals.recv().await.unwrap())
    }

    /// Whether a connection was made that was not accepted yet.
    pub fn is_visited(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// Answers all requests of all connections to come.
    pub fn answer_all(mut self, answer: impl AsRef<[u8]> + Clone + 'static) {
        tokio::task::spawn_local(async move {
            loop {
                let mut connection = self.accept().await;
                let answer = answer.clone();
                tokio::task::spawn_local(async move {
                    while connection.next_request().await.is_some() {
                        connection.send(&answer).await;
                    }
                });
            }
        });
    }
}

/// Connects to an upstream of the test, else over the system.
pub async fn connect(address: SocketAddr) -> io::Result<Box<dyn Stream>> {
    let found = PLACES.with_borrow_mut(|places| {
        let place = places.get_mut(&address)?;
        let door = place.doors.pop_front().unwrap_or(Door::Open);
        let ends = pipe(place.capacity);
        if matches!(door, Door::Open) {
            // Without the test's end nobody listens.
            place.arrivals.send(ends.1).ok()?;
        }
        Some((door, ends.0))
    });
    match found {
        None => Ok(Box::new(TcpStream::connect(address).await?)),
        Some((Door::Open, end)) => Ok(Box::new(end)),
        Some((Door::Refused(code), _)) => Err(io::Error::from_raw_os_error(code)),
        Some((Door::Silent, _)) => pending().await,
    }
}
