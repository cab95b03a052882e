// Written from protocol/pdk.toml by `cargo run -q -p xtask -- generate`; do not edit.

use super::Effect;
use crate::{Phase, Phases};

/// A function that plugins can call, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `kong.client.get_ip`: The address of the TCP peer, which is that of a load balancer if there is one.
    ClientGetIp,
    /// `kong.client.get_forwarded_ip`: The client's address after trusted proxies were looked through.
    ClientGetForwardedIp,
    /// `kong.client.get_port`: The port of the TCP peer.
    ClientGetPort,
    /// `kong.client.get_forwarded_port`: The client's port after trusted proxies were looked through.
    ClientGetForwardedPort,
    /// `kong.client.get_credential`: The credential that authentication set on the request.
    ClientGetCredential,
    /// `kong.client.load_consumer`: Looks a consumer up by id and, if asked to, by username.
    ClientLoadConsumer,
    /// `kong.client.get_consumer`: The consumer that authentication set on the request.
    ClientGetConsumer,
    /// `kong.client.authenticate`: Sets the request's consumer and credential; nil clears one of them, and at least one must be given.
    ClientAuthenticate,
    /// `kong.client.get_protocol`: The protocol of the matched route, told from the connection when the route has several.
    ClientGetProtocol,
    /// `kong.client.tls.request_client_certificate`: Asks the client for a certificate in the handshake.
    ClientTlsRequestClientCertificate,
    /// `kong.client.tls.disable_session_reuse`: Gives this connection no session ticket and no session id.
    ClientTlsDisableSessionReuse,
    /// `kong.client.tls.get_full_client_certificate_chain`: The client's certificate chain in PEM.
    ClientTlsGetFullClientCertificateChain,
    /// `kong.client.tls.set_client_verify`: Overrides the result of the client's verification in the log: `SUCCESS`, `NONE` or `FAILED:` and a reason.
    ClientTlsSetClientVerify,
    /// `kong.ctx.shared.get`: Reads the request's table that all plugins share.
    CtxSharedGet,
    /// `kong.ctx.shared.set`: Writes to the request's table that all plugins share; nil removes the key.
    CtxSharedSet,
    /// `kong.ip.is_trusted`: Whether an address is one of `trusted_ips`.
    IpIsTrusted,
    /// `kong.plugin.get_id`: The id of the plugin configuration that is running.
    PluginGetId,
    /// `kong.cluster.get_id`: The id of the cluster, if it has one.
    ClusterGetId,
    /// `kong.node.get_id`: The id of this node.
    NodeGetId,
    /// `kong.node.get_hostname`: The host name of this node, empty when it has none.
    NodeGetHostname,
    /// `kong.node.get_memory_stats`: The memory of the shared dictionaries and the workers, in bytes or as text in the given unit.
    NodeGetMemoryStats,
    /// `kong.log`: Writes its arguments to the error log at level notice.
    Log,
    /// `kong.log.emerg`: Writes its arguments to the error log at level emerg.
    LogEmerg,
    /// `kong.log.alert`: Writes its arguments to the error log at level alert.
    LogAlert,
    /// `kong.log.crit`: Writes its arguments to the error log at level crit.
    LogCrit,
    /// `kong.log.err`: Writes its arguments to the error log at level error.
    LogErr,
    /// `kong.log.warn`: Writes its arguments to the error log at level warn.
    LogWarn,
    /// `kong.log.notice`: Writes its arguments to the error log at level notice.
    LogNotice,
    /// `kong.log.info`: Writes its arguments to the error log at level info.
    LogInfo,
    /// `kong.log.debug`: Writes its arguments to the error log at level debug.
    LogDebug,
    /// `kong.log.inspect`: Writes its arguments, formatted for reading and set apart by blanks, at level notice.
    LogInspect,
    /// `kong.log.deprecation`: Warns that something is deprecated; a table in the last place may say `after` and `removal`.
    LogDeprecation,
    /// `kong.log.serialize`: The access record of the request as JSON text.
    LogSerialize,
    /// `kong.log.set_serialize_value`: Sets, adds or replaces one member of the access record; dots in the key walk into objects.
    LogSetSerializeValue,
    /// `kong.telemetry.log`: Emits an OpenTelemetry log record.
    TelemetryLog,
    /// `kong.nginx.get_var`: The value of an nginx variable.
    NginxGetVar,
    /// `kong.nginx.get_tls1_version_str`: The TLS version of the client's connection, such as `TLSv1.3`.
    NginxGetTls1VersionStr,
    /// `kong.nginx.get_ctx`: Reads the request's internal context, timings among it.
    NginxGetCtx,
    /// `kong.nginx.set_ctx`: Writes to the request's internal context.
    NginxSetCtx,
    /// `kong.nginx.req_start_time`: When the request began, in Unix seconds with a fraction.
    NginxReqStartTime,
    /// `kong.nginx.get_subsystem`: Whether the plugin runs for `http` or for `stream`.
    NginxGetSubsystem,
    /// `kong.nginx.get_statistics`: Counts of connections and requests of this node.
    NginxGetStatistics,
    /// `kong.request.get_scheme`: The scheme of the client's connection, `http` or `https`.
    RequestGetScheme,
    /// `kong.request.get_host`: The host that was asked for, in lower case and without a port.
    RequestGetHost,
    /// `kong.request.get_port`: The port on which the request arrived.
    RequestGetPort,
    /// `kong.request.get_forwarded_scheme`: The scheme that a trusted proxy reports, else that of the connection.
    RequestGetForwardedScheme,
    /// `kong.request.get_forwarded_host`: The host that a trusted proxy reports, else the one that was asked for.
    RequestGetForwardedHost,
    /// `kong.request.get_forwarded_port`: The port that a trusted proxy reports, else the one on which the request arrived.
    RequestGetForwardedPort,
    /// `kong.request.get_forwarded_path`: The path that a trusted proxy reports, else that of the request.
    RequestGetForwardedPath,
    /// `kong.request.get_forwarded_prefix`: The path prefix that a trusted proxy reports, else the one the router stripped.
    RequestGetForwardedPrefix,
    /// `kong.request.get_http_version`: The version of HTTP: 1, 1.1, 2 or 3.
    RequestGetHttpVersion,
    /// `kong.request.get_method`: The method in upper case, as changed by plugins.
    RequestGetMethod,
    /// `kong.request.get_path`: The normalised path without the query.
    RequestGetPath,
    /// `kong.request.get_raw_path`: The path as received, without the query.
    RequestGetRawPath,
    /// `kong.request.get_path_with_query`: The path and query as received.
    RequestGetPathWithQuery,
    /// `kong.request.get_raw_query`: The query without its question mark, as changed by plugins.
    RequestGetRawQuery,
    /// `kong.request.get_query_arg`: The first query argument of a name; true when it has no value.
    RequestGetQueryArg,
    /// `kong.request.get_query`: The decoded query arguments, 100 of them unless told otherwise.
    RequestGetQuery,
    /// `kong.request.get_header`: The first request header of a name.
    RequestGetHeader,
    /// `kong.request.get_headers`: The request headers by lower-case name, 100 of them unless told otherwise.
    RequestGetHeaders,
    /// `kong.request.get_raw_body`: The whole request body.
    RequestGetRawBody,
    /// `kong.request.get_body`: The request body parsed as a form, JSON or multipart.
    RequestGetBody,
    /// `kong.request.get_start_time`: When the request began, in Unix milliseconds.
    RequestGetStartTime,
    /// `kong.request.get_uri_captures`: What the groups of the route's regex path matched, `named` and `unnamed`.
    RequestGetUriCaptures,
    /// `kong.response.get_status`: The status that is sent to the client.
    ResponseGetStatus,
    /// `kong.response.get_header`: The first response header of a name.
    ResponseGetHeader,
    /// `kong.response.get_headers`: The response headers by lower-case name, 100 of them unless told otherwise.
    ResponseGetHeaders,
    /// `kong.response.get_source`: Who made the response: `service`, `exit` or `error`.
    ResponseGetSource,
    /// `kong.response.set_status`: Sets the status that is sent to the client.
    ResponseSetStatus,
    /// `kong.response.set_header`: Sets a response header in place of those of that name.
    ResponseSetHeader,
    /// `kong.response.add_header`: Adds a response header to those of that name.
    ResponseAddHeader,
    /// `kong.response.clear_header`: Removes the response headers of a name.
    ResponseClearHeader,
    /// `kong.response.set_headers`: Sets several response headers; an empty list clears a name.
    ResponseSetHeaders,
    /// `kong.response.exit`: Ends the request with a response of the plugin's.
    ResponseExit,
    /// `kong.response.error`: Ends the request with an error response in the type that the client accepts.
    ResponseError,
    /// `kong.router.get_route`: The route that the request matched.
    RouterGetRoute,
    /// `kong.router.get_service`: The service of the matched route, if it has one.
    RouterGetService,
    /// `kong.service.set_upstream`: Balances over the targets of the named Upstream.
    ServiceSetUpstream,
    /// `kong.service.set_target`: Connects to this host and port instead of the service's.
    ServiceSetTarget,
    /// `kong.service.set_retries`: Sets how often a failed connection is tried again.
    ServiceSetRetries,
    /// `kong.service.set_timeouts`: Sets the upstream timeouts in milliseconds.
    ServiceSetTimeouts,
    /// `kong.service.set_tls_verify`: Whether to verify the upstream's certificate.
    ServiceSetTlsVerify,
    /// `kong.service.set_tls_verify_depth`: How long the upstream's certificate chain may be.
    ServiceSetTlsVerifyDepth,
    /// `kong.service.request.set_scheme`: Sets the scheme of the upstream connection, `http` or `https`.
    ServiceRequestSetScheme,
    /// `kong.service.request.set_path`: Replaces the upstream path; bytes that a path cannot have are percent-encoded.
    ServiceRequestSetPath,
    /// `kong.service.request.set_raw_query`: Replaces the upstream query by this text, as it is.
    ServiceRequestSetRawQuery,
    /// `kong.service.request.set_method`: Sets the method of the upstream request.
    ServiceRequestSetMethod,
    /// `kong.service.request.set_query`: Replaces the upstream query by these arguments, encoded and sorted.
    ServiceRequestSetQuery,
    /// `kong.service.request.clear_query_arg`: Removes the query arguments of a name and keeps the order of the others.
    ServiceRequestClearQueryArg,
    /// `kong.service.request.set_header`: Sets a header of the upstream request in place of those of that name.
    ServiceRequestSetHeader,
    /// `kong.service.request.add_header`: Adds a header to those of that name in the upstream request.
    ServiceRequestAddHeader,
    /// `kong.service.request.clear_header`: Removes the headers of a name from the upstream request.
    ServiceRequestClearHeader,
    /// `kong.service.request.set_headers`: Sets several headers of the upstream request.
    ServiceRequestSetHeaders,
    /// `kong.service.request.set_raw_body`: Replaces the body of the upstream request and its length.
    ServiceRequestSetRawBody,
    /// `kong.service.request.set_body`: Replaces the body by these arguments, encoded as a form, JSON or multipart.
    ServiceRequestSetBody,
    /// `kong.service.request.enable_buffering`: Buffers the upstream's response, so that its body can be read.
    ServiceRequestEnableBuffering,
    /// `kong.service.request.disable_tls`: Connects to the upstream of a stream without TLS.
    ServiceRequestDisableTls,
    /// `kong.service.request.enable_tls`: Connects to the upstream of a stream with TLS.
    ServiceRequestEnableTls,
    /// `kong.service.response.get_status`: The upstream's status.
    ServiceResponseGetStatus,
    /// `kong.service.response.get_header`: The first header of a name that the upstream sent.
    ServiceResponseGetHeader,
    /// `kong.service.response.get_headers`: The headers that the upstream sent, by lower-case name, 100 of them unless told otherwise.
    ServiceResponseGetHeaders,
    /// `kong.service.response.get_raw_body`: The upstream's whole body, if the response is buffered.
    ServiceResponseGetRawBody,
    /// `kong.service.response.get_body`: The upstream's body parsed as a form, JSON or multipart.
    ServiceResponseGetBody,
    /// `kong.vault.get`: The secret behind a vault reference.
    VaultGet,
    /// `kong.vault.is_reference`: Whether a text is written as a vault reference.
    VaultIsReference,
    /// `kong.vault.parse_reference`: The parts of a vault reference: vault, resource, key, options and version.
    VaultParseReference,
    /// `kong.vault.update`: Returns a table with fresh secrets in place of what its `$refs` name.
    VaultUpdate,
}

