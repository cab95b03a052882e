//! The messages of each PDK function over `ProtoBuf:1`.
//!
//! Written from protocol/pdk.toml by `cargo run -q -p xtask -- generate`; do not edit.

use polygate_chain::pdk::Function;

use crate::wire::protobuf::shape::{Argument, Returned};

/// Those of `function`; `None` if it cannot be called there.
pub fn shapes(function: Function) -> Option<(Argument, Returned)> {
    Some(match function {
        Function::ClientGetIp => (Argument::Empty, Returned::String),
        Function::ClientGetForwardedIp => (Argument::Empty, Returned::String),
        Function::ClientGetPort => (Argument::Empty, Returned::Int),
        Function::ClientGetForwardedPort => (Argument::Empty, Returned::Int),
        Function::ClientGetCredential => (Argument::Empty, Returned::Credential),
        Function::ClientLoadConsumer => (Argument::ConsumerSpec, Returned::Consumer),
        Function::ClientGetConsumer => (Argument::Empty, Returned::Consumer),
        Function::ClientAuthenticate => (Argument::AuthenticateArgs, Returned::Empty),
        Function::ClientGetProtocol => (Argument::Bool, Returned::String),
        Function::CtxSharedGet => (Argument::String, Returned::Value),
        Function::CtxSharedSet => (Argument::KV, Returned::Empty),
        Function::IpIsTrusted => (Argument::String, Returned::Bool),
        Function::NodeGetId => (Argument::Empty, Returned::String),
        Function::NodeGetMemoryStats => (Argument::Empty, Returned::MemoryStats),
        Function::LogAlert => (Argument::ListValue, Returned::Empty),
        Function::LogCrit => (Argument::ListValue, Returned::Empty),
        Function::LogErr => (Argument::ListValue, Returned::Empty),
        Function::LogWarn => (Argument::ListValue, Returned::Empty),
        Function::LogNotice => (Argument::ListValue, Returned::Empty),
        Function::LogInfo => (Argument::ListValue, Returned::Empty),
        Function::LogDebug => (Argument::ListValue, Returned::Empty),
        Function::LogSerialize => (Argument::Empty, Returned::String),
        Function::LogSetSerializeValue => (Argument::KV, Returned::Empty),
        Function::NginxGetVar => (Argument::String, Returned::String),
        Function::NginxGetTls1VersionStr => (Argument::Empty, Returned::String),
        Function::NginxGetCtx => (Argument::String, Returned::Value),
        Function::NginxSetCtx => (Argument::KV, Returned::Empty),
        Function::NginxReqStartTime => (Argument::Empty, Returned::Number),
        Function::NginxGetSubsystem => (Argument::Empty, Returned::String),
        Function::RequestGetScheme => (Argument::Empty, Returned::String),
        Function::RequestGetHost => (Argument::Empty, Returned::String),
        Function::RequestGetPort => (Argument::Empty, Returned::Int),
        Function::RequestGetForwardedScheme => (Argument::Empty, Returned::String),
        Function::RequestGetForwardedHost => (Argument::Empty, Returned::String),
        Function::RequestGetForwardedPort => (Argument::Empty, Returned::Int),
        Function::RequestGetHttpVersion => (Argument::Empty, Returned::Number),
        Function::RequestGetMethod => (Argument::Empty, Returned::String),
        Function::RequestGetPath => (Argument::Empty, Returned::String),
        Function::RequestGetPathWithQuery => (Argument::Empty, Returned::String),
        Function::RequestGetRawQuery => (Argument::Empty, Returned::String),
        Function::RequestGetQueryArg => (Argument::String, Returned::String),
        Function::RequestGetQuery => (Argument::Int, Returned::Struct),
        Function::RequestGetHeader => (Argument::String, Returned::String),
        Function::RequestGetHeaders => (Argument::Int, Returned::Struct),
        Function::RequestGetRawBody => (Argument::Empty, Returned::RawBody),
        Function::RequestGetUriCaptures => (Argument::Empty, Returned::UriCaptures),
        Function::ResponseGetStatus => (Argument::Empty, Returned::Int),
        Function::ResponseGetHeader => (Argument::String, Returned::String),
        Function::ResponseGetHeaders => (Argument::Int, Returned::Struct),
        Function::ResponseGetSource => (Argument::Empty, Returned::String),
        Function::ResponseSetStatus => (Argument::Int, Returned::Empty),
        Function::ResponseSetHeader => (Argument::KV, Returned::Empty),
        Function::ResponseAddHeader => (Argument::KV, Returned::Empty),
        Function::ResponseClearHeader => (Argument::String, Returned::Empty),
        Function::ResponseSetHeaders => (Argument::Struct, Returned::Empty),
        Function::ResponseExit => (Argument::ExitArgs, Returned::Empty),
        Function::RouterGetRoute => (Argument::Empty, Returned::Route),
        Function::RouterGetService => (Argument::Empty, Returned::Service),
        Function::ServiceSetUpstream => (Argument::String, Returned::Bool),
        Function::ServiceSetTarget => (Argument::Target, Returned::Empty),
        Function::ServiceRequestSetScheme => (Argument::String, Returned::Empty),
        Function::ServiceRequestSetPath => (Argument::String, Returned::Empty),
        Function::ServiceRequestSetRawQuery => (Argument::String, Returned::Empty),
        Function::ServiceRequestSetMethod => (Argument::String, Returned::Empty),
        Function::ServiceRequestSetQuery => (Argument::Struct, Returned::Empty),
        Function::ServiceRequestSetHeader => (Argument::KV, Returned::Empty),
        Function::ServiceRequestAddHeader => (Argument::KV, Returned::Empty),
        Function::ServiceRequestClearHeader => (Argument::String, Returned::Empty),
        Function::ServiceRequestSetHeaders => (Argument::Struct, Returned::Empty),
        Function::ServiceRequestSetRawBody => (Argument::ByteString, Returned::Empty),
        Function::ServiceResponseGetStatus => (Argument::Empty, Returned::Int),
        Function::ServiceResponseGetHeader => (Argument::String, Returned::String),
        Function::ServiceResponseGetHeaders => (Argument::Int, Returned::Struct),
        Function::ServiceResponseGetRawBody => (Argument::Empty, Returned::ByteString),
        Function::ClientTlsRequestClientCertificate
        | Function::ClientTlsDisableSessionReuse
        | Function::ClientTlsGetFullClientCertificateChain
        | Function::ClientTlsSetClientVerify
        | Function::PluginGetId
        | Function::ClusterGetId
        | Function::NodeGetHostname
        | Function::Log
        | Function::LogEmerg
        | Function::LogInspect
        | Function::LogDeprecation
        | Function::TelemetryLog
        | Function::NginxGetStatistics
        | Function::RequestGetForwardedPath
        | Function::RequestGetForwardedPrefix
        | Function::RequestGetRawPath
        | Function::RequestGetBody
        | Function::RequestGetStartTime
        | Function::ResponseError
        | Function::ServiceSetRetries
        | Function::ServiceSetTimeouts
        | Function::ServiceSetTlsVerify
        | Function::ServiceSetTlsVerifyDepth
        | Function::ServiceRequestClearQueryArg
        | Function::ServiceRequestSetBody
        | Function::ServiceRequestEnableBuffering
        | Function::ServiceRequestDisableTls
        | Function::ServiceRequestEnableTls
        | Function::ServiceResponseGetBody
        | Function::VaultGet
        | Function::VaultIsReference
        | Function::VaultParseReference
        | Function::VaultUpdate => return None,
    })
}
