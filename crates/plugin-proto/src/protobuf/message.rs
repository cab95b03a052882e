//! The messages, package `kong_plugin_protocol` (proto3). Names and numbers are those of
//! `pluginsocket.proto`.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{Message, Oneof};

pub use crate::protobuf::dynamic::{Dynamic, ListValue, Struct};

#[derive(Clone, PartialEq, Message)]
pub struct RpcCall {
    #[prost(int64, tag = "1")]
    pub sequence: i64,
    #[prost(oneof = "Call", tags = "31, 32, 33, 34, 35, 36")]
    pub call: Option<Call>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Call {
    #[prost(message, tag = "31")]
    GetPluginNames(Empty),
    #[prost(message, tag = "32")]
    GetPluginInfo(PluginName),
    #[prost(message, tag = "33")]
    StartInstance(StartInstance),
    #[prost(message, tag = "34")]
    GetInstanceStatus(InstanceId),
    #[prost(message, tag = "35")]
    CloseInstance(InstanceId),
    #[prost(message, tag = "36")]
    HandleEvent(HandleEvent),
}

#[derive(Clone, PartialEq, Message)]
pub struct PluginName {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct StartInstance {
    #[prost(string, tag = "1")]
    pub name: String,
    /// JSON. A `__seq__` in it becomes the instance's id (go-pdk from 0.10 on).
    #[prost(bytes = "bytes", tag = "2")]
    pub config: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub struct InstanceId {
    #[prost(int32, tag = "1")]
    pub instance_id: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct HandleEvent {
    #[prost(int32, tag = "1")]
    pub instance_id: i32,
    #[prost(string, tag = "2")]
    pub event_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct RpcReturn {
    #[prost(int64, tag = "1")]
    pub sequence: i64,
    #[prost(oneof = "Return", tags = "31, 32, 33")]
    pub value: Option<Return>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Return {
    #[prost(message, tag = "31")]
    PluginNames(PluginNames),
    #[prost(message, tag = "32")]
    PluginInfo(PluginInfo),
    #[prost(message, tag = "33")]
    InstanceStatus(InstanceStatus),
}

#[derive(Clone, PartialEq, Message)]
pub struct PluginNames {
    #[prost(string, repeated, tag = "1")]
    pub names: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PluginInfo {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int64, tag = "2")]
    pub updated_at: i64,
    #[prost(int64, tag = "3")]
    pub loaded_at: i64,
    #[prost(string, repeated, tag = "4")]
    pub phases: Vec<String>,
    #[prost(string, tag = "5")]
    pub version: String,
    #[prost(int32, tag = "6")]
    pub priority: i32,
    #[prost(string, tag = "7")]
    pub schema: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct InstanceStatus {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub instance_id: i32,
    #[prost(message, optional, tag = "3")]
    pub config: Option<Dynamic>,
    /// Seconds since the Unix epoch.
    #[prost(int64, tag = "4")]
    pub started_at: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Bool {
    #[prost(bool, tag = "1")]
    pub v: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Int {
    #[prost(int32, tag = "1")]
    pub v: i32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Number {
    #[prost(double, tag = "1")]
    pub v: f64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Text {
    #[prost(string, tag = "1")]
    pub v: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct ByteString {
    #[prost(bytes = "bytes", tag = "1")]
    pub v: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub struct Kv {
    #[prost(string, tag = "1")]
    pub k: String,
    #[prost(message, optional, tag = "2")]
    pub v: Option<Dynamic>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ExitArgs {
    #[prost(int32, tag = "1")]
    pub status: i32,
    #[prost(bytes = "bytes", tag = "2")]
    pub body: Bytes,
    #[prost(message, optional, tag = "3")]
    pub headers: Option<Struct>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RawBodyResult {
    #[prost(oneof = "RawBody", tags = "1, 2, 3")]
    pub kind: Option<RawBody>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum RawBody {
    #[prost(bytes = "bytes", tag = "1")]
    Content(Bytes),
    /// The server reads the file itself.
    #[prost(string, tag = "2")]
    BodyFilepath(String),
    #[prost(string, tag = "3")]
    Error(String),
}

impl RawBody {
    /// The number of the field that holds the content.
    pub const CONTENT: u32 = 1;
}

#[derive(Clone, PartialEq, Message)]
pub struct UriCapturesResult {
    /// Groups from 1 on; the whole match is left out.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub unnamed: Vec<Bytes>,
    #[prost(btree_map = "string, bytes", tag = "2")]
    pub named: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Target {
    #[prost(string, tag = "1")]
    pub host: String,
    #[prost(int32, tag = "2")]
    pub port: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct ConsumerSpec {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(bool, tag = "2")]
    pub by_username: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct Consumer {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(int64, tag = "2")]
    pub created_at: i64,
    #[prost(string, tag = "3")]
    pub username: String,
    #[prost(string, tag = "4")]
    pub custom_id: String,
    #[prost(string, repeated, tag = "5")]
    pub tags: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AuthenticatedCredential {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub consumer_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct AuthenticateArgs {
    #[prost(message, optional, tag = "1")]
    pub consumer: Option<Consumer>,
    #[prost(message, optional, tag = "2")]
    pub credential: Option<AuthenticatedCredential>,
}

/// `ServiceKey` and `CertificateKey`.
#[derive(Clone, PartialEq, Message)]
pub struct EntityKey {
    #[prost(string, tag = "1")]
    pub id: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Route {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(int64, tag = "2")]
    pub created_at: i64,
    #[prost(int64, tag = "3")]
    pub updated_at: i64,
    #[prost(string, tag = "4")]
    pub name: String,
    #[prost(string, repeated, tag = "5")]
    pub protocols: Vec<String>,
    #[prost(string, repeated, tag = "6")]
    pub methods: Vec<String>,
    #[prost(string, repeated, tag = "7")]
    pub hosts: Vec<String>,
    #[prost(string, repeated, tag = "8")]
    pub paths: Vec<String>,
    /// Never sent: the entity has a map here.
    #[prost(string, repeated, tag = "9")]
    pub headers: Vec<String>,
    #[prost(int32, tag = "10")]
    pub https_redirect_status_code: i32,
    #[prost(int32, tag = "11")]
    pub regex_priority: i32,
    #[prost(bool, tag = "12")]
    pub strip_path: bool,
    #[prost(bool, tag = "13")]
    pub preserve_host: bool,
    #[prost(string, repeated, tag = "14")]
    pub snis: Vec<String>,
    #[prost(string, repeated, tag = "15")]
    pub sources: Vec<String>,
    #[prost(string, repeated, tag = "16")]
    pub destinations: Vec<String>,
    #[prost(string, repeated, tag = "17")]
    pub tags: Vec<String>,
    #[prost(message, optional, tag = "18")]
    pub service: Option<EntityKey>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Service {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(int64, tag = "2")]
    pub created_at: i64,
    #[prost(int64, tag = "3")]
    pub updated_at: i64,
    #[prost(string, tag = "4")]
    pub name: String,
    #[prost(int32, tag = "5")]
    pub retries: i32,
    #[prost(string, tag = "6")]
    pub protocol: String,
    #[prost(string, tag = "7")]
    pub host: String,
    #[prost(int32, tag = "8")]
    pub port: i32,
    #[prost(string, tag = "9")]
    pub path: String,
    #[prost(int32, tag = "10")]
    pub connect_timeout: i32,
    #[prost(int32, tag = "11")]
    pub write_timeout: i32,
    #[prost(int32, tag = "12")]
    pub read_timeout: i32,
    #[prost(string, repeated, tag = "13")]
    pub tags: Vec<String>,
    #[prost(message, optional, tag = "14")]
    pub client_certificate: Option<EntityKey>,
}

/// Both dictionaries must always be there, if only as empty messages: go-pdk crashes otherwise.
#[derive(Clone, PartialEq, Message)]
pub struct MemoryStats {
    #[prost(message, optional, tag = "1")]
    pub lua_shared_dicts: Option<SharedDicts>,
    #[prost(message, repeated, tag = "2")]
    pub workers_lua_vms: Vec<WorkerStats>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SharedDicts {
    #[prost(message, optional, tag = "1")]
    pub kong: Option<DictStats>,
    #[prost(message, optional, tag = "2")]
    pub kong_db_cache: Option<DictStats>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct DictStats {
    #[prost(int64, tag = "1")]
    pub allocated_slabs: i64,
    #[prost(int64, tag = "2")]
    pub capacity: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct WorkerStats {
    #[prost(int64, tag = "1")]
    pub http_allocated_gc: i64,
    #[prost(int64, tag = "2")]
    pub pid: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Empty {}
