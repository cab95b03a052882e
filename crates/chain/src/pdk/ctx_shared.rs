//! `kong.ctx.shared`: one table per request, the same for all plugins of all languages.

use std::borrow::Cow;

use indexmap::IndexMap;

use crate::{Session, Value};

/// `None` also for what can be no key.
pub fn get<'a>(session: &'a Session, key: Option<Cow<'_, str>>) -> Option<&'a Value> {
    session.shared.get(&*key?)
}

/// A nil value removes the key.
pub fn set(session: &mut Session, key: Cow<'_, str>, value: &Value) {
    store(&mut session.shared, key, value);
}

/// Keeps `value` under `key`; a nil removes the key.
pub(super) fn store(table: &mut IndexMap<String, Value>, key: Cow<'_, str>, value: &Value) {
    if value.is_nil() {
        table.shift_remove(&*key);
    } else {
        table.insert(key.into_owned(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, call, thrown};

    #[test]
    fn nil_removes() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        assert_eq!(call(exchange, "kong.ctx.shared.get", &["k".into()]), Ok(Value::Nil));
        call(exchange, "kong.ctx.shared.set", &["k".into(), false.into()]).unwrap();
        assert_eq!(call(exchange, "kong.ctx.shared.get", &["k".into()]), Ok(Value::Bool(false)));
        call(exchange, "kong.ctx.shared.set", &["k".into()]).unwrap();
        assert!(exchange.session.shared.is_empty());
        assert_eq!(call(exchange, "kong.ctx.shared.get", &[]), Ok(Value::Nil));
        assert_eq!(call(exchange, "kong.ctx.shared.set", &[]), thrown("key must be a string"));
    }

    #[test]
    fn keys_may_be_numbers() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        call(exchange, "kong.ctx.shared.set", &[Value::Int(5), "v".into()]).unwrap();
        assert_eq!(call(exchange, "kong.ctx.shared.get", &[Value::Float(5.0)]), Ok("v".into()));
        assert_eq!(call(exchange, "kong.ctx.shared.get", &[Value::Float(0.5)]), Ok(Value::Nil));
    }
}
