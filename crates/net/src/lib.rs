//! Listeners, client addresses and name resolution.
//!
//! [`listen`] opens sockets, [`accept`] takes the connections on them, [`datagrams`] what comes without one,
//! [`proxy_protocol`] and [`real_ip`] find out who is really at the other end, [`client_hello`] whom a TLS client looks
//! for, [`dns`] turns names into addresses, [`clock`] limits waits, [`shortage`] tells whose fault it is that there is no
//! connection. Nothing here knows HTTP or the configuration file.

pub mod accept;
pub mod client_hello;
pub mod clock;
pub mod datagrams;
pub mod dns;
pub mod listen;
pub mod proxy_protocol;
pub mod real_ip;
pub mod shortage;
