//! `kong.ctx.shared`: one table per request, the same for all plugins of all languages.

use crate::pdk::{PdkResult, args};
use crate::{Exchange, Value};

/// Nil also for what can be no key.
pub fn get(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let value = args::key(args, 0).ok().and_then(|key| context.session.shared.get(&*key));
    Ok(value.cloned().into())
}

/// A nil value removes the key.
pub fn set(context: &mut Exchange, args: &[Value]) -> PdkResult {
    super::store(&mut context.session.shared, &args::key(args, 0)?, args::at(args, 1));
    Ok(Value::Nil)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, thrown};

    #[test]
    fn nil_removes() {
        let context = &mut fixture::context("GET", "/", &[]);
        assert_eq!(get(context, &["k".into()]), Ok(Value::Nil));
        set(context, &["k".into(), false.into()]).unwrap();
        assert_eq!(get(context, &["k".into()]), Ok(Value::Bool(false)));
        set(context, &["k".into()]).unwrap();
        assert!(context.session.shared.is_empty());
        assert_eq!(get(context, &[]), Ok(Value::Nil));
        assert_eq!(set(context, &[]), thrown("key must be a string"));
    }

    #[test]
    fn keys_may_be_numbers() {
        let context = &mut fixture::context("GET", "/", &[]);
        set(context, &[Value::Int(5), "v".into()]).unwrap();
        assert_eq!(get(context, &[Value::Float(5.0)]), Ok("v".into()));
        assert_eq!(get(context, &[Value::Float(0.5)]), Ok(Value::Nil));
    }
}
