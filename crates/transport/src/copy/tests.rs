use std::future::poll_fn;
use std::net::{Shutdown, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::Instant;

use super::*;

/// The two ends of a connection.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

/// Copies to the end. Answers what went up and down, too.
async fn copy(
    client: &mut dyn Stream,
    upstream: &mut dyn Stream,
    patience: Patience,
) -> ([Moved; 2], Result<(), Torn>) {
    let mut copying = Copying::new(patience, Clock::new());
    let mut scratch = Scratch::default();
    let outcome = poll_fn(|cx| copying.poll(cx, client, upstream, &mut scratch)).await;
    (copying.moved(), outcome)
}

fn silence(limit: Duration) -> Patience {
    Patience { silence: limit, ..Patience::default() }
}

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_a_slow_side_does_not_take_is_held_and_arrives() {
    let ((mut near, mut client), (mut upstream, mut far)) = (connection().await, connection().await);
    let sent: Vec<u8> = (0..20_000_000_u32).map(|at| at as u8).collect();
    let talk = async {
        let (sending, hearing) = tokio::join!(
            async {
                near.write_all(&sent).await.unwrap();
                near.shutdown().await
            },
            async {
                let mut heard = Vec::new();
                far.read_to_end(&mut heard).await.unwrap();
                // The other half is open still.
                far.write_all(b"and back").await.unwrap();
                drop(far);
                heard
            }
        );
        sending.unwrap();
        let mut back = Vec::new();
        near.read_to_end(&mut back).await.unwrap();
        (hearing, back)
    };
    let copied = async move {
        let copied = copy(&mut client, &mut upstream, silence(PATIENCE)).await;
        drop((client, upstream));
        copied
    };
    let (([up, down], outcome), (heard, back)) = tokio::join!(copied, talk);
    outcome.unwrap();
    assert!(heard == sent && back == b"and back");
    assert_eq!((up.read, up.written, down.read, down.written), (20_000_000, 20_000_000, 8, 8));
}

#[tokio::test]
async fn a_side_that_breaks_off_is_named() {
    for by_client in [true, false] {
        let ((near, mut client), (mut upstream, far)) = (connection().await, connection().await);
        let (leaving, _staying) = if by_client { (near, far) } else { (far, near) };
        leaving.set_zero_linger().unwrap();
        drop(leaving);
        let (_, outcome) = copy(&mut client, &mut upstream, silence(PATIENCE)).await;
        assert_eq!(outcome.unwrap_err().side(), if by_client { Side::Client } else { Side::Upstream });
    }
}

#[tokio::test]
async fn silence_of_both_ends_a_stream_and_a_byte_is_none() {
    let ((mut near, mut client), (mut upstream, mut far)) = (connection().await, connection().await);
    let patience = Duration::from_millis(300);
    let begun = Instant::now();
    let talk = async {
        for _ in 0..4 {
            tokio::time::sleep(patience / 2).await;
            near.write_all(b"x").await.unwrap();
            far.read_exact(&mut [0]).await.unwrap();
        }
    };
    let copied = copy(&mut client, &mut upstream, silence(patience));
    let (([up, _], outcome), ()) = tokio::join!(copied, talk);
    assert!(matches!(outcome, Err(Torn::Silent(_))) && begun.elapsed() >= patience * 3, "{outcome:?}");
    assert_eq!(up.written, 4);
}

#[tokio::test]
async fn a_side_that_takes_nothing_has_its_own_limit() {
    let ((mut near, mut client), (mut upstream, mut far)) = (connection().await, connection().await);
    let patience = Duration::from_millis(300);
    let talk = async {
        let flood = async { while far.write_all(&[0; 100_000]).await.is_ok() {} };
        // It goes on talking, and so is not silent, and never listens.
        let chatter = async {
            while near.write_all(b"x").await.is_ok() {
                tokio::time::sleep(patience / 10).await;
            }
        };
        tokio::join!(flood, chatter)
    };
    let limits = Patience { silence: PATIENCE, client: patience, upstream: PATIENCE };
    let copied = async move {
        let copied = copy(&mut client, &mut upstream, limits).await;
        drop((client, upstream));
        copied
    };
    let (_, outcome) = tokio::select! {
        copied = copied => copied,
        _ = talk => unreachable!("it goes on as long as it is listened to"),
    };
    let torn = outcome.unwrap_err();
    assert!(torn.side() == Side::Client && torn.to_string().contains("took nothing"), "{torn}");
}

#[tokio::test]
async fn what_was_said_by_a_side_that_takes_no_more_arrives() {
    let (mut near, mut client) = UnixStream::pair().unwrap();
    let (mut upstream, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"last words").await.unwrap();
    let far = far.into_std().unwrap();
    far.shutdown(Shutdown::Read).unwrap();
    let talk = async {
        near.write_all(b"too late").await.unwrap();
        let mut heard = [0; 10];
        near.read_exact(&mut heard).await.unwrap();
        drop(far);
        heard
    };
    let copied = copy(&mut client, &mut upstream, silence(PATIENCE));
    let (([_, down], outcome), heard) = tokio::join!(copied, talk);
    assert_eq!((&heard, down.written), (b"last words", 10));
    assert_eq!(outcome.unwrap_err().side(), Side::Upstream);
}
