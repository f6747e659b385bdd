//! The log: burn, cubecl and wgpu log freely, and nothing of it may reach the screen. It goes to a
//! file, which is opened with the first record and started afresh once it has grown large.

use crate::data::check_plain_file;
use crate::error::{Error, Result};
use crate::printable::printable;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write, stderr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// A log longer than this is set aside as `….old` when the next run begins to write.
const LARGEST: u64 = 1 << 20;

/// Writes records to a file.
struct FileLog {
    path: PathBuf,
    /// Opened for the first record; `None` where the file cannot be written: records are dropped.
    file: OnceLock<Option<Mutex<File>>>,
}

static LOG: OnceLock<FileLog> = OnceLock::new();

/// Sends every record, and the text of every panic, to the file at `path`. Only the first call
/// counts.
///
/// # Errors
/// With `demanded` (the user named the file): failure, when it cannot be written.
pub fn start(path: &Path, demanded: bool) -> Result<()> {
    if demanded {
        if path.exists() && !is_nowhere(path) {
            check_plain_file(path, "write the log")?;
        }
        open(path).map_err(|e| Error::io("write the log", path, &e))?;
    }
    let log = LOG.get_or_init(|| FileLog { path: path.into(), file: OnceLock::new() });
    if log::set_logger(log).is_ok() {
        log::set_max_level(LevelFilter::Info);
        // A panic is reported by the code that catches it, in one line; its place is written to the log.
        std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    }
    Ok(())
}

/// Whether the log is to be dropped.
fn is_nowhere(path: &Path) -> bool {
    path == Path::new("/dev/null")
}

/// Opens the log for appending, with its folder. A pipe would wait for its reader: only a plain
/// file is opened.
fn open(path: &Path) -> std::io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) && !is_nowhere(path) {
        return Err(ErrorKind::InvalidInput.into());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() > LARGEST) {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".old");
        std::fs::rename(path, aside)?;
    }
    OpenOptions::new().append(true).create(true).open(path)
}

/// Does `work` with standard error sent to the log: graphics drivers print there what they please.
pub fn quietly<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    let diverted = StderrRedirect::begin(path);
    let result = work();
    drop(diverted);
    result
}

/// Standard error as it was; comes back when this is dropped.
pub struct StderrRedirect(OwnedFd);

impl StderrRedirect {
    /// Sends standard error to the log at `path`, or nowhere where that cannot be written.
    pub fn begin(path: &Path) -> Option<Self> {
        let before = stderr().as_fd().try_clone_to_owned().ok()?;
        let file = open(path).or_else(|_| File::options().write(true).open("/dev/null")).ok()?;
        rustix::stdio::dup2_stderr(file).ok()?;
        Some(Self(before))
    }
}

impl Drop for StderrRedirect {
    fn drop(&mut self) {
        let _ = rustix::stdio::dup2_stderr(&self.0);
    }
}

impl Log for FileLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let own = metadata.target().starts_with("epsiloscope");
        metadata.level() <= if own { Level::Info } else { Level::Warn }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(file) = self.file.get_or_init(|| open(&self.path).ok().map(Mutex::new)) {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let (id, level) = (std::process::id(), record.level());
            let (target, text) = (record.target(), printable(&record.args().to_string()));
            // One write a record, so that the lines of two processes do not mix.
            let line = format!("{:.3} [{id}] {level} {target}: {text}\n", now.as_secs_f64());
            let _ = file.write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        crate::data::make_pipe(&pipe);
        assert!(open(&pipe).is_err());
        assert!(open(Path::new("/dev/null")).is_ok());
        let told = start(&pipe, true).unwrap_err().to_string();
        assert!(told.contains("cannot write the log: a pipe"), "{told}");
    }

    #[test]
    fn a_long_log_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/a.log");
        open(&path).unwrap().write_all(&vec![b'x'; LARGEST as usize + 1]).unwrap();
        open(&path).unwrap().write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(folder.path().join("state/a.log.old").exists());
    }
}
