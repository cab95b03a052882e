//! The formats by name.

use polygate_http1::Headers;
use serde::Deserialize;

use super::context::{Extracted, Outgoing};
use super::{aws, b3, datadog, gcp, jaeger, ot, w3c};

/// A way to write a trace into headers.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    W3c,
    B3,
    B3Single,
    Jaeger,
    Ot,
    Datadog,
    Aws,
    Gcp,
}

impl Format {
    /// As configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::W3c => "w3c",
            Self::B3 | Self::B3Single => "b3",
            Self::Jaeger => "jaeger",
            Self::Ot => "ot",
            Self::Datadog => "datadog",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }

    pub fn extract(self, headers: &Headers) -> Option<Extracted> {
        match self {
            Self::W3c => w3c::extract(headers),
            Self::B3 | Self::B3Single => b3::extract(headers),
            Self::Jaeger => jaeger::extract(headers),
            Self::Ot => ot::extract(headers),
            Self::Datadog => datadog::extract(headers),
            Self::Aws => aws::extract(headers),
            Self::Gcp => gcp::extract(headers),
        }
    }

    /// Answers the id of the trace as the format writes it.
    pub fn inject(self, trace: &Outgoing, headers: &mut Headers) -> String {
        match self {
            Self::W3c => w3c::inject(trace, headers),
            Self::B3 => b3::inject(trace, headers),
            Self::B3Single => b3::inject_single(trace, headers),
            Self::Jaeger => jaeger::inject(trace, headers),
            Self::Ot => ot::inject(trace, headers),
            Self::Datadog => datadog::inject(trace, headers),
            Self::Aws => aws::inject(trace, headers),
            Self::Gcp => gcp::inject(trace, headers),
        }
    }
}