/// Sorted by name.
static BY_NAME: [(&str, Function); 107] = [
    ("kong.client.authenticate", Function::ClientAuthenticate),
    ("kong.client.get_consumer", Function::ClientGetConsumer),
    ("kong.client.get_credential", Function::ClientGetCredential),
    ("kong.client.get_forwarded_ip", Function::ClientGetForwardedIp),
    ("kong.client.get_forwarded_port", Function::ClientGetForwardedPort),
    ("kong.client.get_ip", Function::ClientGetIp),
    ("kong.client.get_port", Function::ClientGetPort),
    ("kong.client.get_protocol", Function::ClientGetProtocol),
    ("kong.client.load_consumer", Function::ClientLoadConsumer),
    ("kong.client.tls.disable_session_reuse", Function::ClientTlsDisableSessionReuse),
    ("kong.client.tls.get_full_client_certificate_chain", Function::ClientTlsGetFullClientCertificateChain),
    ("kong.client.tls.request_client_certificate", Function::ClientTlsRequestClientCertificate),
    ("kong.client.tls.set_client_verify", Function::ClientTlsSetClientVerify),
    ("kong.cluster.get_id", Function::ClusterGetId),
    ("kong.ctx.shared.get", Function::CtxSharedGet),
    ("kong.ctx.shared.set", Function::CtxSharedSet),
    ("kong.ip.is_trusted", Function::IpIsTrusted),
    ("kong.log", Function::Log),
    ("kong.log.alert", Function::LogAlert),
    ("kong.log.crit", Function::LogCrit),
    ("kong.log.debug", Function::LogDebug),
    ("kong.log.deprecation", Function::LogDeprecation),
    ("kong.log.emerg", Function::LogEmerg),
    ("kong.log.err", Function::LogErr),
    ("kong.log.info", Function::LogInfo),
    ("kong.log.inspect", Function::LogInspect),
    ("kong.log.notice", Function::LogNotice),
    ("kong.log.serialize", Function::LogSerialize),
    ("kong.log.set_serialize_value", Function::LogSetSerializeValue),
    ("kong.log.warn", Function::LogWarn),
    ("kong.nginx.get_ctx", Function::NginxGetCtx),
    ("kong.nginx.get_statistics", Function::NginxGetStatistics),
    ("kong.nginx.get_subsystem", Function::NginxGetSubsystem),
    ("kong.nginx.get_tls1_version_str", Function::NginxGetTls1VersionStr),
    ("kong.nginx.get_var", Function::NginxGetVar),
    ("kong.nginx.req_start_time", Function::NginxReqStartTime),
    ("kong.nginx.set_ctx", Function::NginxSetCtx),
    ("kong.node.get_hostname", Function::NodeGetHostname),
    ("kong.node.get_id", Function::NodeGetId),
    ("kong.node.get_memory_stats", Function::NodeGetMemoryStats),
    ("kong.plugin.get_id", Function::PluginGetId),
    ("kong.request.get_body", Function::RequestGetBody),
    ("kong.request.get_forwarded_host", Function::RequestGetForwardedHost),
    ("kong.request.get_forwarded_path", Function::RequestGetForwardedPath),
    ("kong.request.get_forwarded_port", Function::RequestGetForwardedPort),
    ("kong.request.get_forwarded_prefix", Function::RequestGetForwardedPrefix),
    ("kong.request.get_forwarded_scheme", Function::RequestGetForwardedScheme),
    ("kong.request.get_header", Function::RequestGetHeader),
    ("kong.request.get_headers", Function::RequestGetHeaders),
    ("kong.request.get_host", Function::RequestGetHost),
    ("kong.request.get_http_version", Function::RequestGetHttpVersion),
    ("kong.request.get_method", Function::RequestGetMethod),
    ("kong.request.get_path", Function::RequestGetPath),
    ("kong.request.get_path_with_query", Function::RequestGetPathWithQuery),
    ("kong.request.get_port", Function::RequestGetPort),
    ("kong.request.get_query", Function::RequestGetQuery),
    ("kong.request.get_query_arg", Function::RequestGetQueryArg),
    ("kong.request.get_raw_body", Function::RequestGetRawBody),
    ("kong.request.get_raw_path", Function::RequestGetRawPath),
    ("kong.request.get_raw_query", Function::RequestGetRawQuery),
    ("kong.request.get_scheme", Function::RequestGetScheme),
    ("kong.request.get_start_time", Function::RequestGetStartTime),
    ("kong.request.get_uri_captures", Function::RequestGetUriCaptures),
    ("kong.response.add_header", Function::ResponseAddHeader),
    ("kong.response.clear_header", Function::ResponseClearHeader),
    ("kong.response.error", Function::ResponseError),
    ("kong.response.exit", Function::ResponseExit),
    ("kong.response.get_header", Function::ResponseGetHeader),
    ("kong.response.get_headers", Function::ResponseGetHeaders),
    ("kong.response.get_source", Function::ResponseGetSource),
    ("kong.response.get_status", Function::ResponseGetStatus),
    ("kong.response.set_header", Function::ResponseSetHeader),
    ("kong.response.set_headers", Function::ResponseSetHeaders),
    ("kong.response.set_status", Function::ResponseSetStatus),
    ("kong.router.get_route", Function::RouterGetRoute),
    ("kong.router.get_service", Function::RouterGetService),
    ("kong.service.request.add_header", Function::ServiceRequestAddHeader),
    ("kong.service.request.clear_header", Function::ServiceRequestClearHeader),
    ("kong.service.request.clear_query_arg", Function::ServiceRequestClearQueryArg),
    ("kong.service.request.disable_tls", Function::ServiceRequestDisableTls),
    ("kong.service.request.enable_buffering", Function::ServiceRequestEnableBuffering),
    ("kong.service.request.enable_tls", Function::ServiceRequestEnableTls),
    ("kong.service.request.set_body", Function::ServiceRequestSetBody),
    ("kong.service.request.set_header", Function::ServiceRequestSetHeader),
    ("kong.service.request.set_headers", Function::ServiceRequestSetHeaders),
    ("kong.service.request.set_method", Function::ServiceRequestSetMethod),
    ("kong.service.request.set_path", Function::ServiceRequestSetPath),
    ("kong.service.request.set_query", Function::ServiceRequestSetQuery),
    ("kong.service.request.set_raw_body", Function::ServiceRequestSetRawBody),
    ("kong.service.request.set_raw_query", Function::ServiceRequestSetRawQuery),
    ("kong.service.request.set_scheme", Function::ServiceRequestSetScheme),
    ("kong.service.response.get_body", Function::ServiceResponseGetBody),
    ("kong.service.response.get_header", Function::ServiceResponseGetHeader),
    ("kong.service.response.get_headers", Function::ServiceResponseGetHeaders),
    ("kong.service.response.get_raw_body", Function::ServiceResponseGetRawBody),
    ("kong.service.response.get_status", Function::ServiceResponseGetStatus),
    ("kong.service.set_retries", Function::ServiceSetRetries),
    ("kong.service.set_target", Function::ServiceSetTarget),
    ("kong.service.set_timeouts", Function::ServiceSetTimeouts),
    ("kong.service.set_tls_verify", Function::ServiceSetTlsVerify),
    ("kong.service.set_tls_verify_depth", Function::ServiceSetTlsVerifyDepth),
    ("kong.service.set_upstream", Function::ServiceSetUpstream),
    ("kong.telemetry.log", Function::TelemetryLog),
    ("kong.vault.get", Function::VaultGet),
    ("kong.vault.is_reference", Function::VaultIsReference),
    ("kong.vault.parse_reference", Function::VaultParseReference),
    ("kong.vault.update", Function::VaultUpdate),
];

