//! Clients that make work and want nothing (RFC 9113, section 10.5).

use crate::tests::http2::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, RawClient,
    SETTINGS, block, fields, frame,
};
use crate::tests::{run, secs, setup};
use tokio::time::sleep;

const ENHANCE_YOUR_CALM: u32 = 11;
/// Frames of one flood, or until the gateway takes no more.
const MANY: u32 = 3_000;

/// Sends what `flood` makes of each number; the code with which the connection is ended.
async fn ended_by(flood: impl Fn(u32) -> Vec<u8>) -> Option<u32> {
    let world = setup().open();
    // The service takes connections and says nothing.
    let _upstream = world.upstream();
    let mut client = RawClient::open(&world).await;
    for number in 0..MANY {
        if client.bytes(&flood(number)).await.is_err() {
            break;
        }
        // What is said in return is read, as a flood that waits for nothing would end itself.
        client.skim();
    }
    Some(client.next(GOAWAY).await?.code())
}

fn stream(number: u32) -> u32 {
    number * 2 + 1
}

#[test]
fn floods_are_ended() {
    run(async {
        let head = frame(HEADERS, END_HEADERS, 1, &block(&fields(&[])));
        let resets = |number| {
            let head = frame(HEADERS, END_HEADERS | END_STREAM, stream(number), &block(&fields(&[])));
            [head, frame(RST_STREAM, 0, stream(number), &[0, 0, 0, 8])].concat()
        };
        assert_eq!(ended_by(resets).await, Some(ENHANCE_YOUR_CALM), "resets");
        assert_eq!(ended_by(|_| frame(PING, 0, 0, &[0; 8])).await, Some(ENHANCE_YOUR_CALM), "pings");
        assert_eq!(ended_by(|_| frame(SETTINGS, 0, 0, &[])).await, Some(ENHANCE_YOUR_CALM), "settings");
        let priority = |number| frame(PRIORITY, 0, stream(number), &[0, 0, 0, 0, 1]);
        assert_eq!(ended_by(priority).await, Some(ENHANCE_YOUR_CALM), "priorities");
        assert_eq!(ended_by(|_| frame(99, 0, 0, &[])).await, Some(ENHANCE_YOUR_CALM), "unknown frames");
        let empty = |number| match number {
            0 => head.clone(),
            _ => frame(DATA, 0, 1, &[]),
        };
        assert_eq!(ended_by(empty).await, Some(ENHANCE_YOUR_CALM), "empty data");
        let continued = |number| match number {
            0 => frame(HEADERS, 0, 1, &block(&fields(&[]))),
            _ => frame(CONTINUATION, 0, 1, &block(&vec![(b"x", b"1")])),
        };
        assert_eq!(ended_by(continued).await, Some(ENHANCE_YOUR_CALM), "continuations");
        let nothing =
            |number| if number == 0 { frame(HEADERS, 0, 1, &[]) } else { frame(CONTINUATION, 0, 1, &[]) };
        assert_eq!(ended_by(nothing).await, Some(ENHANCE_YOUR_CALM), "empty continuations");
    });
}

#[test]
fn who_asks_for_a_sign_of_life_now_and_then_gets_it() {
    run(async {
        let mut setup = setup();
        setup.settings.client_header_timeout = secs(2 * u64::from(MANY));
        let world = setup.open();
        let mut client = RawClient::open(&world).await;
        for _ in 0..MANY {
            client.send(PING, 0, 0, &[7; 8]).await.unwrap();
            let answer = client.next(PING).await.unwrap();
            assert_eq!((answer.flags & ACK, answer.payload), (ACK, vec![7; 8]));
            sleep(secs(1)).await;
        }
    });
}

/// Each stays within the limit of one line.
#[test]
fn heads_have_a_limit() {
    run(async {
        let line = vec![b'a'; 8_000];
        for (lines, answer) in [(3, Some(200)), (5, Some(400)), (8, None), (1_000, None)] {
            let world = setup().open();
            let mut upstream = world.upstream();
            let mut client = RawClient::open(&world).await;
            let mut fields = fields(&[]);
            fields.extend((0..lines).map(|_| (b"x-a".as_slice(), line.as_slice())));
            let block = block(&fields);
            let mut pieces = block.chunks(16_000).peekable();
            let mut kind = HEADERS;
            while let Some(piece) = pieces.next() {
                let flags = if pieces.peek().is_none() { END_HEADERS | END_STREAM } else { END_STREAM };
                if client.send(kind, flags, 1, piece).await.is_err() {
                    break;
                }
                kind = CONTINUATION;
            }
            if answer == Some(200) {
                let mut connection = upstream.accept().await;
                connection.request().await;
                connection.send(crate::tests::OK).await;
            }
            match answer {
                Some(status) => assert_eq!(client.next(HEADERS).await.unwrap().status(), status, "{lines}"),
                // The library's own refusal, or the end of the connection.
                None => assert!(client.next(RST_STREAM).await.is_some() || !upstream.is_visited(), "{lines}"),
            }
        }
    });
}
