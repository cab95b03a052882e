use std::collections::BTreeMap;

use super::*;
use crate::fixture::{route, strings};

fn priorities(route: &Route) -> Vec<u64> {
    path_groups(route).iter().map(|group| http_priority(route, group)).collect()
}

#[test]
fn each_part_of_the_number_has_its_place() {
    assert_eq!(priorities(&route(1)), [0]);
    let mut all = route(1);
    all.methods = strings(&["GET"]);
    all.snis = strings(&["a.com"]);
    all.hosts = strings(&["a.com"]);
    all.paths = strings(&["/abc"]);
    all.headers = Some(BTreeMap::from([("x-a".into(), vec![]), ("x-b".into(), vec![])]));
    assert_eq!(priorities(&all), [5 << 61 | 1 << 60 | 2 << 52 | 4]);
    all.hosts = strings(&["a.com", "*.b.com"]);
    assert_eq!(priorities(&all), [5 << 61 | 2 << 52 | 4]);
    all.paths = strings(&["~/abc"]);
    all.regex_priority = 7;
    assert_eq!(priorities(&all), [5 << 61 | 2 << 52 | 1 << 51 | 7 << 19]);
    all.headers = Some((0..300).map(|number| (number.to_string(), vec![])).collect());
    assert_eq!(priorities(&all), [5 << 61 | 255 << 52 | 1 << 51 | 7 << 19]);
}

#[test]
fn paths_are_grouped_by_length_and_kind() {
    let mut mixed = route(0x1234);
    mixed.paths = strings(&["/ab", "~/x", "/cd", "/abc", "~/y"]);
    let groups = path_groups(&mixed);
    let paths: Vec<_> = groups.iter().map(|group| group.paths.clone()).collect();
    assert_eq!(paths, [vec!["/ab", "/cd"], vec!["~/x", "~/y"], vec!["/abc"]]);
    let expected = Id::new_v5(&SUB_ROUTE_NAMESPACE, b"00000000-0000-0000-0000-000000001234#2");
    assert_eq!(groups[1].id, expected);
}

#[test]
fn a_single_group_keeps_the_id_of_the_route() {
    let mut one = route(5);
    one.paths = strings(&["/ab", "/cd"]);
    assert_eq!(path_groups(&one)[0].id, one.id);
    one.paths = None;
    assert_eq!(path_groups(&one), [PathGroup { id: one.id, paths: vec![] }]);
}

#[test]
fn stream_routes_rank_by_name_then_exactness() {
    let endpoint = |ip: Option<&str>, port| Endpoint { ip: ip.map(str::to_owned), port };
    let mut stream = route(1);
    stream.sources = Some(vec![endpoint(Some("10.0.0.0/8"), None), endpoint(None, Some(80))]);
    assert_eq!(stream_priority(&stream), 5 << 4);
    stream.destinations = Some(vec![endpoint(Some("10.0.0.1"), Some(80))]);
    assert_eq!(stream_priority(&stream), 1 << 61 | 5 << 4 | 12);
    stream.sources = None;
    assert_eq!(stream_priority(&stream), 12);
    stream.snis = strings(&["a.com"]);
    assert_eq!(stream_priority(&stream), 1 << 61 | 12);
}