const CRASPL: Phases = Phases::of(&[
    Phase::Certificate,
    Phase::Rewrite,
    Phase::Access,
    Phase::Response,
    Phase::Preread,
    Phase::Log,
]);
const ASL: Phases = Phases::of(&[Phase::Access, Phase::Response, Phase::Log]);
const A: Phases = Phases::of(&[Phase::Access]);
const C: Phases = Phases::of(&[Phase::Certificate]);
const RASL: Phases = Phases::of(&[Phase::Rewrite, Phase::Access, Phase::Response, Phase::Log]);
const RAS: Phases = Phases::of(&[Phase::Rewrite, Phase::Access, Phase::Response]);
const RASPL: Phases =
    Phases::of(&[Phase::Rewrite, Phase::Access, Phase::Response, Phase::Preread, Phase::Log]);
const L: Phases = Phases::of(&[Phase::Log]);
const SL: Phases = Phases::of(&[Phase::Response, Phase::Log]);
const RASP: Phases = Phases::of(&[Phase::Rewrite, Phase::Access, Phase::Response, Phase::Preread]);
const RAP: Phases = Phases::of(&[Phase::Rewrite, Phase::Access, Phase::Preread]);
const RA: Phases = Phases::of(&[Phase::Rewrite, Phase::Access]);
const P: Phases = Phases::of(&[Phase::Preread]);

