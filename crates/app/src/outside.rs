//! What plugins within the gateway need from outside of a request: connections, datagrams, and a thread for what no request
//! waits for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use polygate_chain::LocalFuture;
use polygate_chain::services::{Job, Remote, RemoteTls, Services, Stream};
use polygate_model::Entities;
use polygate_net::dns::{Resolver, literal};
use polygate_tls::{UpstreamDefaults, UpstreamTls, server_name};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsConnector;

use crate::{Error, workers};

pub struct Outside {
    jobs: mpsc::UnboundedSender<Job>,
    /// Those of the configuration in use.
    settings: RwLock<Settings>,
}

#[derive(Clone)]
struct Settings {
    /// Asked on the thread of the jobs alone.
    resolver: Resolver,
    tls: Arc<UpstreamTls>,
}

impl Outside {
    /// Starts the thread. It ends with the process: whoever wants jobs to end waits for them.
    pub fn start(resolver: Resolver, tls: UpstreamDefaults) -> Result<Arc<Self>, Error> {
        let (jobs, mut next) = mpsc::unbounded_channel::<Job>();
        let runtime = workers::runtime()?;
        let run = async move {
            while let Some(job) = next.recv().await {
                spawn_local(job());
            }
        };
        thread::Builder::new()
            .name("plugins".to_owned())
            .spawn(move || LocalSet::new().block_on(&runtime, run))
            .map_err(|cause| Error::System { what: "the thread of plugins", cause })?;
        Ok(Arc::new(Self { jobs, settings: RwLock::new(Settings::new(resolver, tls)) }))
    }

    /// Connections are made with these from now on.
    pub fn change(&self, resolver: Resolver, tls: UpstreamDefaults) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Settings::new(resolver, tls);
    }

    fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        if let Some(ip) = literal(host) {
            return Ok(SocketAddr::new(ip, port));
        }
        let (found, answer) = oneshot::channel();
        let (resolver, name) = (self.settings().resolver, host.to_owned());
        self.spawn(Box::new(move || {
            Box::pin(async move {
                // Who asked may have lost patience.
                let _ = found.send(resolver.resolve(&name, port).await);
            })
        }));
        let addresses = answer.await.map_err(|_| io::Error::other("the thread of plugins has ended"))?;
        let addresses = addresses.map_err(|error| io::Error::other(format!("{host}: {error}")))?;
        addresses.first().map(|address| address.addr).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    async fn encrypted(
        &self,
        stream: impl Stream + 'static,
        address: IpAddr,
        to: &Remote,
        tls: &RemoteTls,
    ) -> io::Result<Box<dyn Stream>> {
        let client = self.settings().tls.probe(None, tls.verify).map_err(io::Error::other)?;
        let name = server_name(tls.server_name.as_deref().unwrap_or(&to.host), address);
        Ok(Box::new(TlsConnector::from(client.config.clone()).connect(name, stream).await?))
    }
}

impl Settings {
    fn new(resolver: Resolver, tls: UpstreamDefaults) -> Self {
        // No entities, so none that cannot be used.
        let (tls, _) = UpstreamTls::new(&Entities::default(), tls);
        Self { resolver, tls: Arc::new(tls) }
    }
}

impl Services for Outside {
    fn connect<'a>(&'a self, to: &'a Remote) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(self.resolve(&to.host, to.port).await?).await?;
            // Without it small messages would wait for acknowledgements; where it fails they do.
            let _ = stream.set_nodelay(true);
            match &to.tls {
                None => Ok(Box::new(stream) as Box<dyn Stream>),
                Some(tls) => {
                    let address = stream.peer_addr()?.ip();
                    self.encrypted(stream, address, to, tls).await
                }
            }
        })
    }

    fn encrypt<'a>(
        &'a self,
        stream: Box<dyn Stream>,
        to: &'a Remote,
    ) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            // A host that is neither a name nor an address is not known by one.
            let address = literal(&to.host).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
            self.encrypted(stream, address, to, &to.tls.clone().unwrap_or_default()).await
        })
    }

    fn send_datagram<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        payload: &'a [u8],
    ) -> LocalFuture<'a, io::Result<()>> {
        Box::pin(async move {
            let to = self.resolve(host, port).await?;
            let own: SocketAddr = match to {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            UdpSocket::bind(own).await?.send_to(payload, to).await.map(drop)
        })
    }

    fn send_local_datagram<'a>(
        &'a self,
        path: &'a str,
        payload: &'a [u8],
    ) -> LocalFuture<'a, io::Result<()>> {
        Box::pin(async move { UnixDatagram::unbound()?.send_to(payload, path).await.map(drop) })
    }

    fn spawn(&self, job: Job) {
        // Fails once the process ends.
        let _ = self.jobs.send(job);
    }
}
