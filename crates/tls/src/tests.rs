//! Handshakes in memory, with certificates made on the spot.

use std::io;
use std::sync::Arc;

use polygate_model::{Entities, Id, Service, Written};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::*;

const CERTIFICATE: Id = Id::from_u128(1);
const AUTHORITY: Id = Id::from_u128(2);

/// Signs certificates; its own is the authority's.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// PEM texts of a chain and its key.
struct Made {
    chain: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        Self::make(None)
    }

    /// One between this one and leaves.
    fn below(&self) -> Self {
        Self::make(Some(&self.issuer))
    }

    fn make(by: Option<&Issuer<'static, KeyPair>>) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, if by.is_some() { "between" } else { "root" });
        let key = KeyPair::generate().unwrap();
        let own = match by {
            None => parameters.self_signed(&key),
            Some(issuer) => parameters.signed_by(&key, issuer),
        };
        Self { pem: own.unwrap().pem(), issuer: Issuer::new(parameters, key) }
    }

    fn sign(&self, name: &str) -> Made {
        self.sign_until(name, 2100)
    }

    fn sign_until(&self, name: &str, year: i32) -> Made {
        let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
        parameters.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let chain = parameters.signed_by(&key, &self.issuer).unwrap().pem();
        Made { chain, key: key.serialize_pem() }
    }
}

impl Made {
    fn pair(&self) -> Arc<rustls::sign::CertifiedKey> {
        Arc::new(pair(&self.chain, &self.key).unwrap())
    }
}

fn server(default: &Made) -> Server {
    let (names, unusable) = Names::new(&Entities::default(), vec![default.pair()]);
    assert!(unusable.is_empty());
    Server::new(names, &ServerOptions::default())
}

type Ends<T> = (client::TlsStream<T>, server::TlsStream<T>);

/// The handshake of both, and a byte each way, which brings tickets along.
async fn shake(
    client: &Arc<ClientConfig>,
    server: &Server,
    handshake: Handshake,
    name: &str,
) -> io::Result<Ends<tokio::io::DuplexStream>> {
    let (near, far) = duplex(64 * 1024);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (near, far) = tokio::join!(
        TlsConnector::from(client.clone()).connect(name, near),
        TlsAcceptor::from(server.config(handshake).clone()).accept(far)
    );
    let (mut near, mut far) = (near?, far?);
    near.write_all(b"?").await?;
    near.flush().await?;
    far.read_u8().await?;
    far.write_all(b"!").await?;
    far.flush().await?;
    near.read_u8().await?;
    Ok((near, far))
}

fn entities(client: &Made, authority: &str, service: serde_json::Value) -> (Entities, Arc<Written<Service>>) {
    let mut entities = Entities::default();
    let certificate = json!({
        "id": CERTIFICATE, "created_at": 0, "updated_at": 0, "cert": client.chain, "key": client.key,
    });
    let certificate: polygate_model::Certificate = serde_json::from_value(certificate).unwrap();
    entities.certificates.insert(CERTIFICATE, certificate.into());
    let authority = json!({"id": AUTHORITY, "created_at": 0, "updated_at": 0, "cert": authority});
    let authority: polygate_model::CaCertificate = serde_json::from_value(authority).unwrap();
    entities.ca_certificates.insert(AUTHORITY, authority.into());
    let mut all = json!({
        "id": Id::from_u128(3), "created_at": 0, "updated_at": 0, "ws_id": Id::nil(), "retries": 0,
        "protocol": "https", "host": "a.test", "port": 443, "connect_timeout": 1, "write_timeout": 1,
        "read_timeout": 1, "enabled": true,
    });
    all.as_object_mut().unwrap().extend(service.as_object().unwrap().clone());
    let service: Arc<Written<Service>> = Arc::new(serde_json::from_value(all).unwrap());
    entities.services.insert(service.id, service.clone());
    (entities, service)
}

fn wanted(service: &Service) -> Wanted<'_> {
    Wanted { service: Some(service), certificate: None, verify: None, depth: None, http2: false }
}