impl Function {
    pub const ALL: [Function; 107] = [
        Function::ClientGetIp,
        Function::ClientGetForwardedIp,
        Function::ClientGetPort,
        Function::ClientGetForwardedPort,
        Function::ClientGetCredential,
        Function::ClientLoadConsumer,
        Function::ClientGetConsumer,
        Function::ClientAuthenticate,
        Function::ClientGetProtocol,
        Function::ClientTlsRequestClientCertificate,
        Function::ClientTlsDisableSessionReuse,
        Function::ClientTlsGetFullClientCertificateChain,
        Function::ClientTlsSetClientVerify,
        Function::CtxSharedGet,
        Function::CtxSharedSet,
        Function::IpIsTrusted,
        Function::PluginGetId,
        Function::ClusterGetId,
        Function::NodeGetId,
        Function::NodeGetHostname,
        Function::NodeGetMemoryStats,
        Function::Log,
        Function::LogEmerg,
        Function::LogAlert,
        Function::LogCrit,
        Function::LogErr,
        Function::LogWarn,
        Function::LogNotice,
        Function::LogInfo,
        Function::LogDebug,
        Function::LogInspect,
        Function::LogDeprecation,
        Function::LogSerialize,
        Function::LogSetSerializeValue,
        Function::TelemetryLog,
        Function::NginxGetVar,
        Function::NginxGetTls1VersionStr,
        Function::NginxGetCtx,
        Function::NginxSetCtx,
        Function::NginxReqStartTime,
        Function::NginxGetSubsystem,
        Function::NginxGetStatistics,
        Function::RequestGetScheme,
        Function::RequestGetHost,
        Function::RequestGetPort,
        Function::RequestGetForwardedScheme,
        Function::RequestGetForwardedHost,
        Function::RequestGetForwardedPort,
        Function::RequestGetForwardedPath,
        Function::RequestGetForwardedPrefix,
        Function::RequestGetHttpVersion,
        Function::RequestGetMethod,
        Function::RequestGetPath,
        Function::RequestGetRawPath,
        Function::RequestGetPathWithQuery,
        Function::RequestGetRawQuery,
        Function::RequestGetQueryArg,
        Function::RequestGetQuery,
        Function::RequestGetHeader,
        Function::RequestGetHeaders,
        Function::RequestGetRawBody,
        Function::RequestGetBody,
        Function::RequestGetStartTime,
        Function::RequestGetUriCaptures,
        Function::ResponseGetStatus,
        Function::ResponseGetHeader,
        Function::ResponseGetHeaders,
        Function::ResponseGetSource,
        Function::ResponseSetStatus,
        Function::ResponseSetHeader,
        Function::ResponseAddHeader,
        Function::ResponseClearHeader,
        Function::ResponseSetHeaders,
        Function::ResponseExit,
        Function::ResponseError,
        Function::RouterGetRoute,
        Function::RouterGetService,
        Function::ServiceSetUpstream,
        Function::ServiceSetTarget,
        Function::ServiceSetRetries,
        Function::ServiceSetTimeouts,
        Function::ServiceSetTlsVerify,
        Function::ServiceSetTlsVerifyDepth,
        Function::ServiceRequestSetScheme,
        Function::ServiceRequestSetPath,
        Function::ServiceRequestSetRawQuery,
        Function::ServiceRequestSetMethod,
        Function::ServiceRequestSetQuery,
        Function::ServiceRequestClearQueryArg,
        Function::ServiceRequestSetHeader,
        Function::ServiceRequestAddHeader,
        Function::ServiceRequestClearHeader,
        Function::ServiceRequestSetHeaders,
        Function::ServiceRequestSetRawBody,
        Function::ServiceRequestSetBody,
        Function::ServiceRequestEnableBuffering,
        Function::ServiceRequestDisableTls,
        Function::ServiceRequestEnableTls,
        Function::ServiceResponseGetStatus,
        Function::ServiceResponseGetHeader,
        Function::ServiceResponseGetHeaders,
        Function::ServiceResponseGetRawBody,
        Function::ServiceResponseGetBody,
        Function::VaultGet,
        Function::VaultIsReference,
        Function::VaultParseReference,
        Function::VaultUpdate,
    ];

