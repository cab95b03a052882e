//! `kong.router`: what routing found.

use std::sync::Arc;

use polygate_model::{Route, Service, Written};

use crate::Session;

pub fn get_route(session: &Session) -> Option<&Arc<Written<Route>>> {
    session.route()
}

/// `None` if the route has no service.
pub fn get_service(session: &Session) -> Option<&Arc<Written<Service>>> {
    session.service()
}

#[cfg(test)]
mod tests {
    use crate::Value;
    use crate::pdk::fixture::{self, call};

    #[test]
    fn entities_leave_out_what_is_unset() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        assert_eq!(call(exchange, "kong.router.get_route", &[]), Ok(Value::Nil));
        assert_eq!(call(exchange, "kong.router.get_service", &[]), Ok(Value::Nil));
        let exchange = &mut fixture::routed("/");
        let route = call(exchange, "kong.router.get_route", &[]).unwrap().to_json();
        assert_eq!(route["paths"], serde_json::json!(["/api"]));
        assert!(route.get("hosts").is_none(), "{route}");
        assert_eq!(
            call(exchange, "kong.router.get_service", &[]).unwrap().get("host"),
            &Value::from("service.test")
        );
    }
}
