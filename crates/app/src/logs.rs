//! The log files of a run: opened at the start, opened again after a rotation.

use std::path::Path;
use std::sync::Arc;

use polygate_config::Settings;
use polygate_config::settings::LogLevel;
use polygate_telemetry::{Level, LogFile, log};

use crate::Error;

#[derive(Clone)]
pub struct Logs {
    error: Arc<LogFile>,
    /// `None` when it is switched off.
    pub access: Option<Arc<LogFile>>,
}

impl Logs {
    /// Opens the files; error lines go there from now on.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let paths = &settings.logs;
        let error = open(paths.proxy_error.as_deref().unwrap_or(Path::new("/dev/null")))?;
        let access = paths.proxy_access.as_deref().map(open).transpose()?;
        log::init(error.clone());
        set_level(settings);
        Ok(Self { error, access })
    }

    pub fn reopen(&self) {
        for file in [Some(&self.error), self.access.as_ref()].into_iter().flatten() {
            if let Err(error) = file.reopen() {
                log!(Error, "could not reopen a log file, going on with the old one: {error}");
            }
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

fn open(path: &Path) -> Result<Arc<LogFile>, Error> {
    let opened = LogFile::open(path).map_err(|cause| Error::Log { path: path.to_owned(), cause })?;
    Ok(Arc::new(opened))
}
