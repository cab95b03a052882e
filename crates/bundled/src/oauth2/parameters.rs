//! What a request says, in its query and in its body.

use http::Method;
use polygate_chain::pdk::request;
use polygate_chain::{Exchange, Value};

/// Members of the body come before arguments of the query.
pub struct Parameters {
    query: Value,
    body: Value,
}

impl Parameters {
    pub async fn read(exchange: &mut Exchange) -> Self {
        let mut body = Value::Nil;
        if matches!(exchange.request.method, Method::POST | Method::PUT | Method::PATCH) {
            // One that breaks off says nothing; whoever waits for the rest tells why.
            let _ = exchange.request_body.read().await;
            body = request::get_body(exchange, None, None, None).unwrap_or_default();
        }
        Self { query: request::get_query(exchange, None), body }
    }

    #[cfg(test)]
    pub fn of(body: Value) -> Self {
        Self { query: Value::Nil, body }
    }

    /// Nil if it is not there.
    pub fn get(&self, name: &str) -> &Value {
        match self.body.get(name) {
            Value::Nil => self.query.get(name),
            value => value,
        }
    }

    /// Unless it is there twice, or is no text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str()
    }
}
