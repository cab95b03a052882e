use std::future::pending;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_chain::pdk::{Context, fixture};
use polygate_chain::services::{Job, Services, Stream};
use polygate_chain::{Failure, LocalFuture};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::{Instant, sleep};
use x509_parser::asn1_rs::{Any, FromBer};

use super::*;
use crate::tests::handler_with;

/// A directory that knows one password, and notes what it is asked.
#[derive(Default)]
struct Fake {
    /// Requests of each connection: names of binds, or `StartTLS`.
    seen: Arc<Mutex<Vec<Vec<String>>>>,
    manner: Manner,
    /// Connections are kept for the next who asks the same directory.
    port: u16,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Manner {
    #[default]
    Usual,
    Silent,
    /// Closes after each response.
    Leaving,
    /// Answers each request with this result.
    Code(u8),
    /// Never comes to an end.
    Endless,
}

impl Fake {
    fn new(manner: Manner) -> Arc<Self> {
        static PORTS: AtomicU16 = AtomicU16::new(389);
        Arc::new(Self { manner, port: PORTS.fetch_add(1, Relaxed), ..Self::default() })
    }

    fn seen(&self) -> Vec<Vec<String>> {
        self.seen.lock().unwrap().clone()
    }
}

impl Services for Fake {
    fn connect<'a>(&'a self, _: &'a Remote) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
        let (ours, theirs) = duplex(64 * 1024);
        let mut seen = self.seen.lock().unwrap();
        seen.push(Vec::new());
        spawn_local(serve(theirs, self.seen.clone(), seen.len() - 1, self.manner));
        Box::pin(async move { Ok(Box::new(ours) as Box<dyn Stream>) })
    }

    fn encrypt<'a>(
        &'a self,
        stream: Box<dyn Stream>,
        _: &'a Remote,
    ) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(stream) })
    }

    fn send_datagram<'a>(&'a self, _: &'a str, _: u16, _: &'a [u8]) -> LocalFuture<'a, io::Result<()>> {
        Box::pin(pending())
    }

    fn send_local_datagram<'a>(&'a self, _: &'a str, _: &'a [u8]) -> LocalFuture<'a, io::Result<()>> {
        Box::pin(pending())
    }

    fn spawn(&self, _: Job) {}
}

async fn serve(
    mut stream: DuplexStream,
    seen: Arc<Mutex<Vec<Vec<String>>>>,
    connection: usize,
    manner: Manner,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        let (_, message) = Any::from_ber(&bytes[..length]).unwrap();
        let (rest, _id) = u32::from_ber(message.data).unwrap();
        let (_, operation) = Any::from_ber(rest).unwrap();
        let is_bind = operation.tag().0 == 0;
        let (name, is_right) = match is_bind {
            true => {
                let (rest, _version) = u32::from_ber(operation.data).unwrap();
                let (rest, name) = Any::from_ber(rest).unwrap();
                let (_, password) = Any::from_ber(rest).unwrap();
                (String::from_utf8_lossy(name.data).into_owned(), password.data == b"right")
            }
            false => ("StartTLS".to_owned(), true),
        };
        seen.lock().unwrap()[connection].push(name);
        let code = match manner {
            Manner::Silent => continue,
            Manner::Endless => {
                let _ = stream.write_all(b"\x30\x84\x7f\xff\xff\xff").await;
                while stream.write_all(&[0; 1024]).await.is_ok() {}
                return;
            }
            Manner::Code(code) => code,
            _ if is_right => 0,
            _ => 49,
        };
        let (id, tag) = if is_bind { (2, 0x61) } else { (1, 0x78) };
        let response = [0x30, 0x0c, 2, 1, id, tag, 7, 0x0a, 1, code, 4, 0, 4, 0];
        stream.write_all(&response).await.unwrap();
        if manner == Manner::Leaving {
            return;
        }
    }
}

fn plugin(fake: &Arc<Fake>, further: Json) -> Arc<dyn Handler> {
    let mut config = json!({
        "ldap_host": "ldap.test", "ldap_port": fake.port, "base_dn": "ou=people,dc=test", "attribute": "uid",
    });
    config.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    handler_with("ldap-auth", config, &Shared::new(fake.clone()))
}