    /// The name in both protocols, which is that of Kong's Lua PDK.
    pub const fn name(self) -> &'static str {
        match self {
            Function::ClientGetIp => "kong.client.get_ip",
            Function::ClientGetForwardedIp => "kong.client.get_forwarded_ip",
            Function::ClientGetPort => "kong.client.get_port",
            Function::ClientGetForwardedPort => "kong.client.get_forwarded_port",
            Function::ClientGetCredential => "kong.client.get_credential",
            Function::ClientLoadConsumer => "kong.client.load_consumer",
            Function::ClientGetConsumer => "kong.client.get_consumer",
            Function::ClientAuthenticate => "kong.client.authenticate",
            Function::ClientGetProtocol => "kong.client.get_protocol",
            Function::ClientTlsRequestClientCertificate => "kong.client.tls.request_client_certificate",
            Function::ClientTlsDisableSessionReuse => "kong.client.tls.disable_session_reuse",
            Function::ClientTlsGetFullClientCertificateChain => {
                "kong.client.tls.get_full_client_certificate_chain"
            }
            Function::ClientTlsSetClientVerify => "kong.client.tls.set_client_verify",
            Function::CtxSharedGet => "kong.ctx.shared.get",
            Function::CtxSharedSet => "kong.ctx.shared.set",
            Function::IpIsTrusted => "kong.ip.is_trusted",
            Function::PluginGetId => "kong.plugin.get_id",
            Function::ClusterGetId => "kong.cluster.get_id",
            Function::NodeGetId => "kong.node.get_id",
            Function::NodeGetHostname => "kong.node.get_hostname",
            Function::NodeGetMemoryStats => "kong.node.get_memory_stats",
            Function::Log => "kong.log",
            Function::LogEmerg => "kong.log.emerg",
            Function::LogAlert => "kong.log.alert",
            Function::LogCrit => "kong.log.crit",
            Function::LogErr => "kong.log.err",
            Function::LogWarn => "kong.log.warn",
            Function::LogNotice => "kong.log.notice",
            Function::LogInfo => "kong.log.info",
            Function::LogDebug => "kong.log.debug",
            Function::LogInspect => "kong.log.inspect",
            Function::LogDeprecation => "kong.log.deprecation",
            Function::LogSerialize => "kong.log.serialize",
            Function::LogSetSerializeValue => "kong.log.set_serialize_value",
            Function::TelemetryLog => "kong.telemetry.log",
            Function::NginxGetVar => "kong.nginx.get_var",
            Function::NginxGetTls1VersionStr => "kong.nginx.get_tls1_version_str",
            Function::NginxGetCtx => "kong.nginx.get_ctx",
            Function::NginxSetCtx => "kong.nginx.set_ctx",
            Function::NginxReqStartTime => "kong.nginx.req_start_time",
            Function::NginxGetSubsystem => "kong.nginx.get_subsystem",
            Function::NginxGetStatistics => "kong.nginx.get_statistics",
            Function::RequestGetScheme => "kong.request.get_scheme",
            Function::RequestGetHost => "kong.request.get_host",
            Function::RequestGetPort => "kong.request.get_port",
            Function::RequestGetForwardedScheme => "kong.request.get_forwarded_scheme",
            Function::RequestGetForwardedHost => "kong.request.get_forwarded_host",
            Function::RequestGetForwardedPort => "kong.request.get_forwarded_port",
            Function::RequestGetForwardedPath => "kong.request.get_forwarded_path",
            Function::RequestGetForwardedPrefix => "kong.request.get_forwarded_prefix",
            Function::RequestGetHttpVersion => "kong.request.get_http_version",
            Function::RequestGetMethod => "kong.request.get_method",
            Function::RequestGetPath => "kong.request.get_path",
            Function::RequestGetRawPath => "kong.request.get_raw_path",
            Function::RequestGetPathWithQuery => "kong.request.get_path_with_query",
            Function::RequestGetRawQuery => "kong.request.get_raw_query",
            Function::RequestGetQueryArg => "kong.request.get_query_arg",
            Function::RequestGetQuery => "kong.request.get_query",
            Function::RequestGetHeader => "kong.request.get_header",
            Function::RequestGetHeaders => "kong.request.get_headers",
            Function::RequestGetRawBody => "kong.request.get_raw_body",
            Function::RequestGetBody => "kong.request.get_body",
            Function::RequestGetStartTime => "kong.request.get_start_time",
            Function::RequestGetUriCaptures => "kong.request.get_uri_captures",
            Function::ResponseGetStatus => "kong.response.get_status",
            Function::ResponseGetHeader => "kong.response.get_header",
            Function::ResponseGetHeaders => "kong.response.get_headers",
            Function::ResponseGetSource => "kong.response.get_source",
            Function::ResponseSetStatus => "kong.response.set_status",
            Function::ResponseSetHeader => "kong.response.set_header",
            Function::ResponseAddHeader => "kong.response.add_header",
            Function::ResponseClearHeader => "kong.response.clear_header",
            Function::ResponseSetHeaders => "kong.response.set_headers",
            Function::ResponseExit => "kong.response.exit",
            Function::ResponseError => "kong.response.error",
            Function::RouterGetRoute => "kong.router.get_route",
            Function::RouterGetService => "kong.router.get_service",
            Function::ServiceSetUpstream => "kong.service.set_upstream",
            Function::ServiceSetTarget => "kong.service.set_target",
            Function::ServiceSetRetries => "kong.service.set_retries",
            Function::ServiceSetTimeouts => "kong.service.set_timeouts",
            Function::ServiceSetTlsVerify => "kong.service.set_tls_verify",
            Function::ServiceSetTlsVerifyDepth => "kong.service.set_tls_verify_depth",
            Function::ServiceRequestSetScheme => "kong.service.request.set_scheme",
            Function::ServiceRequestSetPath => "kong.service.request.set_path",
            Function::ServiceRequestSetRawQuery => "kong.service.request.set_raw_query",
            Function::ServiceRequestSetMethod => "kong.service.request.set_method",
            Function::ServiceRequestSetQuery => "kong.service.request.set_query",
            Function::ServiceRequestClearQueryArg => "kong.service.request.clear_query_arg",
            Function::ServiceRequestSetHeader => "kong.service.request.set_header",
            Function::ServiceRequestAddHeader => "kong.service.request.add_header",
            Function::ServiceRequestClearHeader => "kong.service.request.clear_header",
            Function::ServiceRequestSetHeaders => "kong.service.request.set_headers",
            Function::ServiceRequestSetRawBody => "kong.service.request.set_raw_body",
            Function::ServiceRequestSetBody => "kong.service.request.set_body",
            Function::ServiceRequestEnableBuffering => "kong.service.request.enable_buffering",
            Function::ServiceRequestDisableTls => "kong.service.request.disable_tls",
            Function::ServiceRequestEnableTls => "kong.service.request.enable_tls",
            Function::ServiceResponseGetStatus => "kong.service.response.get_status",
            Function::ServiceResponseGetHeader => "kong.service.response.get_header",
            Function::ServiceResponseGetHeaders => "kong.service.response.get_headers",
            Function::ServiceResponseGetRawBody => "kong.service.response.get_raw_body",
            Function::ServiceResponseGetBody => "kong.service.response.get_body",
            Function::VaultGet => "kong.vault.get",
            Function::VaultIsReference => "kong.vault.is_reference",
            Function::VaultParseReference => "kong.vault.parse_reference",
            Function::VaultUpdate => "kong.vault.update",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        BY_NAME.binary_search_by_key(&name, |(name, _)| name).ok().map(|at| BY_NAME[at].1)
    }

