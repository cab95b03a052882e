use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;

/// The two ends of a connection.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_a_slow_side_does_not_take_is_held_and_arrives() {
    let ((mut near, mut client), (mut upstream, mut far)) = (connection().await, connection().await);
    let scratch = RefCell::default();
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
        let copied = both(&mut client, &mut upstream, PATIENCE, &scratch).await;
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
        let (_, outcome) = both(&mut client, &mut upstream, PATIENCE, &RefCell::default()).await;
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
    let scratch = RefCell::default();
    let copied = both(&mut client, &mut upstream, patience, &scratch);
    let (([up, _], outcome), ()) = tokio::join!(copied, talk);
    assert!(matches!(outcome, Err(Torn::Silent(_))) && begun.elapsed() >= patience * 3, "{outcome:?}");
    assert_eq!(up.written, 4);
}
