//! A gateway around the test: one route to one service, whatever the test changes of it.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use polygate_balancer::Balancer;
use polygate_chain::{Connection, Environment, Exchange, Node, Phase, Plan, Plugin, Statistics};
use polygate_model::{Entities, Id, Protocol};
use polygate_net::accept::Stop;
use polygate_net::dns::{DnsSettings, Resolver};
use polygate_net::real_ip;
use polygate_router::Router;
use polygate_telemetry::LogWriter;
use polygate_tls::{Names, Server, ServerOptions, UpstreamDefaults, UpstreamTls};
use polygate_transport::Thread;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::downstream::Downstream;
use crate::tests::GET;
use crate::tests::network::Upstream;
use crate::tests::peer::Peer;
use crate::tests::pipe::{End, pipe};
use crate::tests::plugin::plugin;
use crate::wire::Wire;
use crate::{Gateway, HttpSettings, Worker, http1, http2};

const ROUTE: Id = Id::from_u128(1);
const SERVICE: Id = Id::from_u128(2);

/// Where the service is.
fn service_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 80))
}

/// What a gateway is made of.
pub struct Setup {
    pub settings: HttpSettings,
    pub service: Value,
    pub route: Value,
    /// Without a scope.
    pub globals: Vec<Arc<dyn Plugin>>,
    /// On the route alone.
    pub plugins: Vec<Arc<dyn Plugin>>,
    pub balancers: HashMap<String, Arc<Balancer>>,
    pub has_access_log: bool,
    pub entities: Entities,
}

pub fn setup() -> Setup {
    Setup {
        settings: HttpSettings::default(),
        service: json!({
            "id": SERVICE, "created_at": 0, "updated_at": 0, "ws_id": Id::nil(), "retries": 5, "protocol": "http",
            "host": "10.0.0.1", "port": 80, "connect_timeout": 60000, "write_timeout": 60000, "read_timeout": 60000,
            "enabled": true,
        }),
        route: json!({
            "id": ROUTE, "created_at": 0, "updated_at": 0, "ws_id": Id::nil(), "protocols": ["http"],
            "paths": ["/"], "https_redirect_status_code": 426, "regex_priority": 0, "strip_path": true,
            "path_handling": "v0", "preserve_host": false, "request_buffering": true, "response_buffering": true,
        }),
        globals: Vec::new(),
        plugins: Vec::new(),
        balancers: HashMap::new(),
        has_access_log: false,
        entities: Entities::default(),
    }
}

/// What the end of a request's way told its log phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub status: u16,
    pub received: u64,
    pub sent: u64,
    pub body_sent: u64,
    /// The status that each failed try stands for; 0 for one that did not fail.
    pub tries: Vec<u16>,
}

impl Ended {
    fn of(exchange: &Exchange) -> Self {
        let failure = |it: &polygate_chain::session::Try| it.failure.map_or(0, |(_, status)| status);
        Self {
            status: exchange.response.status,
            received: exchange.request.size,
            sent: exchange.bytes_sent,
            body_sent: exchange.body_bytes_sent,
            tries: exchange.session.tries.iter().map(failure).collect(),
        }
    }
}

pub struct World {
    pub worker: Rc<Worker>,
    pub gateway: Arc<ArcSwap<Gateway>>,
    pub stop: watch::Sender<Stop>,
    ends: Arc<Mutex<Vec<Ended>>>,
    log: Option<(LogWriter, tempfile::NamedTempFile)>,
    capacity: usize,
}

impl Setup {
    pub fn stream_bodies(mut self) -> Self {
        self.route["request_buffering"] = json!(false);
        self
    }

    pub fn open(mut self) -> World {
        let ends = Arc::<Mutex<Vec<Ended>>>::default();
        self.globals.push(plugin("ends", &[Phase::Log], {
            let ends = ends.clone();
            async move |exchange| {
                ends.lock().unwrap().push(Ended::of(exchange));
                Ok(())
            }
        }));
        let has_access_log = self.has_access_log;
        let gateway = Arc::new(ArcSwap::from_pointee(self.gateway()));
        let log = has_access_log.then(|| {
            let file = tempfile::NamedTempFile::new().unwrap();
            (LogWriter::open(file.path()).unwrap(), file)
        });
        let dns = DnsSettings { hosts_file: None, ..DnsSettings::default() };
        let lines = log.as_ref().map(|(writer, _)| writer.buffer());
        let worker = {
            let thread = Rc::new(Thread::new(Resolver::new(&dns).unwrap()));
            thread.log_phases.start();
            Worker::new(gateway.clone(), thread, lines, None)
        };
        let (stop, _) = watch::channel(Stop::Running);
        World { worker, gateway, stop, ends, log, capacity: 64 * 1024 }
    }