/// Why a connection to `shown` fails when the authority is believed; empty if it does not.
async fn refusal(root: &Authority, shown: &Made, asked: &str, depth: u32) -> String {
    let service = json!({"tls_verify": true, "tls_verify_depth": depth, "ca_certificates": [AUTHORITY]});
    let (entities, service) = entities(shown, &root.pem, service);
    let (upstream, _) = UpstreamTls::new(&entities, UpstreamDefaults::default());
    let client = upstream.client(&wanted(&service)).unwrap();
    match shake(&client.config, &server(shown), Handshake::default(), asked).await {
        Ok(_) => String::new(),
        Err(error) => cause(&error).unwrap_or_else(|| error.to_string()),
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_named() {
    let root = Authority::new();
    let between = root.below();
    let long = {
        let leaf = between.sign("a.test");
        Made { chain: leaf.chain + &between.pem, key: leaf.key }
    };
    assert_eq!(refusal(&root, &root.sign("a.test"), "a.test", 0).await, "");
    assert_eq!(refusal(&root, &root.sign("127.0.0.1"), "127.0.0.1", 0).await, "");
    assert_eq!(refusal(&root, &long, "a.test", 1).await, "");
    for (shown, asked, depth, expected) in [
        (root.sign("a.test"), "b.test", 0, "its certificate is for another name"),
        (root.sign_until("a.test", 2001), "a.test", 0, "its certificate has expired"),
        (
            Authority::new().sign("a.test"),
            "a.test",
            0,
            "its certificate is of an authority that is not trusted",
        ),
        (long, "a.test", 0, "its certificate is refused: MaximumPathDepthExceeded"),
    ] {
        let told = refusal(&root, &shown, asked, depth).await;
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn the_gateway_itself_believes_its_own_authorities() {
    let (root, other) = (Authority::new(), Authority::new());
    let (shown, own) = (root.sign("a.test"), root.sign("client.test"));
    let (entities, _) = entities(&own, &other.pem, json!({"client_certificate": {"id": CERTIFICATE}}));
    let own_trust = Trust { authorities: certificates(&root.pem).unwrap().into(), depth: 0 };
    let defaults = UpstreamDefaults { own_trust, ..UpstreamDefaults::default() };
    let (upstream, _) = UpstreamTls::new(&entities, defaults);
    let asking = Handshake { request_client_certificate: true, ..Handshake::default() };
    let verifying = upstream.probe(Some(CERTIFICATE), true).unwrap();
    let (_, far) = shake(&verifying.config, &server(&shown), asking, "a.test").await.unwrap();
    assert_eq!(far.get_ref().1.peer_certificates().unwrap(), pair(&own.chain, &own.key).unwrap().cert);
    let stranger = server(&other.sign("a.test"));
    let error = shake(&verifying.config, &stranger, asking, "a.test").await.unwrap_err();
    assert!(cause(&error).unwrap().contains("lua_ssl_trusted_certificate"), "{error}");
    let unverified = upstream.probe(None, false).unwrap();
    let (_, far) = shake(&unverified.config, &stranger, asking, "b.test").await.unwrap();
    assert_eq!(far.get_ref().1.peer_certificates(), None);
    assert!(upstream.probe(Some(Id::from_u128(9)), true).is_err());
}

#[tokio::test]
async fn nobody_is_verified_unless_somebody_says_so() {
    let shown = Authority::new().sign("other.test");
    let (entities, service) = entities(&shown, &shown.chain, json!({}));
    let (upstream, _) = UpstreamTls::new(&entities, UpstreamDefaults::default());
    let client = upstream.client(&wanted(&service)).unwrap();
    shake(&client.config, &server(&shown), Handshake::default(), "a.test").await.unwrap();
    // A plugin.
    let client = upstream.client(&Wanted { verify: Some(true), ..wanted(&service) }).unwrap();
    let error = shake(&client.config, &server(&shown), Handshake::default(), "a.test").await.unwrap_err();
    assert!(cause(&error).unwrap().contains("not trusted"), "{error}");
}

#[test]
fn ways_of_connecting_are_made_once_and_alike_in_every_configuration() {
    let (root, other) = (Authority::new(), Authority::new());
    let shown = root.sign("a.test");
    let of = |authority: &str, service| {
        let (entities, service) = entities(&shown, authority, service);
        let (upstream, unusable) = UpstreamTls::new(&entities, UpstreamDefaults::default());
        assert!(unusable.is_empty());
        let client = upstream.client(&wanted(&service)).unwrap();
        assert!(Arc::ptr_eq(&client, &upstream.client(&wanted(&service)).unwrap()));
        client
    };
    let plain = json!({});
    let verified = json!({"tls_verify": true, "ca_certificates": [AUTHORITY]});
    let showing = json!({"client_certificate": {"id": CERTIFICATE}});
    assert_eq!(of(&root.pem, verified.clone()), of(&root.pem, verified.clone()));
    assert_ne!(of(&root.pem, verified.clone()), of(&other.pem, verified.clone()));
    assert_ne!(of(&root.pem, plain.clone()), of(&root.pem, verified));
    assert_ne!(of(&root.pem, plain), of(&root.pem, showing));
}

#[test]
fn a_service_without_its_certificates_is_not_connected() {
    let shown = Authority::new().sign("a.test");
    let missing = Id::from_u128(9);
    for service in [
        json!({"client_certificate": {"id": missing}}),
        json!({"tls_verify": true, "ca_certificates": [missing]}),
    ] {
        let (entities, service) = entities(&shown, &shown.chain, service);
        let (upstream, _) = UpstreamTls::new(&entities, UpstreamDefaults::default());
        let told = upstream.client(&wanted(&service)).unwrap_err().to_string();
        assert!(told.contains(&missing.to_string()), "{told}");
    }
}

#[tokio::test]
async fn a_client_is_asked_for_its_certificate_only_when_that_is_wanted() {
    let root = Authority::new();
    let (shown, own) = (root.sign("a.test"), root.sign("client.test"));
    let (entities, service) = entities(&own, &root.pem, json!({"client_certificate": {"id": CERTIFICATE}}));
    let (upstream, _) = UpstreamTls::new(&entities, UpstreamDefaults::default());
    let client = upstream.client(&wanted(&service)).unwrap();
    let server = server(&shown);
    for asks in [false, true, true] {
        let handshake = Handshake { request_client_certificate: asks, ..Handshake::default() };
        let (_, far) = shake(&client.config, &server, handshake, "a.test").await.unwrap();
        let chain: Option<&[CertificateDer]> = far.get_ref().1.peer_certificates();
        let expected = pair(&own.chain, &own.key).unwrap().cert;
        assert_eq!(chain, asks.then_some(&expected[..]), "also in a session that was resumed");
    }
}

#[tokio::test]
async fn sessions_are_resumed_unless_a_plugin_forbids_it() {
    let shown = Authority::new().sign("a.test");
    let (entities, service) = entities(&shown, &shown.chain, json!({}));
    let (upstream, _) = UpstreamTls::new(&entities, UpstreamDefaults::default());
    let client = upstream.client(&wanted(&service)).unwrap();
    let fresh = Handshake { disable_session_reuse: true, ..Handshake::default() };
    let resumed = rustls::HandshakeKind::Resumed;
    for (handshake, is_resumed) in [
        (fresh, false),
        (Handshake::default(), false),
        // Of another configuration, as after a reload.
        (Handshake::default(), true),
        (fresh, false),
    ] {
        let (_, far) = shake(&client.config, &server(&shown), handshake, "a.test").await.unwrap();
        assert_eq!(far.get_ref().1.handshake_kind() == Some(resumed), is_resumed, "{handshake:?}");
    }
}

#[tokio::test]
async fn names_choose_the_certificate() {
    let root = Authority::new();
    let own = root.sign("client.test");
    let mut all = Entities::default();
    let names = ["exact.a.test", "*.a.test", "b.*", "Upper.test"];
    for (number, name) in names.into_iter().enumerate() {
        let id = Id::from_u128(number as u128 + 10);
        let made = root.sign(&format!("certificate{number}.test"));
        let certificate =
            json!({"id": id, "created_at": 0, "updated_at": 0, "cert": made.chain, "key": made.key});
        let certificate: polygate_model::Certificate = serde_json::from_value(certificate).unwrap();
        let sni =
            json!({"id": id, "created_at": 0, "updated_at": 0, "name": name, "certificate": {"id": id}});
        let sni: polygate_model::Sni = serde_json::from_value(sni).unwrap();
        all.certificates.insert(id, certificate.into());
        all.snis.insert(id, sni.into());
    }
    let default = root.sign("default.test");
    let (entities, service) = entities(&own, &root.pem, json!({}));
    let (upstream, _) = UpstreamTls::new(&entities, UpstreamDefaults::default());
    let client = upstream.client(&wanted(&service)).unwrap();
    let shown = async |all: &Entities, name: &str| {
        let (names, _) = Names::new(all, vec![default.pair()]);
        let server = Server::new(names, &ServerOptions::default());
        let fresh = Handshake { disable_session_reuse: true, ..Handshake::default() };
        let (near, _) = shake(&client.config, &server, fresh, name).await.unwrap();
        let leaf = near.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let named = |name: &str| leaf.windows(name.len()).any(|bytes| bytes == name.as_bytes());
        (0..4).find(|number| named(&format!("certificate{number}.test")))
    };
    for (name, expected) in [
        ("exact.a.test", Some(0)),
        ("EXACT.A.test", Some(0)),
        ("other.a.test", Some(1)),
        ("deep.other.a.test", None),
        ("b.test", Some(2)),
        ("b.b.test", None),
        ("upper.test", Some(3)),
        ("127.0.0.1", None),
    ] {
        assert_eq!(shown(&all, name).await, expected, "{name}");
    }
    let any = Id::from_u128(20);
    let sni = json!({"id": any, "created_at": 0, "updated_at": 0, "name": "*", "certificate": {"id": Id::from_u128(12)}});
    let sni: polygate_model::Sni = serde_json::from_value(sni).unwrap();
    all.snis.insert(any, sni.into());
    assert_eq!(shown(&all, "deep.other.a.test").await, Some(2));
    assert_eq!(shown(&all, "127.0.0.1").await, None, "without a name it is the default");
}
