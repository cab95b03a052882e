//! `kong.ctx.shared`: one table per request, the same for all plugins of all languages.

use crate::pdk::{PdkResult, args};
use crate::{RequestContext, Value};

pub fn get(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    Ok(context.shared.get(args::text(args, 0, "key")?).cloned().into())
}

/// A nil value removes the key.
pub fn set(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    super::store(&mut context.shared, args::text(args, 0, "key")?, args::at(args, 1));
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
        assert!(context.shared.is_empty());
        assert_eq!(get(context, &[]), thrown("key must be a string"));
    }
}