fn shown(user: &str, password: &str) -> String {
    format!("ldap {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

async fn ask(plugin: &Arc<dyn Handler>, fields: &[(&str, &str)]) -> Result<Exchange, Failure> {
    let mut exchange = fixture::exchange("GET", "/", fields);
    exchange.session.phase = Phase::Access;
    plugin.run(Phase::Access, Context::Exchange(&mut exchange)).await?;
    Ok(exchange)
}

/// The status of a request with these credentials; 0 when it goes on.
async fn status(plugin: &Arc<dyn Handler>, user: &str, password: &str) -> u16 {
    ask(plugin, &[("authorization", &shown(user, password))]).await.unwrap().response.status
}

async fn run(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn who_logs_in_goes_on() {
    run(async {
        let fake = Fake::new(Manner::Usual);
        let right = shown("ann", "right");
        let plain = plugin(&fake, json!({}));
        let exchange = ask(&plain, &[("authorization", &right)]).await.unwrap();
        let told = |exchange: &Exchange, name: &str| exchange.request.headers.text(name).map(str::to_owned);
        assert_eq!(exchange.response.status, 0);
        assert_eq!(told(&exchange, "x-credential-identifier").as_deref(), Some("ann"));
        assert_eq!(told(&exchange, "authorization"), Some(right.clone()));
        let id = exchange.credential.unwrap().id().unwrap().into_owned();
        let again = ask(&plain, &[("proxy-authorization", &right.replace("ldap", "LDAP "))]).await.unwrap();
        assert_eq!(again.credential.unwrap().id().unwrap(), id, "a limit knows who it is");
        let hiding = plugin(&fake, json!({"hide_credentials": true}));
        let exchange =
            ask(&hiding, &[("authorization", &right), ("proxy-authorization", "x")]).await.unwrap();
        assert_eq!((told(&exchange, "authorization"), told(&exchange, "proxy-authorization")), (None, None));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_is_refused() {
    run(async {
        let fake = Fake::new(Manner::Usual);
        let plain = plugin(&fake, json!({}));
        let basic = format!("Basic {}", BASE64_STANDARD.encode("ann:right"));
        for line in [&*basic, "ldap", "ldap ", "ldap !", "ldapx YTpi", "", &shown("ann", "wrong")] {
            let exchange = ask(&plain, &[("authorization", line)]).await.unwrap();
            assert_eq!(exchange.response.status, 401, "{line}");
            assert_eq!(exchange.response.headers.text("www-authenticate"), Some("LDAP"));
        }
        let named = plugin(&fake, json!({"header_type": "Basic", "realm": "r"}));
        assert_eq!(ask(&named, &[("authorization", &basic)]).await.unwrap().response.status, 0);
        let exchange = ask(&named, &[]).await.unwrap();
        assert_eq!(exchange.response.headers.text("www-authenticate"), Some("Basic realm=\"r\""));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_about_an_empty_password_or_name() {
    run(async {
        // It would say that all is well.
        let fake = Fake::new(Manner::Code(0));
        let plugin = plugin(&fake, json!({}));
        assert_eq!(status(&plugin, "ann", "").await, 401);
        assert_eq!(status(&plugin, "", "right").await, 401);
        assert!(fake.seen().is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_user_names_one_entry() {
    run(async {
        let fake = Fake::new(Manner::Usual);
        let plugin = plugin(&fake, json!({}));
        assert_eq!(status(&plugin, "ann,ou=admins", "right").await, 0);
        assert_eq!(fake.seen(), [[r"uid=ann\,ou\=admins,ou=people,dc=test"]]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn outcomes_count_for_a_while() {
    run(async {
        let fake = Fake::new(Manner::Usual);
        let plugin = plugin(&fake, json!({"cache_ttl": 10}));
        let asked = || fake.seen().iter().map(Vec::len).sum::<usize>();
        for _ in 0..3 {
            assert_eq!(status(&plugin, "ann", "right").await, 0);
            assert_eq!(status(&plugin, "ann", "wrong").await, 401);
            assert_eq!(status(&plugin, "bob", "wrong").await, 401);
        }
        assert_eq!(asked(), 3);
        sleep(Duration::from_secs(11)).await;
        assert_eq!(status(&plugin, "ann", "right").await, 0);
        assert_eq!(asked(), 4);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_at_a_time_ask_once() {
    run(async {
        for (manner, status) in [(Manner::Usual, Ok(0)), (Manner::Silent, Err(500))] {
            let (fake, began) = (Fake::new(manner), Instant::now());
            let plugin = plugin(&fake, json!({"timeout": 1000}));
            let mut asking = JoinSet::new();
            for _ in 0..100 {
                let plugin = plugin.clone();
                asking.spawn_local(async move {
                    let answer = ask(&plugin, &[("authorization", &shown("ann", "right"))]).await;
                    answer.map(|exchange| exchange.response.status).map_err(|failure| failure.status)
                });
            }
            assert_eq!(asking.join_all().await, [status; 100]);
            assert!(manner == Manner::Silent || fake.seen().concat().len() == 1);
            // Nobody waits for the others' time, too.
            assert!(began.elapsed() < Duration::from_secs(2));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn connections_are_kept_for_a_while() {
    run(async {
        let fake = Fake::new(Manner::Usual);
        let plugin = plugin(&fake, json!({"cache_ttl": 0, "keepalive": 5000}));
        for _ in 0..3 {
            assert_eq!(status(&plugin, "ann", "right").await, 0);
        }
        assert_eq!(fake.seen().len(), 1);
        sleep(Duration::from_secs(6)).await;
        // The server's end of it has ended.
        assert_eq!(Arc::strong_count(&fake.seen), 1);
        assert_eq!(status(&plugin, "ann", "right").await, 0);
        assert_eq!(fake.seen().len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_the_directory_closed_is_made_anew() {
    run(async {
        let fake = Fake::new(Manner::Leaving);
        let plugin = plugin(&fake, json!({"cache_ttl": 0}));
        for _ in 0..3 {
            assert_eq!(status(&plugin, "ann", "right").await, 0);
        }
        assert_eq!(fake.seen().len(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_cannot_say_is_an_error() {
    run(async {
        let right = shown("ann", "right");
        for (manner, why) in [
            (Manner::Silent, "no answer within 500 ms"),
            (Manner::Code(52), "result 52"),
            (Manner::Endless, "the response is too long"),
        ] {
            let fake = Fake::new(manner);
            let began = Instant::now();
            // As anybody else it might do less, but it has not been refused.
            let plugin = plugin(&fake, json!({"timeout": 500, "anonymous": "nobody"}));
            let failure = ask(&plugin, &[("authorization", &right)]).await.map(|_| ()).unwrap_err();
            assert_eq!(failure.status, 500);
            assert!(failure.message.contains(why) && !failure.message.contains("right"), "{failure}");
            assert!(began.elapsed() <= Duration::from_secs(1));
            // Nothing of it is kept.
            assert!(ask(&plugin, &[("authorization", &right)]).await.is_err());
            assert_eq!(fake.seen().concat().len(), 2);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_to_a_directory_that_refuses_tls() {
    run(async {
        let right = shown("ann", "right");
        let fake = Fake::new(Manner::Usual);
        let starting = plugin(&fake, json!({"start_tls": true}));
        assert_eq!(status(&starting, "ann", "right").await, 0);
        assert_eq!(fake.seen(), [["StartTLS", "uid=ann,ou=people,dc=test"]]);
        let fake = Fake::new(Manner::Code(2));
        let starting = plugin(&fake, json!({"start_tls": true}));
        let failure = ask(&starting, &[("authorization", &right)]).await.map(|_| ()).unwrap_err();
        assert!(failure.message.contains("StartTLS is refused: result 2"), "{failure}");
        assert_eq!(fake.seen(), [["StartTLS"]]);
    })
    .await;
}
