//! Routes for tests.

use polygate_model::{Id, Protocol, Route, entities::DEFAULT_WORKSPACE};

/// An HTTP route without any condition, its id made from `number`.
pub fn route(number: u128) -> Route {
    Route {
        id: Id::from_u128(number),
        created_at: 0,
        updated_at: 0,
        name: None,
        protocols: vec![Protocol::Http, Protocol::Https],
        methods: None,
        hosts: None,
        paths: None,
        headers: None,
        https_redirect_status_code: 426,
        regex_priority: 0,
        strip_path: true,
        path_handling: "v0".into(),
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        snis: None,
        sources: None,
        destinations: None,
        tags: None,
        service: None,
        ws_id: DEFAULT_WORKSPACE,
    }
}

pub fn strings(list: &[&str]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.iter().map(|text| (*text).to_owned()).collect())
}
