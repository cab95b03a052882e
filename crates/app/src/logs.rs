//! The log files of a run: opened at the start, opened again after a rotation.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use polygate_config::Settings;
use polygate_config::settings::LogLevel;
use polygate_telemetry::{Level, LogFile, LogWriter, log};

use crate::Error;

/// For lines of the access log that are not written yet when the gateway ends.
pub const CLOSING: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Logs {
    level: Level,
    error: Arc<LogFile>,
    /// `None` when it is switched off.
    pub access: Option<Arc<LogWriter>>,
    /// That of streams, which may be the same.
    pub stream: Option<Arc<LogWriter>>,
}

impl Logs {
    /// Opens the files. What `previous` has open already is shared with it.
    pub fn open(settings: &Settings, previous: Option<&Self>) -> Result<Self, Error> {
        let error = settings.logs.proxy_error.as_deref().unwrap_or(Path::new("/dev/null"));
        let same_error = previous.map(|it| &it.error).filter(|it| it.path() == error);
        let busy = |path: Option<&Path>, same: &[&Option<Arc<LogWriter>>]| match path {
            None => Ok(None),
            Some(path) => match same.iter().filter_map(|it| it.as_ref()).find(|it| it.path() == path) {
                Some(writer) => Ok(Some(writer.clone())),
                None => open_busy(path).map(Some),
            },
        };
        let (before, stream_before) = previous.map_or((&None, &None), |it| (&it.access, &it.stream));
        let access = busy(settings.logs.proxy_access.as_deref(), &[before, stream_before])?;
        let stream = busy(settings.logs.proxy_stream_access.as_deref(), &[&access, stream_before, before])?;
        Ok(Self {
            level: level(settings.log_level),
            error: same_error.map_or_else(|| open(error), |file| Ok(file.clone()))?,
            access,
            stream,
        })
    }

    /// Error lines go there from now on.
    pub fn begin(&self) {
        log::set_file(self.error.clone());
        log::set_level(self.level);
    }

    pub fn reopen(&self) {
        if let Err(error) = self.error.reopen() {
            log!(Error, "could not reopen a log file, going on with the old one: {error}");
        }
        self.busy().for_each(|access| access.reopen());
    }

    /// Writes what is still to be written, at the end of a run.
    pub fn close(&self) {
        for access in self.busy() {
            if !access.close(CLOSING) {
                log!(Error, "access log lines were not written within {} s", CLOSING.as_secs());
            }
        }
    }

    /// The access logs, each once.
    fn busy(&self) -> impl Iterator<Item = &Arc<LogWriter>> {
        let is_same =
            |stream: &&Arc<LogWriter>| self.access.as_ref().is_some_and(|it| Arc::ptr_eq(it, stream));
        self.access.iter().chain(self.stream.iter().filter(move |stream| !is_same(stream)))
    }
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warn => Level::Warn,
        LogLevel::Error => Level::Error,
        LogLevel::Crit => Level::Crit,
        LogLevel::Alert => Level::Alert,
        LogLevel::Emerg => Level::Emerg,
    }
}

fn open_busy(path: &Path) -> Result<Arc<LogWriter>, Error> {
    let opened = LogWriter::open(path).map_err(|cause| Error::Log { path: path.to_owned(), cause })?;
    Ok(Arc::new(opened))
}

fn open(path: &Path) -> Result<Arc<LogFile>, Error> {
    let opened = LogFile::open(path).map_err(|cause| Error::Log { path: path.to_owned(), cause })?;
    Ok(Arc::new(opened))
}
