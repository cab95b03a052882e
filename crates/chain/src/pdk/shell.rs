// Written from protocol/pdk.toml by `cargo run -q -p xtask -- generate`; do not edit.

use super::{args as take, reply, *};
use crate::Value;

impl Function {
    /// Runs the function, which must work in the phase that the exchange is in.
    pub(super) fn call<'a>(self, exchange: Context<'a>, args: &[Value]) -> Result<Reply<'a>, PdkError> {
        Ok(match self {
            Function::ClientGetIp => reply::string(client::get_ip(exchange.session())),
            Function::ClientGetForwardedIp => reply::string(client::get_forwarded_ip(exchange.session())),
            Function::ClientGetPort => reply::int(client::get_port(exchange.session())),
            Function::ClientGetForwardedPort => {
                reply::optional(client::get_forwarded_port(exchange.session()), reply::int)
            }
            Function::ClientGetCredential => {
                reply::optional(client::get_credential(exchange.exchange(self)?), reply::any)
            }
            Function::ClientLoadConsumer => reply::optional(
                client::load_consumer(
                    exchange.exchange(self)?,
                    take::text(take::any(args, 0), "consumer_id")?,
                    take::optional(take::any(args, 1), "search_by_username", take::bool)?,
                )?,
                reply::entity,
            ),
            Function::ClientGetConsumer => {
                reply::optional(client::get_consumer(exchange.exchange(self)?), reply::any)
            }
            Function::ClientAuthenticate => reply::nil(client::authenticate(
                exchange.exchange(self)?,
                take::optional(take::any(args, 0), "consumer", take::consumer)?,
                take::optional(take::any(args, 1), "credential", take::record)?,
            )?),
            Function::ClientGetProtocol => reply::string(client::get_protocol(
                exchange.exchange(self)?,
                take::truth(take::any(args, 0), "allow_terminated")?,
            )?),
            Function::ClientTlsRequestClientCertificate => {
                reply::yes(client_tls::request_client_certificate(exchange.session()))
            }
            Function::ClientTlsDisableSessionReuse => {
                reply::yes(client_tls::disable_session_reuse(exchange.session()))
            }
            Function::ClientTlsGetFullClientCertificateChain => reply::optional(
                client_tls::get_full_client_certificate_chain(exchange.exchange(self)?),
                reply::string,
            ),
            Function::ClientTlsSetClientVerify => reply::nil(client_tls::set_client_verify(
                exchange.exchange(self)?,
                take::text(take::any(args, 0), "client verify value")?,
            )?),
            Function::CtxSharedGet => reply::optional(
                ctx_shared::get(exchange.session(), take::maybe_word(take::any(args, 0), "key")?),
                reply::any,
            ),
            Function::CtxSharedSet => reply::nil(ctx_shared::set(
                exchange.session(),
                take::word(take::any(args, 0), "key")?,
                take::any(args, 1),
            )),
            Function::IpIsTrusted => reply::bool(ip::is_trusted(
                exchange.session(),
                take::maybe_text(take::any(args, 0), "address")?,
            )),
            Function::PluginGetId => reply::optional(plugin::get_id(exchange.session()), reply::string),
            Function::ClusterGetId => reply::optional(cluster::get_id(exchange.session()), reply::string),
            Function::NodeGetId => reply::string(node::get_id(exchange.session())),
            Function::NodeGetHostname => reply::string(node::get_hostname(exchange.session())),
            Function::NodeGetMemoryStats => reply::any(node::get_memory_stats(
                exchange.session(),
                take::optional(take::any(args, 0), "unit", take::text)?,
                take::optional(take::any(args, 1), "scale", take::int(0_usize, 100))?,
            )?),
            Function::Log => reply::nil(log::notice(exchange.session(), args)),
            Function::LogEmerg => reply::nil(log::emerg(exchange.session(), args)),
            Function::LogAlert => reply::nil(log::alert(exchange.session(), args)),
            Function::LogCrit => reply::nil(log::crit(exchange.session(), args)),
            Function::LogErr => reply::nil(log::err(exchange.session(), args)),
            Function::LogWarn => reply::nil(log::warn(exchange.session(), args)),
            Function::LogNotice => reply::nil(log::notice(exchange.session(), args)),
            Function::LogInfo => reply::nil(log::info(exchange.session(), args)),
            Function::LogDebug => reply::nil(log::debug(exchange.session(), args)),
            Function::LogInspect => reply::nil(log::inspect(exchange.session(), args)),
            Function::LogDeprecation => reply::nil(log::deprecation(exchange.session(), args)),
            Function::LogSerialize => reply::string(log::serialize(exchange.exchange(self)?)),
            Function::LogSetSerializeValue => reply::nil(log::set_serialize_value(
                exchange.exchange(self)?,
                take::text(take::any(args, 0), "key")?,
                take::any(args, 1),
                take::optional(take::any(args, 2), "options", take::table)?,
            )?),
            Function::TelemetryLog => reply::nil(telemetry::log(exchange.session(), args)?),
            Function::NginxGetVar => reply::any(match exchange {
                Context::Session(session) => {
                    nginx::get_var_of_session(session, take::word(take::any(args, 0), "name")?)
                }
                Context::Exchange(exchange) => {
                    nginx::get_var(exchange, take::word(take::any(args, 0), "name")?)
                }
            }),
            Function::NginxGetTls1VersionStr => {
                reply::optional(nginx::get_tls1_version_str(exchange.session()), reply::string)
            }
            Function::NginxGetCtx => reply::any(match exchange {
                Context::Session(session) => {
                    nginx::get_ctx_of_session(session, take::maybe_word(take::any(args, 0), "key")?)
                }
                Context::Exchange(exchange) => {
                    nginx::get_ctx(exchange, take::maybe_word(take::any(args, 0), "key")?)
                }
            }),
            Function::NginxSetCtx => reply::nil(nginx::set_ctx(
                exchange.session(),
                take::word(take::any(args, 0), "key")?,
                take::any(args, 1),
            )),
            Function::NginxReqStartTime => reply::number(nginx::req_start_time(exchange.exchange(self)?)),
            Function::NginxGetSubsystem => reply::string(nginx::get_subsystem(exchange.session())),
            Function::NginxGetStatistics => reply::any(nginx::get_statistics(exchange.session())),
            Function::RequestGetScheme => reply::string(request::get_scheme(exchange.exchange(self)?)),
            Function::RequestGetHost => reply::string(request::get_host(exchange.exchange(self)?)),
            Function::RequestGetPort => reply::int(request::get_port(exchange.session())),
            Function::RequestGetForwardedScheme => {
                reply::string(request::get_forwarded_scheme(exchange.exchange(self)?))
            }
            Function::RequestGetForwardedHost => {
                reply::string(request::get_forwarded_host(exchange.exchange(self)?))
            }
            Function::RequestGetForwardedPort => {
                reply::int(request::get_forwarded_port(exchange.exchange(self)?))
            }
            Function::RequestGetForwardedPath => {
                reply::string(request::get_forwarded_path(exchange.exchange(self)?))
            }
            Function::RequestGetForwardedPrefix => {
                reply::optional(request::get_forwarded_prefix(exchange.exchange(self)?), reply::string)
            }
            Function::RequestGetHttpVersion => {
                reply::number(request::get_http_version(exchange.exchange(self)?))
            }
            Function::RequestGetMethod => reply::string(request::get_method(exchange.exchange(self)?)),
            Function::RequestGetPath => reply::string(request::get_path(exchange.exchange(self)?)),
            Function::RequestGetRawPath => reply::string(request::get_raw_path(exchange.exchange(self)?)),
            Function::RequestGetPathWithQuery => {
                reply::string(request::get_path_with_query(exchange.exchange(self)?))
            }
            Function::RequestGetRawQuery => reply::string(request::get_raw_query(exchange.exchange(self)?)),
            Function::RequestGetQueryArg => reply::any(request::get_query_arg(
                exchange.exchange(self)?,
                take::string(take::any(args, 0), "query argument name")?,
            )),
            Function::RequestGetQuery => reply::any(request::get_query(
                exchange.exchange(self)?,
                take::optional(take::any(args, 0), "max_args", take::limit)?,
            )),
            Function::RequestGetHeader => reply::optional(
                request::get_header(
                    exchange.exchange(self)?,
                    take::string(take::any(args, 0), "header name")?,
                ),
                reply::string,
            ),
            Function::RequestGetHeaders => reply::any(request::get_headers(
                exchange.exchange(self)?,
                take::optional(take::any(args, 0), "max_headers", take::limit)?,
            )),
            Function::RequestGetRawBody => reply::body(request::get_raw_body(
                exchange.exchange(self)?,
                take::size(take::any(args, 0), "max_allowed_file_size")?,
            )?),
            Function::RequestGetBody => reply::any(request::get_body(
                exchange.exchange(self)?,
                take::optional(take::any(args, 0), "mimetype", take::word)?,
                take::optional(take::any(args, 1), "max_args", take::limit)?,
                take::size(take::any(args, 2), "max_allowed_file_size")?,
            )?),
            Function::RequestGetStartTime => reply::int(request::get_start_time(exchange.exchange(self)?)),
            Function::RequestGetUriCaptures => {
                reply::any(request::get_uri_captures(exchange.exchange(self)?))
            }
            Function::ResponseGetStatus => reply::int(response::get_status(exchange.exchange(self)?)),
            Function::ResponseGetHeader => reply::optional(
                response::get_header(
                    exchange.exchange(self)?,
                    take::string(take::any(args, 0), "header name")?,
                ),
                reply::string,
            ),
            Function::ResponseGetHeaders => reply::any(response::get_headers(
                exchange.exchange(self)?,
                take::optional(take::any(args, 0), "max_headers", take::limit)?,
            )),
            Function::ResponseGetSource => reply::string(response::get_source(exchange.exchange(self)?)),
            Function::ResponseSetStatus => reply::nil(response::set_status(
                exchange.exchange(self)?,
                take::status(100)(take::any(args, 0), "code")?,
            )?),
            Function::ResponseSetHeader => {
                reply::nil(response::set_header(exchange.exchange(self)?, take::header(args, 0)?)?)
            }
            Function::ResponseAddHeader => {
                reply::nil(response::add_header(exchange.exchange(self)?, take::header(args, 0)?)?)
            }
            Function::ResponseClearHeader => reply::nil(response::clear_header(
                exchange.exchange(self)?,
                take::header_name(take::any(args, 0), "header name")?,
            )?),
            Function::ResponseSetHeaders => reply::nil(response::set_headers(
                exchange.exchange(self)?,
                take::headers(take::any(args, 0), "headers")?,
            )?),
            Function::ResponseExit => reply::nil(match exchange {
                Context::Session(session) => response::exit_of_session(
                    session,
                    take::status(100)(take::any(args, 0), "code")?,
                    take::content(take::any(args, 1), "body")?,
                    take::maybe_headers(take::any(args, 2), "headers")?,
                )?,
                Context::Exchange(exchange) => response::exit(
                    exchange,
                    take::status(100)(take::any(args, 0), "code")?,
                    take::content(take::any(args, 1), "body")?,
                    take::maybe_headers(take::any(args, 2), "headers")?,
                )?,
            }),
            Function::ResponseError => reply::nil(response::error(
                exchange.exchange(self)?,
                take::status(400)(take::any(args, 0), "code")?,
                take::content(take::any(args, 1), "message")?,
                take::maybe_headers(take::any(args, 2), "headers")?,
            )?),
            Function::RouterGetRoute => {
                reply::optional(router::get_route(exchange.exchange(self)?), reply::entity)
            }
            Function::RouterGetService => {
                reply::optional(router::get_service(exchange.exchange(self)?), reply::entity)
            }
            Function::ServiceSetUpstream => reply::yes(service::set_upstream(
                exchange.exchange(self)?,
                take::text(take::any(args, 0), "host")?,
            )?),
            Function::ServiceSetTarget => reply::nil(service::set_target(
                exchange.session(),
                take::text(take::any(args, 0), "host")?,
                take::int(0_u16, 65535)(take::any(args, 1), "port")?,
            )?),
            Function::ServiceSetRetries => reply::nil(service::set_retries(
                exchange.exchange(self)?,
                take::int(0_u16, 32767)(take::any(args, 0), "retries")?,
            )),
            Function::ServiceSetTimeouts => reply::nil(service::set_timeouts(
                exchange.exchange(self)?,
                take::int(1_u32, 2_147_483_646)(take::any(args, 0), "connect_timeout")?,
                take::int(1_u32, 2_147_483_646)(take::any(args, 1), "write_timeout")?,
                take::int(1_u32, 2_147_483_646)(take::any(args, 2), "read_timeout")?,
            )),
            Function::ServiceSetTlsVerify => reply::yes(service::set_tls_verify(
                exchange.session(),
                take::bool(take::any(args, 0), "argument")?,
            )),
            Function::ServiceSetTlsVerifyDepth => reply::yes(service::set_tls_verify_depth(
                exchange.session(),
                take::int(0, u32::MAX)(take::any(args, 0), "depth")?,
            )),
            Function::ServiceRequestSetScheme => reply::nil(service_request::set_scheme(
                exchange.exchange(self)?,
                take::text(take::any(args, 0), "scheme")?,
            )?),
            Function::ServiceRequestSetPath => reply::nil(service_request::set_path(
                exchange.exchange(self)?,
                take::string(take::any(args, 0), "path")?,
            )?),
            Function::ServiceRequestSetRawQuery => reply::nil(service_request::set_raw_query(
                exchange.exchange(self)?,
                take::string(take::any(args, 0), "query")?,
            )?),
            Function::ServiceRequestSetMethod => reply::nil(service_request::set_method(
                exchange.exchange(self)?,
                take::text(take::any(args, 0), "method")?,
            )?),
            Function::ServiceRequestSetQuery => reply::nil(service_request::set_query(
                exchange.exchange(self)?,
                take::table(take::any(args, 0), "args")?,
            )?),
            Function::ServiceRequestClearQueryArg => reply::nil(service_request::clear_query_arg(
                exchange.exchange(self)?,
                take::string(take::any(args, 0), "query argument name")?,
            )?),
            Function::ServiceRequestSetHeader => {
                reply::nil(service_request::set_header(exchange.exchange(self)?, take::header(args, 0)?)?)
            }
            Function::ServiceRequestAddHeader => {
                reply::nil(service_request::add_header(exchange.exchange(self)?, take::header(args, 0)?)?)
            }
            Function::ServiceRequestClearHeader => reply::nil(service_request::clear_header(
                exchange.exchange(self)?,
                take::header_name(take::any(args, 0), "header")?,
            )),
            Function::ServiceRequestSetHeaders => reply::nil(service_request::set_headers(
                exchange.exchange(self)?,
                take::headers(take::any(args, 0), "headers")?,
            )?),
            Function::ServiceRequestSetRawBody => reply::nil(service_request::set_raw_body(
                exchange.exchange(self)?,
                take::string(take::any(args, 0), "body")?,
            )),
            Function::ServiceRequestSetBody => reply::yes(service_request::set_body(
                exchange.exchange(self)?,
                take::table(take::any(args, 0), "args")?,
                take::optional(take::any(args, 1), "mime", take::text)?,
            )?),
            Function::ServiceRequestEnableBuffering => {
                reply::nil(service_request::enable_buffering(exchange.exchange(self)?))
            }
            Function::ServiceRequestDisableTls => {
                reply::yes(service_request::disable_tls(exchange.session()))
            }
            Function::ServiceRequestEnableTls => reply::yes(service_request::enable_tls(exchange.session())),
            Function::ServiceResponseGetStatus => {
                reply::optional(service_response::get_status(exchange.exchange(self)?), reply::int)
            }
            Function::ServiceResponseGetHeader => reply::optional(
                service_response::get_header(
                    exchange.exchange(self)?,
                    take::string(take::any(args, 0), "name")?,
                ),
                reply::string,
            ),
            Function::ServiceResponseGetHeaders => reply::any(service_response::get_headers(
                exchange.exchange(self)?,
                take::optional(take::any(args, 0), "max_headers", take::limit)?,
            )),
            Function::ServiceResponseGetRawBody => {
                reply::string(service_response::get_raw_body(exchange.exchange(self)?)?)
            }
            Function::ServiceResponseGetBody => reply::any(service_response::get_body(
                exchange.exchange(self)?,
                take::optional(take::any(args, 0), "mimetype", take::text)?,
                take::optional(take::any(args, 1), "max_args", take::limit)?,
            )?),
            Function::VaultGet => reply::string(vault::get(
                exchange.session(),
                take::reference(take::any(args, 0), "reference")?,
            )?),
            Function::VaultIsReference => reply::bool(vault::is_reference(
                exchange.session(),
                take::maybe_text(take::any(args, 0), "reference")?,
            )),
            Function::VaultParseReference => reply::any(vault::parse_reference(
                exchange.session(),
                take::reference(take::any(args, 0), "reference")?,
            )?),
            Function::VaultUpdate => reply::any(vault::update(exchange.session(), take::any(args, 0))),
        })
    }
}
