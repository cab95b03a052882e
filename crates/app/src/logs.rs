//! The log files of a run: opened at the start, opened again after a rotation.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use polygate_config::Settings;
use polygate_config::settings::LogLevel;
use polygate_telemetry::{Level, LogFile, LogWriter, log};

use crate::Error;

/// For lines of the access log that are not written yet when the gateway ends.
const CLOSING: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Logs {
    error: Arc<LogFile>,
    /// `None` when it is switched off.
    pub access: Option<Arc<LogWriter>>,
}

impl Logs {
    /// Opens the files; error lines go there from now on.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let paths = &settings.logs;
        let error = open(paths.proxy_error.as_deref().unwrap_or(Path::new("/dev/null")))?;
        let access = paths.proxy_access.as_deref().map(open_busy).transpose()?;
        log::init(error.clone());
        set_level(settings);
        Ok(Self { error, access })
    }

    pub fn reopen(&self) {
        if let Err(error) = self.error.reopen() {
            log!(Error, "could not reopen a log file, going on with the old one: {error}");
        }
        if let Some(access) = &self.access {
            access.reopen();
        }
    }

    /// Writes what is still to be written, at the end of a run.
    pub fn close(&self) {
        if let Some(access) = &self.access
            && !access.close(CLOSING)
        {
            log!(Error, "access log lines were not written within {} s", CLOSING.as_secs());
        }
    }
}

pub fn set_level(settings: &Settings) {
    log::set_level(match settings.log_level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warn => Level::Warn,
        LogLevel::Error => Level::Error,
        LogLevel::Crit => Level::Crit,
        LogLevel::Alert => Level::Alert,
        LogLevel::Emerg => Level::Emerg,
    });
}

fn open_busy(path: &Path) -> Result<Arc<LogWriter>, Error> {
    let opened = LogWriter::open(path).map_err(|cause| Error::Log { path: path.to_owned(), cause })?;
    Ok(Arc::new(opened))
}

fn open(path: &Path) -> Result<Arc<LogFile>, Error> {
    let opened = LogFile::open(path).map_err(|cause| Error::Log { path: path.to_owned(), cause })?;
    Ok(Arc::new(opened))
}