    /// Where the function works; elsewhere it raises an error.
    pub const fn phases(self) -> Phases {
        match self {
            Function::ClientGetIp
            | Function::ClientGetForwardedIp
            | Function::ClientGetPort
            | Function::ClientGetForwardedPort
            | Function::IpIsTrusted
            | Function::ClusterGetId
            | Function::NodeGetId
            | Function::NodeGetHostname
            | Function::NodeGetMemoryStats
            | Function::Log
            | Function::LogEmerg
            | Function::LogAlert
            | Function::LogCrit
            | Function::LogErr
            | Function::LogWarn
            | Function::LogNotice
            | Function::LogInfo
            | Function::LogDebug
            | Function::LogInspect
            | Function::LogDeprecation
            | Function::TelemetryLog
            | Function::NginxGetVar
            | Function::NginxGetTls1VersionStr
            | Function::NginxGetCtx
            | Function::NginxSetCtx
            | Function::NginxGetSubsystem
            | Function::NginxGetStatistics
            | Function::RequestGetPort
            | Function::VaultGet
            | Function::VaultIsReference
            | Function::VaultParseReference
            | Function::VaultUpdate => CRASPL,
            Function::ClientGetCredential
            | Function::ClientLoadConsumer
            | Function::ClientGetConsumer
            | Function::ClientGetProtocol
            | Function::RouterGetRoute
            | Function::RouterGetService => ASL,
            Function::ClientAuthenticate
            | Function::ServiceSetUpstream
            | Function::ServiceSetRetries
            | Function::ServiceSetTimeouts => A,
            Function::ClientTlsRequestClientCertificate | Function::ClientTlsDisableSessionReuse => C,
            Function::ClientTlsGetFullClientCertificateChain
            | Function::LogSetSerializeValue
            | Function::NginxReqStartTime
            | Function::RequestGetScheme
            | Function::RequestGetHost
            | Function::RequestGetForwardedScheme
            | Function::RequestGetForwardedHost
            | Function::RequestGetForwardedPort
            | Function::RequestGetForwardedPath
            | Function::RequestGetForwardedPrefix
            | Function::RequestGetHttpVersion
            | Function::RequestGetMethod
            | Function::RequestGetPath
            | Function::RequestGetRawPath
            | Function::RequestGetPathWithQuery
            | Function::RequestGetRawQuery
            | Function::RequestGetQueryArg
            | Function::RequestGetQuery
            | Function::RequestGetHeader
            | Function::RequestGetHeaders
            | Function::RequestGetStartTime
            | Function::RequestGetUriCaptures => RASL,
            Function::ClientTlsSetClientVerify
            | Function::RequestGetRawBody
            | Function::RequestGetBody
            | Function::ResponseSetStatus
            | Function::ResponseSetHeader
            | Function::ResponseAddHeader
            | Function::ResponseClearHeader
            | Function::ResponseSetHeaders
            | Function::ResponseError => RAS,
            Function::CtxSharedGet | Function::CtxSharedSet | Function::PluginGetId => RASPL,
            Function::LogSerialize => L,
            Function::ResponseGetStatus
            | Function::ResponseGetHeader
            | Function::ResponseGetHeaders
            | Function::ResponseGetSource
            | Function::ServiceResponseGetStatus
            | Function::ServiceResponseGetHeader
            | Function::ServiceResponseGetHeaders
            | Function::ServiceResponseGetRawBody
            | Function::ServiceResponseGetBody => SL,
            Function::ResponseExit => RASP,
            Function::ServiceSetTarget
            | Function::ServiceSetTlsVerify
            | Function::ServiceSetTlsVerifyDepth => RAP,
            Function::ServiceRequestSetScheme
            | Function::ServiceRequestSetPath
            | Function::ServiceRequestSetRawQuery
            | Function::ServiceRequestSetMethod
            | Function::ServiceRequestSetQuery
            | Function::ServiceRequestClearQueryArg
            | Function::ServiceRequestSetHeader
            | Function::ServiceRequestAddHeader
            | Function::ServiceRequestClearHeader
            | Function::ServiceRequestSetHeaders
            | Function::ServiceRequestSetRawBody
            | Function::ServiceRequestSetBody
            | Function::ServiceRequestEnableBuffering => RA,
            Function::ServiceRequestDisableTls | Function::ServiceRequestEnableTls => P,
        }
    }