    pub fn gateway(self) -> Gateway {
        let (names, _) = Names::new(&self.entities, Vec::new());
        let (upstream_tls, _) = UpstreamTls::new(&self.entities, UpstreamDefaults::default());
        let node = Node { id: Id::nil(), hostname: "node.test".into(), statistics: Statistics::default() };
        let configuration = |plugin: &Arc<dyn Plugin>, route: Option<Id>| {
            Arc::new(polygate_model::Plugin {
                id: Id::nil(),
                created_at: 0,
                updated_at: 0,
                name: plugin.name().into(),
                instance_name: None,
                config: Default::default(),
                route: route.map(|id| polygate_model::Reference { id }),
                service: None,
                consumer: None,
                protocols: vec![Protocol::Http],
                enabled: true,
                on_error: None,
                tags: None,
            })
        };
        let globals = self.globals.iter().map(|plugin| configuration(plugin, None));
        let scoped = self.plugins.iter().map(|plugin| configuration(plugin, Some(ROUTE)));
        let configurations: Vec<_> = globals.chain(scoped).collect();
        let installed: Vec<_> = self.globals.iter().chain(&self.plugins).cloned().collect();
        let route = serde_json::from_value(self.route).unwrap();
        let service = serde_json::from_value(self.service).unwrap();
        Gateway {
            environment: Arc::new(Environment::new(Arc::new(self.entities), Arc::new(node))),
            router: Router::build(&[(Arc::new(route), Some(Arc::new(service)))]).unwrap(),
            plan: Plan::new(&installed, &configurations),
            balancers: Arc::new(self.balancers),
            server_tls: Server::new(names, &ServerOptions::default()),
            upstream_tls: Arc::new(upstream_tls),
            settings: self.settings,
        }
    }
}

impl World {
    /// The same with connections of clients that hold so many bytes in each direction.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// The service.
    pub fn upstream(&self) -> Upstream {
        Upstream::at(service_address())
    }

    /// A connection of a client.
    pub fn client(&self) -> Peer {
        Peer::over(self.connect(http1::serve))
    }

    /// A connection of a client that speaks HTTP/2.
    pub fn http2(&self) -> End {
        self.connect(http2::serve)
    }

    fn connect<S: Future<Output = ()> + 'static>(&self, serve: fn(Wire, Downstream) -> S) -> End {
        let (client, own) = pipe(self.capacity);
        let peer = real_ip::Peer::new(([203, 0, 113, 9], 50_000).into(), ([127, 0, 0, 1], 8000).into(), None);
        let serial = self.worker.thread.ids.connection();
        let downstream = Downstream {
            connection: Arc::new(Connection::new(peer.socket(), peer.local(), None, serial)),
            peer,
            takes_http2: false,
            worker: self.worker.clone(),
            stop: self.stop.subscribe(),
        };
        tokio::task::spawn_local(serve(Wire::new(Box::new(own)), downstream));
        client
    }

    /// A client has sent [`GET`], and the upstream has read it: the upstream, the client, the upstream's connection.
    pub async fn asked(&self) -> (Upstream, Peer, Peer) {
        let mut upstream = self.upstream();
        let mut client = self.client();
        client.send(GET).await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        (upstream, client, connection)
    }

    /// The ends of all requests so far.
    pub async fn ends(&self) -> Vec<Ended> {
        settle().await;
        self.ends.lock().unwrap().clone()
    }

    /// The statuses with which requests have ended so far.
    pub async fn statuses(&self) -> Vec<u16> {
        self.ends().await.iter().map(|ended| ended.status).collect()
    }

    /// The access log so far, which takes no more lines.
    pub async fn access_log(&self) -> String {
        settle().await;
        let (writer, file) = self.log.as_ref().unwrap();
        assert!(writer.close(Duration::from_secs(10)));
        std::fs::read_to_string(file.path()).unwrap()
    }
}

/// Lets everybody do what can be done without time.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
