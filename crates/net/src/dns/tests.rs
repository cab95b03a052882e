//! The resolver against a scripted DNS server on the loopback interface.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use super::*;

type Question = (String, RecordType);

/// Records with their TTL, or an error.
#[derive(Debug, Clone)]
enum Reply {
    Records(Vec<(u32, RData)>),
    Error(ResponseCode),
}

/// A server that knows what it was told and remembers what it was asked.
#[derive(Debug, Default)]
struct Script {
    replies: Mutex<HashMap<Question, Reply>>,
    asked: Mutex<Vec<Question>>,
}

impl Script {
    fn set(&self, name: &str, kind: RecordType, reply: Reply) {
        self.replies.lock().unwrap().insert((name.to_owned(), kind), reply);
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(name, kind)| format!("{kind} {name}")).collect()
    }

    fn reply(&self, query: &Message) -> Message {
        let mut message = query.clone();
        message.metadata.message_type = MessageType::Response;
        message.additionals.clear();
        let question = &query.queries[0];
        let key = (question.name().to_ascii().trim_end_matches('.').to_lowercase(), question.query_type());
        self.asked.lock().unwrap().push(key.clone());
        match self.replies.lock().unwrap().get(&key) {
            Some(Reply::Records(records)) => {
                let record = |(ttl, data): &(u32, RData)| {
                    Record::from_rdata(question.name().clone(), *ttl, data.clone())
                };
                message.answers = records.iter().map(record).collect();
            }
            Some(Reply::Error(code)) => message.metadata.response_code = *code,
            None => message.metadata.response_code = ResponseCode::NXDomain,
        }
        message
    }
}

