use polygate_model::Protocol;

use super::*;
use crate::fixture::{route, strings};

fn stream_route(number: u128) -> Route {
    Route { protocols: vec![Protocol::Tcp, Protocol::Tls], ..route(number) }
}

fn endpoint(ip: Option<&str>, port: Option<u16>) -> Endpoint {
    Endpoint { ip: ip.map(str::to_owned), port }
}

fn select(router: &StreamRouter, sni: Option<&str>, source: &str, destination: &str) -> Option<u128> {
    let query = StreamQuery {
        kind: if sni.is_some() { StreamKind::Tls } else { StreamKind::Tcp },
        sni,
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    };
    router.select(&query).map(|found| found.route.id.as_u128())
}

#[test]
fn addresses_and_names_decide() {
    let routes = [
        Route { destinations: Some(vec![endpoint(None, Some(9000))]), ..stream_route(1) },
        Route { snis: strings(&["*.a.com", "b.com."]), ..stream_route(2) },
        Route { sources: Some(vec![endpoint(Some("10.0.0.0/8"), None)]), ..stream_route(3) },
        Route { paths: strings(&["/"]), ..route(4) },
    ];
    let routes = routes.map(|route| (Arc::new(route.into()), None));
    let router = StreamRouter::build(&routes).unwrap();
    // A plain connection is not held against `snis`, which rank first.
    assert_eq!(select(&router, None, "1.1.1.1:1", "2.2.2.2:9000"), Some(2));
    assert_eq!(select(&router, Some("x.a.com"), "1.1.1.1:1", "2.2.2.2:9000"), Some(2));
    assert_eq!(select(&router, Some("b.com"), "1.1.1.1:1", "2.2.2.2:1"), Some(2));
    assert_eq!(select(&router, Some("c.com"), "1.1.1.1:1", "2.2.2.2:9000"), Some(1));
    assert_eq!(select(&router, Some("c.com"), "[::ffff:10.1.1.1]:1", "2.2.2.2:1"), Some(3));
    assert_eq!(select(&router, Some("c.com"), "1.1.1.1:1", "2.2.2.2:1"), None);
}

#[test]
fn a_route_takes_what_its_protocols_name() {
    use Protocol::{Tcp, Tls, TlsPassthrough, Udp};
    for (protocols, kinds) in [
        (vec![Tcp], vec![StreamKind::Tcp]),
        (vec![Tls], vec![StreamKind::Tls]),
        (vec![TlsPassthrough], vec![StreamKind::Tls]),
        (vec![Udp], vec![StreamKind::Udp]),
        (vec![Udp, Tcp, Tls], vec![StreamKind::Tcp, StreamKind::Tls, StreamKind::Udp]),
    ] {
        let route = Route { protocols: protocols.clone(), ..stream_route(1) };
        let router = StreamRouter::build(&[(Arc::new(route.into()), None)]).unwrap();
        let any = "1.1.1.1:1".parse().unwrap();
        let query = |kind| StreamQuery { kind, sni: None, source: any, destination: any };
        let all = [StreamKind::Tcp, StreamKind::Tls, StreamKind::Udp];
        let taken: Vec<_> = all.into_iter().filter(|kind| router.select(&query(*kind)).is_some()).collect();
        assert_eq!(taken, kinds, "{protocols:?}");
    }
}

#[test]
fn a_bad_address_is_named() {
    let bad = Route { sources: Some(vec![endpoint(Some("10.0.0"), None)]), ..stream_route(1) };
    let error = StreamRouter::build(&[(Arc::new(bad.into()), None)]).unwrap_err();
    let expected = "route 00000000-0000-0000-0000-000000000001: sources: '10.0.0' is no ip address or range, \
                    write it as 10.0.0.1 or 10.0.0.0/8";
    assert_eq!(error.to_string(), expected);
}
