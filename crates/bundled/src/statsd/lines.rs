//! The lines of one request or stream.

use polygate_chain::pdk::node;
use polygate_model::entities::DEFAULT_WORKSPACE;
use serde::Deserialize;

use crate::metrics::{ConsumerBy, Kind, Measured, line, without_dots};

/// What a request or a stream is counted as.
pub struct Lines {
    pub prefix: String,
    pub host_in_prefix: bool,
    pub metrics: Vec<Metric>,
    /// Of the statuses that are counted; empty for all.
    pub statuses: Vec<(u16, u16)>,
    pub consumer_by: ConsumerBy,
    pub service_by: ServiceBy,
    pub workspace_by: WorkspaceBy,
    pub tags: Option<TagStyle>,
}

#[derive(Deserialize)]
pub struct Metric {
    name: Name,
    stat_type: Kind,
    sample_rate: Option<f64>,
    consumer_identifier: Option<ConsumerBy>,
    service_identifier: Option<ServiceBy>,
    workspace_identifier: Option<WorkspaceBy>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Name {
    KongLatency,
    Latency,
    RequestCount,
    RequestPerUser,
    RequestSize,
    ResponseSize,
    StatusCount,
    StatusCountPerUser,
    UniqueUsers,
    UpstreamLatency,
    StatusCountPerWorkspace,
    StatusCountPerUserPerRoute,
    ShdictUsage,
}

#[derive(Deserialize, Clone, Copy)]
pub enum ServiceBy {
    #[serde(rename = "service_id")]
    Id,
    #[serde(rename = "service_name")]
    Name,
    #[serde(rename = "service_host")]
    Host,
    #[serde(rename = "service_name_or_host")]
    NameOrHost,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceBy {
    WorkspaceId,
    WorkspaceName,
}

/// How tags are written.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub enum TagStyle {
    Dogstatsd,
    Influxdb,
    Librato,
    Signalfx,
}

impl Lines {
    pub fn of(&self, measured: &Measured) -> Vec<String> {
        self.metrics.iter().filter_map(|metric| self.line(metric, measured)).collect()
    }

    /// `None` for what the request does not have.
    fn line(&self, metric: &Metric, measured: &Measured) -> Option<String> {
        let value = match metric.name {
            Name::KongLatency => measured.kong_latency.to_string(),
            Name::Latency => measured.latency.to_string(),
            Name::UpstreamLatency => measured.upstream_latency?.to_string(),
            Name::RequestSize => measured.request_size.to_string(),
            Name::ResponseSize => measured.response_size.to_string(),
            Name::UniqueUsers => self.consumer(metric, measured)?,
            Name::ShdictUsage => return None,
            _ => "1".to_owned(),
        };
        if let Some(style) = self.tags {
            let name = format!("{}{}", self.prefix(measured), plain_name(metric.name)?);
            return Some(style.line(&name, &value, metric, &self.tags(metric, measured)));
        }
        let status = measured.status;
        let is_counted = self.statuses.is_empty()
            || self.statuses.iter().any(|(low, high)| (*low..=*high).contains(&status));
        let own = match metric.name {
            Name::StatusCount if is_counted => format!("status.{status}"),
            Name::StatusCount => return None,
            Name::UniqueUsers => "user.uniques".to_owned(),
            Name::RequestPerUser => format!("user.{}.request.count", self.consumer(metric, measured)?),
            Name::StatusCountPerUser => format!("user.{}.status.{status}", self.consumer(metric, measured)?),
            Name::StatusCountPerWorkspace => format!("workspace.{}.status.{status}", self.workspace(metric)),
            Name::StatusCountPerUserPerRoute => {
                let (route, user) = (measured.session.route()?.id, self.consumer(metric, measured)?);
                let name = format!("{}route.{route}.user.{user}.status.{status}", self.prefix(measured));
                return Some(line(&name, &value, metric.stat_type, metric.sample_rate));
            }
            name => plain_name(name)?.to_owned(),
        };
        let place = match self.service(metric, measured) {
            Some(service) => format!("service.{service}"),
            None => "global.unmatched".to_owned(),
        };
        let name = format!("{}{place}.{own}", self.prefix(measured));
        Some(line(&name, &value, metric.stat_type, metric.sample_rate))
    }

    fn prefix(&self, measured: &Measured) -> String {
        match self.host_in_prefix {
            true => format!("{}.{}.", self.prefix, without_dots(node::get_hostname(measured.session))),
            false => format!("{}.", self.prefix),
        }
    }

    fn consumer(&self, metric: &Metric, measured: &Measured) -> Option<String> {
        measured.consumer(metric.consumer_identifier.unwrap_or(self.consumer_by))
    }

    fn service(&self, metric: &Metric, measured: &Measured) -> Option<String> {
        let service = measured.session.service()?;
        let name = match metric.service_identifier.unwrap_or(self.service_by) {
            ServiceBy::Id => service.id.to_string(),
            ServiceBy::Name => service.name.clone()?,
            ServiceBy::Host => service.host.clone(),
            ServiceBy::NameOrHost => service.name.clone().unwrap_or_else(|| service.host.clone()),
        };
        Some(without_dots(&name))
    }

    fn workspace(&self, metric: &Metric) -> String {
        match metric.workspace_identifier.unwrap_or(self.workspace_by) {
            WorkspaceBy::WorkspaceId => DEFAULT_WORKSPACE.to_string(),
            WorkspaceBy::WorkspaceName => "default".to_owned(),
        }
    }

    fn tags(&self, metric: &Metric, measured: &Measured) -> Vec<(&'static str, String)> {
        let route =
            measured.session.route().map(|route| route.name.clone().unwrap_or_else(|| route.id.to_string()));
        let tags = [
            ("service", self.service(metric, measured)),
            ("route", route.map(|name| without_dots(&name))),
            ("workspace", Some(self.workspace(metric))),
            ("consumer", self.consumer(metric, measured)),
            ("node", Some(node::get_hostname(measured.session).to_owned())),
            ("status", Some(measured.status.to_string())),
        ];
        tags.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Of those that say nothing of users or statuses.
fn plain_name(name: Name) -> Option<&'static str> {
    Some(match name {
        Name::KongLatency => "kong_latency",
        Name::Latency => "latency",
        Name::RequestCount => "request.count",
        Name::RequestSize => "request.size",
        Name::ResponseSize => "response.size",
        Name::UpstreamLatency => "upstream_latency",
        _ => return None,
    })
}

impl TagStyle {
    fn line(self, name: &str, value: &str, metric: &Metric, tags: &[(&str, String)]) -> String {
        let (kind, rate): (Kind, _) = (metric.stat_type, metric.sample_rate);
        let joined = |between: &str| {
            tags.iter().map(|(name, value)| format!("{name}{between}{value}")).collect::<Vec<_>>().join(",")
        };
        match self {
            Self::Dogstatsd => format!("{}|#{}", line(name, value, kind, rate), joined(":")),
            Self::Influxdb => line(&format!("{name},{}", joined("=")), value, kind, rate),
            Self::Librato => line(&format!("{name}#{}", joined("=")), value, kind, rate),
            Self::Signalfx => line(&format!("{name}[{}]", joined("=")), value, kind, rate),
        }
    }
}
