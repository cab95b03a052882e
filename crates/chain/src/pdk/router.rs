//! `kong.router`: what routing found.

use crate::pdk::PdkResult;
use crate::{Exchange, Value};

pub fn get_route(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.session.route().map(crate::context::entity).into())
}

/// Nil if the route has no service.
pub fn get_service(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.session.service().map(crate::context::entity).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture;

    #[test]
    fn entities_leave_out_what_is_unset() {
        let context = &mut fixture::context("GET", "/", &[]);
        assert_eq!(get_route(context, &[]), Ok(Value::Nil));
        assert_eq!(get_service(context, &[]), Ok(Value::Nil));
        let context = &mut fixture::routed("/");
        let route = get_route(context, &[]).unwrap().to_json();
        assert_eq!(route["paths"], serde_json::json!(["/api"]));
        assert!(route.get("hosts").is_none(), "{route}");
        assert_eq!(get_service(context, &[]).unwrap().get("host"), &Value::from("service.test"));
    }
}