    /// Whether the request's body must have been read before the call.
    pub const fn reads_body(self) -> bool {
        matches!(self, Function::RequestGetRawBody | Function::RequestGetBody)
    }

    /// What a call does besides answering.
    pub const fn effect(self) -> Effect {
        match self {
            Function::ClientAuthenticate
            | Function::ClientTlsRequestClientCertificate
            | Function::ClientTlsDisableSessionReuse
            | Function::ClientTlsSetClientVerify
            | Function::CtxSharedSet
            | Function::LogSetSerializeValue
            | Function::NginxSetCtx
            | Function::ResponseSetStatus
            | Function::ResponseSetHeader
            | Function::ResponseAddHeader
            | Function::ResponseClearHeader
            | Function::ResponseSetHeaders
            | Function::ServiceSetUpstream
            | Function::ServiceSetTarget
            | Function::ServiceSetRetries
            | Function::ServiceSetTimeouts
            | Function::ServiceSetTlsVerify
            | Function::ServiceSetTlsVerifyDepth
            | Function::ServiceRequestSetScheme
            | Function::ServiceRequestSetPath
            | Function::ServiceRequestSetRawQuery
            | Function::ServiceRequestSetMethod
            | Function::ServiceRequestSetQuery
            | Function::ServiceRequestClearQueryArg
            | Function::ServiceRequestSetHeader
            | Function::ServiceRequestAddHeader
            | Function::ServiceRequestClearHeader
            | Function::ServiceRequestSetHeaders
            | Function::ServiceRequestSetRawBody
            | Function::ServiceRequestSetBody
            | Function::ServiceRequestEnableBuffering
            | Function::ServiceRequestDisableTls
            | Function::ServiceRequestEnableTls => Effect::Write,
            Function::Log
            | Function::LogEmerg
            | Function::LogAlert
            | Function::LogCrit
            | Function::LogErr
            | Function::LogWarn
            | Function::LogNotice
            | Function::LogInfo
            | Function::LogDebug
            | Function::LogInspect
            | Function::LogDeprecation
            | Function::TelemetryLog => Effect::Log,
            Function::ResponseExit | Function::ResponseError => Effect::End,
            _ => Effect::Read,
        }
    }

    /// Whether the result is a body: bytes, whatever is in them.
    pub const fn answers_raw_body(self) -> bool {
        matches!(self, Function::RequestGetRawBody | Function::ServiceResponseGetRawBody)
    }
}
