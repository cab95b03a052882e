//! What consistent hashing asks of a request.

use polygate_balancer::HashSource;
use polygate_chain::Exchange;
use polygate_chain::exchange::Authenticated;
use polygate_model::path;

/// A request as it is hashed.
pub struct RequestHash<'c>(pub &'c Exchange);

impl HashSource for RequestHash<'_> {
    fn consumer(&self) -> Option<String> {
        let consumer = self.0.consumer.as_ref().and_then(|consumer| match consumer {
            Authenticated::Known(consumer) => Some(consumer.id.to_string()),
            Authenticated::Given(consumer) => consumer.get("id").as_str().map(str::to_owned),
        });
        consumer.or_else(|| Some(self.0.credential.as_ref()?.id()?.into_owned()))
    }

    fn ip(&self) -> Option<String> {
        Some(self.0.session.client.ip().to_string())
    }

    fn header(&self, name: &str) -> Option<String> {
        let values = self.0.request.headers.get_all(name);
        let text: String = values.map(String::from_utf8_lossy).collect();
        (!text.is_empty()).then_some(text)
    }

    fn cookie(&self, name: &str) -> Option<String> {
        let lines = self.0.request.headers.get_all("Cookie");
        lines.filter_map(|line| str::from_utf8(line).ok()).flat_map(|line| line.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    }

    fn path(&self) -> Option<String> {
        Some(self.0.request.path.clone())
    }

    fn query_arg(&self, name: &str) -> Vec<String> {
        let query = self.0.request.query.as_deref().unwrap_or_default();
        query
            .split(|&byte| byte == b'&')
            .filter_map(|pair| {
                let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
                let (key, value) = (&pair[..end], pair.get(end + 1..).unwrap_or_default());
                (path::normalize(key) == name).then(|| path::normalize(value).into_owned())
            })
            .collect()
    }

    fn uri_capture(&self, name: &str) -> Option<String> {
        let captures = &self.0.session.matched.as_ref()?.captures;
        match name.parse::<usize>() {
            Ok(index) => captures.unnamed.get(index).cloned().flatten(),
            Err(_) => captures.named.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
        }
    }

    fn new_uuid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}
