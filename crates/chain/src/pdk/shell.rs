// Written from protocol/pdk.toml by `cargo run -q -p xtask -- generate`; do not edit.

use super::{args as take, reply, *};
use crate::Value;

impl Function {
    /// Runs the function, which must work in the phase that the context is in.
    pub(super) fn call<'a>(self, context: Context<'a>, args: &[Value]) -> Result<Reply<'a>, PdkError> {
        Ok(match self {
            Function::ClientGetIp => reply::string(client::get_ip(context.session())),
            Function::ClientGetForwardedIp => reply::string(client::get_forwarded_ip(context.session())),
            Function::ClientGetPort => reply::int(client::get_port(context.session())),
            Function::ClientGetForwardedPort => {
                reply::optional(client::get_forwarded_port(context.session()), reply::int)
            }
            Function::ClientGetCredential => reply::optional(
                match context {
                    Context::Session(session) => client::get_credential_of_session(session),
                    Context::Exchange(exchange) => client::get_credential(exchange),
                },
                reply::any,
            ),
            Function::ClientLoadConsumer => reply::optional(
                client::load_consumer(
                    context.session(),
                    take::text(take::any(args, 0), "consumer_id")?,
                    take::optional(take::any(args, 1), "search_by_username", take::bool)?,
                )?,
                reply::entity,
            ),
            Function::ClientGetConsumer => reply::optional(
                match context {
                    Context::Session(session) => client::get_consumer_of_session(session),
                    Context::Exchange(exchange) => client::get_consumer(exchange),
                },
                reply::any,
            ),
            Function::ClientAuthenticate => {
                client::authenticate(
                    context.exchange(self)?,
                    take::optional(take::any(args, 0), "consumer", take::consumer)?,
                    take::optional(take::any(args, 1), "credential", take::record)?,
                )?;
                reply::nil()
            }
            Function::ClientGetProtocol => reply::string(match context {
                Context::Session(session) => client::get_protocol_of_session(
                    session,
                    take::truth(take::any(args, 0), "allow_terminated")?,
                )?,
                Context::Exchange(exchange) => {
                    client::get_protocol(exchange, take::truth(take::any(args, 0), "allow_terminated")?)?
                }
            }),
            Function::ClientTlsRequestClientCertificate => {
                client_tls::request_client_certificate(context.session());
                reply::yes()
            }
            Function::ClientTlsDisableSessionReuse => {
                client_tls::disable_session_reuse(context.session());
                reply::yes()
            }
            Function::ClientTlsGetFullClientCertificateChain => reply::optional(
                client_tls::get_full_client_certificate_chain(context.exchange(self)?),
                reply::string,
            ),
            Function::ClientTlsSetClientVerify => {
                client_tls::set_client_verify(
                    context.exchange(self)?,
                    take::text(take::any(args, 0), "client verify value")?,
                )?;
                reply::nil()
            }
            Function::CtxSharedGet => reply::optional(
                ctx_shared::get(context.session(), take::maybe_word(take::any(args, 0), "key")?),
                reply::any,
            ),
            Function::CtxSharedSet => {
                ctx_shared::set(
                    context.session(),
                    take::word(take::any(args, 0), "key")?,
                    take::any(args, 1),
                );
                reply::nil()
            }
            Function::IpIsTrusted => reply::bool(ip::is_trusted(
                context.session(),
                take::maybe_text(take::any(args, 0), "address")?,
            )),
            Function::PluginGetId => reply::optional(plugin::get_id(context.session()), reply::string),
            Function::ClusterGetId => reply::optional(cluster::get_id(context.session()), reply::string),
            Function::NodeGetId => reply::string(node::get_id(context.session())),
            Function::NodeGetHostname => reply::string(node::get_hostname(context.session())),
            Function::NodeGetMemoryStats => reply::any(node::get_memory_stats(
                context.session(),
                take::optional(take::any(args, 0), "unit", take::text)?,
                take::optional(take::any(args, 1), "scale", take::truncated(0_usize, 100))?,
            )?),
            Function::Log => {
                log::notice(context.session(), args);
                reply::nil()
            }
            Function::LogEmerg => {
                log::emerg(context.session(), args);
                reply::nil()
            }
            Function::LogAlert => {
                log::alert(context.session(), args);
                reply::nil()
            }
            Function::LogCrit => {
                log::crit(context.session(), args);
                reply::nil()
            }
            Function::LogErr => {
                log::err(context.session(), args);
                reply::nil()
            }
            Function::LogWarn => {
                log::warn(context.session(), args);
                reply::nil()
            }
            Function::LogNotice => {
                log::notice(context.session(), args);
                reply::nil()
            }
            Function::LogInfo => {
                log::info(context.session(), args);
                reply::nil()
            }
            Function::LogDebug => {
                log::debug(context.session(), args);
                reply::nil()
            }
            Function::LogInspect => {
                log::inspect(context.session(), args);
                reply::nil()
            }
            Function::LogDeprecation => {
                log::deprecation(context.session(), args);
                reply::nil()
            }
            Function::LogSerialize => reply::string(match context {
                Context::Session(session) => log::serialize_of_session(session),
                Context::Exchange(exchange) => log::serialize(exchange),
            }),
            Function::LogSetSerializeValue => {
                log::set_serialize_value(
                    context.session(),
                    take::text(take::any(args, 0), "key")?,
                    take::any(args, 1),
                    take::optional(take::any(args, 2), "options", take::table)?,
                )?;
                reply::nil()
            }
            Function::TelemetryLog => {
                telemetry::log(context.session(), args)?;
                reply::nil()
            }
            Function::NginxGetVar => reply::any(match context {
                Context::Session(session) => {
                    nginx::get_var_of_session(session, take::word(take::any(args, 0), "name")?)
                }
                Context::Exchange(exchange) => {
                    nginx::get_var(exchange, take::word(take::any(args, 0), "name")?)
                }
            }),
            Function::NginxGetTls1VersionStr => {
                reply::optional(nginx::get_tls1_version_str(context.session()), reply::string)
            }
            Function::NginxGetCtx => reply::any(match context {
                Context::Session(session) => {
                    nginx::get_ctx_of_session(session, take::maybe_word(take::any(args, 0), "key")?)
                }
                Context::Exchange(exchange) => {
                    nginx::get_ctx(exchange, take::maybe_word(take::any(args, 0), "key")?)
                }
            }),
            Function::NginxSetCtx => {
                nginx::set_ctx(context.session(), take::word(take::any(args, 0), "key")?, take::any(args, 1));
                reply::nil()
            }
            Function::NginxReqStartTime => reply::number(nginx::req_start_time(context.session())),
            Function::NginxGetSubsystem => reply::string(nginx::get_subsystem(context.session())),
            Function::NginxGetStatistics => reply::any(nginx::get_statistics(context.session())),
            Function::RequestGetScheme => reply::string(request::get_scheme(context.exchange(self)?)),
            Function::RequestGetHost => reply::string(request::get_host(context.exchange(self)?)),
            Function::RequestGetPort => reply::int(request::get_port(context.session())),
            Function::RequestGetForwardedScheme => {
                reply::string(request::get_forwarded_scheme(context.exchange(self)?))
            }
            Function::RequestGetForwardedHost => {
                reply::string(request::get_forwarded_host(context.exchange(self)?))
            }
            Function::RequestGetForwardedPort => {
                reply::int(request::get_forwarded_port(context.exchange(self)?))
            }
            Function::RequestGetForwardedPath => {
                reply::string(request::get_forwarded_path(context.exchange(self)?))
            }
            Function::RequestGetForwardedPrefix => {
                reply::optional(request::get_forwarded_prefix(context.exchange(self)?), reply::string)
            }
            Function::RequestGetHttpVersion => {
                reply::number(request::get_http_version(context.exchange(self)?))
            }
            Function::RequestGetMethod => reply::string(request::get_method(context.exchange(self)?)),
            Function::RequestGetPath => reply::string(request::get_path(context.exchange(self)?)),
            Function::RequestGetRawPath => reply::string(request::get_raw_path(context.exchange(self)?)),
            Function::RequestGetPathWithQuery => {
                reply::string(request::get_path_with_query(context.exchange(self)?))
            }
            Function::RequestGetRawQuery => reply::string(request::get_raw_query(context.exchange(self)?)),
            Function::RequestGetQueryArg => reply::any(request::get_query_arg(
                context.exchange(self)?,
                take::string(take::any(args, 0), "query argument name")?,
            )),
            Function::RequestGetQuery => reply::any(request::get_query(
                context.exchange(self)?,
                take::optional(take::any(args, 0), "max_args", take::limit)?,
            )),
            Function::RequestGetHeader => reply::optional(
                request::get_header(
                    context.exchange(self)?,
                    take::string(take::any(args, 0), "header name")?,
                ),
                reply::string,
            ),
            Function::RequestGetHeaders => reply::any(request::get_headers(
                context.exchange(self)?,
                take::optional(take::any(args, 0), "max_headers", take::limit)?,
            )),
            Function::RequestGetRawBody => reply::body(request::get_raw_body(
                context.exchange(self)?,
                take::size(take::any(args, 0), "max_allowed_file_size")?,
            )?),
            Function::RequestGetBody => reply::any(request::get_body(
                context.exchange(self)?,
                take::optional(take::any(args, 0), "mimetype", take::word)?,
                take::optional(take::any(args, 1), "max_args", take::limit)?,
                take::size(take::any(args, 2), "max_allowed_file_size")?,
            )?),
            Function::RequestGetStartTime => reply::int(request::get_start_time(context.exchange(self)?)),
            Function::RequestGetUriCaptures => reply::any(request::get_uri_captures(context.exchange(self)?)),
            Function::ResponseGetStatus => reply::int(response::get_status(context.exchange(self)?)),
            Function::ResponseGetHeader => reply::optional(
                response::get_header(
                    context.exchange(self)?,
                    take::string(take::any(args, 0), "header name")?,
                ),
                reply::string,
            ),
            Function::ResponseGetHeaders => reply::any(response::get_headers(
                context.exchange(self)?,
                take::optional(take::any(args, 0), "max_headers", take::limit)?,
            )),
            Function::ResponseGetSource => reply::string(response::get_source(context.exchange(self)?)),
            Function::ResponseSetStatus => {
                response::set_status(
                    context.exchange(self)?,
                    take::status(100)(take::any(args, 0), "code")?,
                )?;
                reply::nil()
            }
            Function::ResponseSetHeader => {
                response::set_header(context.exchange(self)?, take::header(args, 0)?)?;
                reply::nil()
            }
            Function::ResponseAddHeader => {
                response::add_header(context.exchange(self)?, take::header(args, 0)?)?;
                reply::nil()
            }
            Function::ResponseClearHeader => {
                response::clear_header(
                    context.exchange(self)?,
                    take::header_name(take::any(args, 0), "header name")?,
                )?;
                reply::nil()
            }
            Function::ResponseSetHeaders => {
                response::set_headers(
                    context.exchange(self)?,
                    take::headers(take::any(args, 0), "headers")?,
                )?;
                reply::nil()
            }
            Function::ResponseExit => {
                match context {
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
                };
                reply::nil()
            }
            Function::ResponseError => {
                response::error(
                    context.exchange(self)?,
                    take::status(400)(take::any(args, 0), "code")?,
                    take::content(take::any(args, 1), "message")?,
                    take::maybe_headers(take::any(args, 2), "headers")?,
                )?;
                reply::nil()
            }
            Function::RouterGetRoute => reply::optional(router::get_route(context.session()), reply::entity),
            Function::RouterGetService => {
                reply::optional(router::get_service(context.session()), reply::entity)
            }
            Function::ServiceSetUpstream => {
                service::set_upstream(context.exchange(self)?, take::text(take::any(args, 0), "host")?)?;
                reply::yes()
            }
            Function::ServiceSetTarget => {
                service::set_target(
                    context.session(),
                    take::text(take::any(args, 0), "host")?,
                    take::int(0_u16, 65535)(take::any(args, 1), "port")?,
                )?;
                reply::nil()
            }
            Function::ServiceSetRetries => {
                service::set_retries(
                    context.exchange(self)?,
                    take::int(0_u16, 32767)(take::any(args, 0), "retries")?,
                );
                reply::nil()
            }
            Function::ServiceSetTimeouts => {
                service::set_timeouts(
                    context.exchange(self)?,
                    take::int(1_u32, 2_147_483_646)(take::any(args, 0), "connect_timeout")?,
                    take::int(1_u32, 2_147_483_646)(take::any(args, 1), "write_timeout")?,
                    take::int(1_u32, 2_147_483_646)(take::any(args, 2), "read_timeout")?,
                );
                reply::nil()
            }
            Function::ServiceSetTlsVerify => {
                service::set_tls_verify(context.session(), take::bool(take::any(args, 0), "argument")?);
                reply::yes()
            }
            Function::ServiceSetTlsVerifyDepth => {
                service::set_tls_verify_depth(
                    context.session(),
                    take::truncated(0, u32::MAX)(take::any(args, 0), "depth")?,
                );
                reply::yes()
            }
            Function::ServiceRequestSetScheme => {
                service_request::set_scheme(
                    context.exchange(self)?,
                    take::text(take::any(args, 0), "scheme")?,
                )?;
                reply::nil()
            }
            Function::ServiceRequestSetPath => {
                service_request::set_path(
                    context.exchange(self)?,
                    take::string(take::any(args, 0), "path")?,
                )?;
                reply::nil()
            }
            Function::ServiceRequestSetRawQuery => {
                service_request::set_raw_query(
                    context.exchange(self)?,
                    take::string(take::any(args, 0), "query")?,
                )?;
                reply::nil()
            }
            Function::ServiceRequestSetMethod => {
                service_request::set_method(
                    context.exchange(self)?,
                    take::text(take::any(args, 0), "method")?,
                )?;
                reply::nil()
            }
            Function::ServiceRequestSetQuery => {
                service_request::set_query(
                    context.exchange(self)?,
                    take::table(take::any(args, 0), "args")?,
                )?;
                reply::nil()
            }
            Function::ServiceRequestClearQueryArg => {
                service_request::clear_query_arg(
                    context.exchange(self)?,
                    take::string(take::any(args, 0), "query argument name")?,
                )?;
                reply::nil()
            }
            Function::ServiceRequestSetHeader => {
                service_request::set_header(context.exchange(self)?, take::header(args, 0)?)?;
                reply::nil()
            }
            Function::ServiceRequestAddHeader => {
                service_request::add_header(context.exchange(self)?, take::header(args, 0)?)?;
                reply::nil()
            }
            Function::ServiceRequestClearHeader => {
                service_request::clear_header(
                    context.exchange(self)?,
                    take::header_name(take::any(args, 0), "header")?,
                );
                reply::nil()
            }
            Function::ServiceRequestSetHeaders => {
                service_request::set_headers(
                    context.exchange(self)?,
                    take::headers(take::any(args, 0), "headers")?,
                )?;
                reply::nil()
            }
            Function::ServiceRequestSetRawBody => {
                service_request::set_raw_body(
                    context.exchange(self)?,
                    take::string(take::any(args, 0), "body")?,
                );
                reply::nil()
            }
            Function::ServiceRequestSetBody => {
                service_request::set_body(
                    context.exchange(self)?,
                    take::table(take::any(args, 0), "args")?,
                    take::optional(take::any(args, 1), "mime", take::text)?,
                )?;
                reply::yes()
            }
            Function::ServiceRequestEnableBuffering => {
                service_request::enable_buffering(context.exchange(self)?);
                reply::nil()
            }
            Function::ServiceRequestDisableTls => {
                service_request::disable_tls(context.session());
                reply::yes()
            }
            Function::ServiceRequestEnableTls => {
                service_request::enable_tls(context.session());
                reply::yes()
            }
            Function::ServiceResponseGetStatus => {
                reply::optional(service_response::get_status(context.exchange(self)?), reply::int)
            }
            Function::ServiceResponseGetHeader => reply::optional(
                service_response::get_header(
                    context.exchange(self)?,
                    take::string(take::any(args, 0), "name")?,
                ),
                reply::string,
            ),
            Function::ServiceResponseGetHeaders => reply::any(service_response::get_headers(
                context.exchange(self)?,
                take::optional(take::any(args, 0), "max_headers", take::limit)?,
            )),
            Function::ServiceResponseGetRawBody => {
                reply::string(service_response::get_raw_body(context.exchange(self)?)?)
            }
            Function::ServiceResponseGetBody => reply::any(service_response::get_body(
                context.exchange(self)?,
                take::optional(take::any(args, 0), "mimetype", take::word)?,
                take::optional(take::any(args, 1), "max_args", take::limit)?,
            )?),
            Function::VaultGet => reply::string(vault::get(
                context.session(),
                take::reference(take::any(args, 0), "reference")?,
            )?),
            Function::VaultIsReference => reply::bool(vault::is_reference(
                context.session(),
                take::maybe_text(take::any(args, 0), "reference")?,
            )),
            Function::VaultParseReference => reply::any(vault::parse_reference(
                context.session(),
                take::reference(take::any(args, 0), "reference")?,
            )?),
            Function::VaultUpdate => reply::any(vault::update(context.session(), take::any(args, 0))),
        })
    }
}