async fn serve() -> (Arc<Script>, SocketAddr) {
    let script = Arc::new(Script::default());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let answering = script.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let reply = answering.reply(&Message::from_vec(&buffer[..length]).unwrap());
            socket.send_to(&reply.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    (script, address)
}

async fn resolver(change: impl FnOnce(&mut DnsSettings)) -> (Arc<Script>, Resolver) {
    let (script, address) = serve().await;
    let mut settings = DnsSettings { servers: vec![address], hosts_file: None, ..DnsSettings::default() };
    change(&mut settings);
    (script, Resolver::new(&settings).unwrap())
}

fn a(ttl: u32, addresses: &[&str]) -> Reply {
    let record = |text: &&str| (ttl, RData::A(A(text.parse().unwrap())));
    Reply::Records(addresses.iter().map(record).collect())
}

fn srv(records: &[(u16, u16, u16, &str)]) -> Reply {
    let record = |&(priority, weight, port, target): &(u16, u16, u16, &str)| {
        (60, RData::SRV(SRV::new(priority, weight, port, name(target))))
    };
    Reply::Records(records.iter().map(record).collect())
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

/// The addresses of `host` with its final dot, so that no search list applies.
async fn addresses(resolver: &Resolver, host: &str) -> Result<Vec<String>, DnsError> {
    let found = resolver.resolve(&format!("{host}."), 80).await?;
    Ok(found.into_iter().map(|address| address.addr.to_string()).collect())
}

#[tokio::test]
async fn addresses_are_themselves() {
    let (script, resolver) = resolver(|_| ()).await;
    for (host, expected) in [("10.0.0.1", "10.0.0.1:80"), ("[::1]", "[::1]:80"), ("::1", "[::1]:80")] {
        let found = resolver.resolve(host, 80).await.unwrap();
        assert_eq!(found[0].addr.to_string(), expected);
        assert_eq!(found[0].ttl, None);
    }
    let found = resolver.resolve("LocalHost", 80).await.unwrap();
    assert_eq!(found[0].addr.to_string(), "127.0.0.1:80");
    assert_eq!(script.asked(), [""; 0]);
}

#[tokio::test]
async fn srv_is_tried_before_a_and_the_answer_is_kept() {
    let (script, resolver) = resolver(|_| ()).await;
    script.set("my_service.test", RecordType::A, a(60, &["10.0.0.1"]));
    assert_eq!(addresses(&resolver, "my_service.test").await.unwrap(), ["10.0.0.1:80"]);
    assert_eq!(addresses(&resolver, "My_Service.test").await.unwrap(), ["10.0.0.1:80"]);
    assert_eq!(script.asked(), ["SRV my_service.test", "A my_service.test"]);
}

#[tokio::test]
async fn requests_take_turns_among_records() {
    let (script, resolver) = resolver(|_| ()).await;
    script.set("web.test", RecordType::A, a(60, &["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
    let mut first = Vec::new();
    for _ in 0..4 {
        let found = addresses(&resolver, "web.test").await.unwrap();
        assert_eq!(found.len(), 3);
        first.push(found[0].clone());
    }
    assert_eq!(first, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.1:80"]);
}

#[tokio::test]
async fn srv_gives_port_weight_and_name_of_the_lowest_priority() {
    let (script, resolver) = resolver(|_| ()).await;
    let records = [(1, 2, 8001, "one.test"), (1, 0, 8002, "two.test"), (2, 9, 8003, "three.test")];
    script.set("svc.test", RecordType::SRV, srv(&records));
    script.set("one.test", RecordType::A, a(5, &["10.0.0.1"]));
    script.set("two.test", RecordType::A, a(60, &["10.0.0.2"]));
    let mut found = resolver.resolve("svc.test.", 80).await.unwrap();
    found.sort_by_key(|address| address.addr);
    let rows: Vec<_> = found
        .iter()
        .map(|address| (address.addr.to_string(), address.weight, address.srv_target.as_deref()))
        .collect();
    assert_eq!(
        rows,
        [
            ("10.0.0.1:8001".to_owned(), Some(2), Some("one.test")),
            ("10.0.0.2:8002".to_owned(), Some(1), Some("two.test")),
        ]
    );
    assert!(found[0].ttl.unwrap() <= Duration::from_secs(5), "{:?}", found[0].ttl);
    let mut turns = Vec::new();
    for _ in 0..3 {
        turns.push(resolver.resolve("svc.test.", 80).await.unwrap()[0].addr.port());
    }
    turns.sort_unstable();
    assert_eq!(turns, [8001, 8001, 8002]);
}

#[tokio::test]
async fn aliases_are_followed() {
    let (script, resolver) =
        resolver(|settings| settings.order = vec![RecordKind::A, RecordKind::Cname]).await;
    let alias = Reply::Records(vec![(60, RData::CNAME(CNAME(name("real.test"))))]);
    script.set("alias.test", RecordType::A, alias);
    script.set("real.test", RecordType::A, a(60, &["10.0.0.7"]));
    assert_eq!(addresses(&resolver, "alias.test").await.unwrap(), ["10.0.0.7:80"]);
}

#[tokio::test]
async fn the_order_says_which_family_counts() {
    let order = vec![RecordKind::Aaaa, RecordKind::A];
    let (script, resolver) = resolver(|settings| settings.order = order).await;
    script.set("web.test", RecordType::A, a(60, &["10.0.0.1"]));
    assert_eq!(addresses(&resolver, "web.test").await.unwrap(), ["10.0.0.1:80"]);
    let ipv6 = Reply::Records(vec![(60, RData::AAAA(AAAA("fd00::1".parse().unwrap())))]);
    script.set("six.test", RecordType::AAAA, ipv6);
    script.set("six.test", RecordType::A, a(60, &["10.0.0.1"]));
    assert_eq!(addresses(&resolver, "six.test").await.unwrap(), ["[fd00::1]:80"]);
}

#[tokio::test]
async fn the_last_successful_type_is_asked_first() {
    let (script, resolver) = resolver(|settings| settings.stale_ttl = Duration::ZERO).await;
    script.set("web.test", RecordType::A, a(0, &["10.0.0.1"]));
    addresses(&resolver, "web.test").await.unwrap();
    addresses(&resolver, "web.test").await.unwrap();
    assert_eq!(script.asked(), ["SRV web.test", "A web.test", "A web.test"]);
}

#[tokio::test]
async fn what_is_missing_is_told_apart_and_remembered() {
    let (script, resolver) = resolver(|_| ()).await;
    script.set("empty.test", RecordType::A, Reply::Records(vec![]));
    script.set("empty.test", RecordType::SRV, Reply::Records(vec![]));
    script.set("broken.test", RecordType::A, Reply::Error(ResponseCode::Refused));
    assert_eq!(addresses(&resolver, "none.test").await, Err(DnsError::NameError));
    assert_eq!(addresses(&resolver, "empty.test").await, Err(DnsError::Empty));
    let broken = addresses(&resolver, "broken.test").await.unwrap_err();
    assert!(matches!(&broken, DnsError::Other(text) if text.contains("Refused")), "{broken}");
    let asked = script.asked().len();
    assert_eq!(addresses(&resolver, "none.test").await, Err(DnsError::NameError));
    assert_eq!(addresses(&resolver, "empty.test").await, Err(DnsError::Empty));
    assert_eq!(script.asked().len(), asked);
}

#[tokio::test]
async fn a_stale_answer_is_used_while_one_task_asks_again() {
    let (script, resolver) = resolver(|settings| settings.order = vec![RecordKind::A]).await;
    script.set("web.test", RecordType::A, a(0, &["10.0.0.1"]));
    assert_eq!(addresses(&resolver, "web.test").await.unwrap(), ["10.0.0.1:80"]);
    script.set("web.test", RecordType::A, a(60, &["10.0.0.2"]));
    assert_eq!(addresses(&resolver, "web.test").await.unwrap(), ["10.0.0.1:80"], "stale, and at once");
    assert_eq!(addresses(&resolver, "web.test").await.unwrap(), ["10.0.0.1:80"], "one task is enough");
    let changed = async {
        while addresses(&resolver, "web.test").await.unwrap() != ["10.0.0.2:80"] {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), changed).await.expect("the refresh arrives");
    assert_eq!(script.asked(), ["A web.test", "A web.test"]);
}

#[tokio::test]
async fn a_failing_server_does_not_take_a_stale_answer_away() {
    let (script, resolver) = resolver(|settings| settings.order = vec![RecordKind::A]).await;
    script.set("web.test", RecordType::A, a(0, &["10.0.0.1"]));
    addresses(&resolver, "web.test").await.unwrap();
    script.set("web.test", RecordType::A, Reply::Error(ResponseCode::Refused));
    let entry = resolver.shared.cache.entry("web.test.");
    let known = resolver.shared.ask(&entry).await;
    assert!(known.is_fresh(), "not asked again until error_ttl has passed");
    assert_eq!(addresses(&resolver, "web.test").await.unwrap(), ["10.0.0.1:80"]);
    script.set("web.test", RecordType::A, Reply::Error(ResponseCode::NXDomain));
    resolver.shared.ask(&entry).await;
    assert_eq!(addresses(&resolver, "web.test").await, Err(DnsError::NameError), "it is gone for good");
}

#[tokio::test]
async fn concurrent_requests_for_a_new_name_ask_once() {
    let (script, resolver) = resolver(|settings| settings.order = vec![RecordKind::A]).await;
    script.set("web.test", RecordType::A, a(60, &["10.0.0.1"]));
    let both = tokio::join!(addresses(&resolver, "web.test"), addresses(&resolver, "web.test"));
    assert_eq!(both, (Ok(vec!["10.0.0.1:80".to_owned()]), Ok(vec!["10.0.0.1:80".to_owned()])));
    assert_eq!(script.asked(), ["A web.test"]);
}

#[tokio::test]
async fn valid_ttl_replaces_that_of_the_answer() {
    let ttl = Duration::from_secs(500);
    let (script, resolver) = resolver(|settings| settings.valid_ttl = Some(ttl)).await;
    script.set("web.test", RecordType::A, a(1, &["10.0.0.1"]));
    let found = resolver.resolve("web.test.", 80).await.unwrap();
    assert!(found[0].ttl.unwrap() > Duration::from_secs(400), "{:?}", found[0].ttl);
}

#[tokio::test]
async fn nonsense_is_refused() {
    let (script, resolver) = resolver(|_| ()).await;
    for host in ["a..b", "", &"x".repeat(300)] {
        assert!(resolver.resolve(host, 80).await.is_err(), "{host}");
    }
    assert!(resolver.resolve("[10.0.0.1]", 80).await.is_err());
    drop(script);
}

#[tokio::test]
async fn the_hosts_file_is_read_again_for_all_who_share_it() {
    let path = std::env::temp_dir().join(format!("polygate-hosts-{}", std::process::id()));
    std::fs::write(&path, "10.0.0.1 web\n").unwrap();
    let hosts = HostsFile::read(Some(&path)).unwrap();
    let settings = DnsSettings::default();
    let resolvers = [1, 2].map(|_| Resolver::sharing(&settings, &hosts).unwrap());
    let web = async || {
        let found = resolvers.each_ref().map(|resolver| resolver.resolve("web", 80));
        let [first, second] = found;
        [first.await, second.await].map(|found| found.map(|found| found[0].addr.ip().to_string()))
    };
    let both = |ip: &str| [Ok(ip.to_owned()), Ok(ip.to_owned())];
    assert_eq!(web().await, both("10.0.0.1"));
    std::fs::write(&path, "10.0.0.2 web\n").unwrap();
    assert_eq!(web().await, both("10.0.0.1"), "nobody asked for it");
    hosts.reload().unwrap();
    assert_eq!(web().await, both("10.0.0.2"));
    std::fs::remove_file(&path).unwrap();
    let error = hosts.reload().unwrap_err().to_string();
    assert!(error.contains("correct dns_hostsfile"), "{error}");
    assert_eq!(web().await, both("10.0.0.2"), "what was known stays known");
}
