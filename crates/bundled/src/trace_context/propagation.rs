//! Which formats a configuration reads and writes.

use polygate_http1::Headers;
use serde::Deserialize;

use super::context::{Extracted, Outgoing};
use super::format::Format;

/// The members of configurations about it.
#[derive(Deserialize, Debug)]
pub struct Options {
    #[serde(default)]
    propagation: Given,
    header_type: Option<Older>,
    default_header_type: Option<Format>,
}

#[derive(Deserialize, Debug, Default)]
struct Given {
    extract: Option<Vec<Format>>,
    clear: Option<Vec<String>>,
    inject: Option<Vec<Inject>>,
    default_format: Option<Format>,
}

#[derive(Deserialize, Debug, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Inject {
    Preserve,
    #[serde(untagged)]
    Format(Format),
}

#[derive(Deserialize, Debug, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Older {
    Preserve,
    Ignore,
    #[serde(untagged)]
    Format(Format),
}

/// The order in which the older options look for a trace.
const ALL: [Format; 7] =
    [Format::B3, Format::W3c, Format::Jaeger, Format::Ot, Format::Datadog, Format::Aws, Format::Gcp];

/// What one configuration takes over and hands on.
#[derive(Debug)]
pub struct Propagation {
    extract: Vec<Format>,
    clear: Vec<String>,
    inject: Vec<Inject>,
    default: Format,
}

/// The ids of a trace as formats write them, by name of the format.
pub type Injected = Vec<(&'static str, String)>;

impl From<Options> for Propagation {
    /// The older options count where none but `default_format` of the newer ones is set.
    fn from(options: Options) -> Self {
        let Given { extract, clear, inject, default_format } = options.propagation;
        let default = default_format.unwrap_or(Format::W3c);
        if extract.is_some() || clear.is_some() || inject.is_some() {
            let (extract, clear) = (extract.unwrap_or_default(), clear.unwrap_or_default());
            return Self { extract, clear, inject: inject.unwrap_or_default(), default };
        }
        let default = options.default_header_type.unwrap_or(default);
        let (extract, inject) = match options.header_type {
            None => (Vec::new(), Vec::new()),
            Some(Older::Preserve) => (ALL.to_vec(), vec![Inject::Preserve]),
            Some(Older::Ignore) => (Vec::new(), vec![Inject::Format(default)]),
            Some(Older::Format(format)) => (ALL.to_vec(), vec![Inject::Preserve, Inject::Format(format)]),
        };
        Self { extract, clear: Vec::new(), inject, default }
    }
}

impl Propagation {
    /// What the first format says that the request has, and which that was.
    pub fn extract(&self, headers: &Headers) -> (Extracted, Option<Format>) {
        let found = self.extract.iter().find_map(|format| Some((format.extract(headers)?, *format)));
        match found {
            Some((extracted, Format::B3)) if extracted.is_single => (extracted, Some(Format::B3Single)),
            Some((extracted, format)) => (extracted, Some(format)),
            None => (Extracted::default(), None),
        }
    }

    /// `found` is the format of the request, which `preserve` stands for.
    pub fn inject(&self, trace: &Outgoing, found: Option<Format>, headers: &mut Headers) -> Injected {
        for name in &self.clear {
            headers.remove(name);
        }
        let formats = self.inject.iter().map(|inject| match inject {
            Inject::Preserve => found.unwrap_or(self.default),
            Inject::Format(format) => *format,
        });
        formats.map(|format| (format.name(), format.inject(trace, headers))).collect()
    }
}
