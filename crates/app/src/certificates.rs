//! The certificates of the settings, and the one that is made where there are none.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polygate_config::Settings;
use polygate_config::settings::{CertificatePair, ClientCertificate, Listen, Pem, Trusted};
use polygate_telemetry::log;
use polygate_tls::{CertificateDer, CertifiedKey, Trust, UpstreamDefaults, certificates, generate, pair};

use crate::LoadError;

/// Where the generated pair is, below the prefix; the names are the reference's.
const GENERATED: &str = "ssl/kong-default-ecdsa.crt";
const GENERATED_KEY: &str = "ssl/kong-default-ecdsa.key";

const OWN_TRUSTED: &str = "lua_ssl_trusted_certificate";

/// Where systems keep whom they trust; the first that there is counts, as in the reference.
const OF_SYSTEMS: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads what is given, and makes nothing.
pub fn check(settings: &Settings) -> Result<(), LoadError> {
    let tls = &settings.tls;
    tls.certificates.iter().try_for_each(|given| load("ssl_cert", given).map(drop))?;
    tls.status_certificates.iter().try_for_each(|given| load("status_ssl_cert", given).map(drop))?;
    if let ClientCertificate::Given(given) = &tls.client {
        load("client_ssl_cert", given)?;
    }
    authorities(settings).and(own_authorities(settings)).map(drop)
}

/// What clients are shown.
pub fn default(settings: &Settings) -> Result<Vec<Arc<CertifiedKey>>, LoadError> {
    of_listeners(settings, &settings.proxy_listen, "ssl_cert", &settings.tls.certificates)
}

/// What those are shown who ask the Status API.
pub fn status(settings: &Settings) -> Result<Vec<Arc<CertifiedKey>>, LoadError> {
    of_listeners(settings, &settings.status_listen, "status_ssl_cert", &settings.tls.status_certificates)
}

fn of_listeners(
    settings: &Settings,
    listeners: &[Listen],
    property: &'static str,
    given: &[CertificatePair],
) -> Result<Vec<Arc<CertifiedKey>>, LoadError> {
    match given {
        [] if listeners.iter().any(|listen| listen.ssl) => Ok(vec![generated(settings)?]),
        given => given.iter().map(|pair| load(property, pair)).collect(),
    }
}

/// What services are reached with unless they say otherwise.
pub fn upstream(settings: &Settings) -> Result<UpstreamDefaults, LoadError> {
    let tls = &settings.tls;
    let trust = Trust { authorities: authorities(settings)?.into(), depth: tls.verify_depth };
    let own_trust = Trust { authorities: own_authorities(settings)?.into(), depth: tls.own_verify_depth };
    let certificate = match &tls.client {
        ClientCertificate::None => None,
        ClientCertificate::Generated => Some(generated(settings)?),
        ClientCertificate::Given(given) => Some(load("client_ssl_cert", given)?),
    };
    Ok(UpstreamDefaults { verify: tls.verify_upstreams, trust, certificate, own_trust })
}

type Authorities = Vec<CertificateDer<'static>>;

fn authorities(settings: &Settings) -> Result<Authorities, LoadError> {
    let trusted = settings.tls.trusted.as_ref();
    trusted.map_or(Ok(Vec::new()), |pem| believed("nginx_proxy_proxy_ssl_trusted_certificate", pem))
}

fn own_authorities(settings: &Settings) -> Result<Authorities, LoadError> {
    let each = settings.tls.own_trusted.iter().map(|trusted| match trusted {
        Trusted::System => Ok(of_system()),
        Trusted::Given(pem) => believed(OWN_TRUSTED, pem),
    });
    Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Nobody named these files, so that what is wrong with one is no reason not to start.
fn of_system() -> Authorities {
    let Some(path) = OF_SYSTEMS.iter().map(Path::new).find(|path| path.exists()) else { return Vec::new() };
    believed(OWN_TRUSTED, &Pem::File(path.to_owned())).unwrap_or_else(|error| {
        log!(Warn, "the authorities of the system are not trusted: {}: {error}", path.display());
        Vec::new()
    })
}

fn believed(property: &'static str, pem: &Pem) -> Result<Authorities, LoadError> {
    certificates(&read(property, pem)?).map_err(|why| LoadError::Certificate { property, why })
}

fn load(property: &'static str, given: &CertificatePair) -> Result<Arc<CertifiedKey>, LoadError> {
    let pair = pair(&read(property, &given.certificate)?, &read(property, &given.key)?);
    pair.map(Arc::new).map_err(|why| LoadError::Certificate { property, why })
}

/// The pair of an earlier start, or a new one.
fn generated(settings: &Settings) -> Result<Arc<CertifiedKey>, LoadError> {
    let (certificate, key) = (settings.prefix.join(GENERATED), settings.prefix.join(GENERATED_KEY));
    if !certificate.exists() || !key.exists() {
        let made = generate().map_err(|why| LoadError::Certificate { property: "ssl_cert", why })?;
        keep(&key, &made.key, 0o600)?;
        keep(&certificate, &made.certificate, 0o644)?;
    }
    load("ssl_cert", &CertificatePair { certificate: Pem::File(certificate), key: Pem::File(key) })
}

fn keep(path: &Path, text: &str, mode: u32) -> Result<(), LoadError> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        // Nobody else reads it while it is written.
        let unfinished = path.with_extension("new");
        fs::write(&unfinished, "")?;
        fs::set_permissions(&unfinished, Permissions::from_mode(mode))?;
        fs::write(&unfinished, text)?;
        fs::rename(unfinished, path)
    };
    write().map_err(|cause| LoadError::Unwritable { path: path.to_owned(), cause })
}

fn read(property: &'static str, pem: &Pem) -> Result<String, LoadError> {
    let unreadable = |path: &PathBuf, cause| LoadError::Unreadable { property, path: path.clone(), cause };
    match pem {
        Pem::Text(text) => Ok(text.clone()),
        Pem::File(path) => fs::read_to_string(path).map_err(|cause| unreadable(path, cause)),
    }
}

#[cfg(test)]
mod tests {
    use polygate_config::conf::{self, Sources};

    use super::*;

    fn settings(trusted: &str) -> Settings {
        let given = [("database", "off"), ("lua_ssl_trusted_certificate", trusted)];
        let overrides = given.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().collect();
        conf::load(Sources { overrides, ..Sources::default() }).unwrap().0
    }

    #[test]
    fn the_authorities_of_the_gateway_are_those_that_are_named() {
        let made = generate().unwrap().certificate;
        let trusted = |text: &str| own_authorities(&settings(text)).map(|all| all.len());
        assert_eq!(trusted(&made).unwrap(), 1);
        assert_eq!(trusted(&format!("system,{made},{made}")).unwrap(), of_system().len() + 2);
        let refused = check(&settings("system,/no/such/file")).unwrap_err().to_string();
        assert!(
            refused.starts_with("lua_ssl_trusted_certificate: could not read /no/such/file"),
            "{refused}"
        );
    }
}
