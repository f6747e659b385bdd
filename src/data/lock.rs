//! One writer at a time.

use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The right to write a file, for one process at a time: an advisory lock on `NAME.lock` beside it,
/// which holds the process's number. It ends with its owner, however that ends; a `kill -9` leaves
/// the file behind, which the next one takes over.
#[derive(Debug)]
pub struct FileLock {
    beside: PathBuf,
    _file: File,
}

/// So often a lock file is opened anew that its last owner has just taken away.
const TRIES: usize = 100;

impl FileLock {
    /// Takes the lock of the file at `path`, which need not be there yet.
    ///
    /// # Errors
    /// Failure, where another one holds it, naming its process, or where the folder cannot be
    /// written to.
    pub fn take(path: &Path) -> Result<Self> {
        let mut name = std::fs::canonicalize(path).unwrap_or_else(|_| path.into()).into_os_string();
        name.push(".lock");
        let beside = PathBuf::from(name);
        let fail = |e: &std::io::Error| Error::io("lock", &beside, e);
        if std::fs::symlink_metadata(&beside).is_ok_and(|found| !found.is_file()) {
            let remedy = "remove it, or choose another place";
            return Err(Error::file("the lock is not a plain file", beside.display(), remedy));
        }
        for _ in 0..TRIES {
            let mut options = File::options();
            let options = options.create(true).truncate(false).read(true).write(true);
            let mut file = options.open(&beside).map_err(|e| fail(&e))?;
            match file.try_lock() {
                Ok(()) => {}
                // Some network folders know no locks.
                Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
                Err(TryLockError::Error(e)) => return Err(fail(&e)),
                Err(TryLockError::WouldBlock) => return Err(held(&mut file, path)),
            }
            if is_at(&file, &beside) {
                let number = format!("{}\n", std::process::id());
                let told = file.set_len(0).and_then(|()| file.write_all(number.as_bytes()));
                told.map_err(|e| fail(&e))?;
                return Ok(Self { beside, _file: file });
            }
        }
        Err(fail(&ErrorKind::WouldBlock.into()))
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // While it is still held: nobody else's is taken away.
        let _ = std::fs::remove_file(&self.beside);
    }
}

/// Another one holds it.
fn held(file: &mut File, path: &Path) -> Error {
    let mut number = String::new();
    let _ = file.rewind().and_then(|()| file.take(20).read_to_string(&mut number));
    let who = match number.trim().parse::<u32>() {
        Ok(process) => format!("another run (process {process})"),
        Err(_) => "another run".to_string(),
    };
    let what = format!("{who} is at work on it");
    Error::file(what, path.display(), "wait for its end, or name another file")
}

/// Whether the path still leads to the open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |found: std::fs::Metadata| (found.dev(), found.ino());
    let here = file.metadata().map(number).ok();
    here.is_some() && here == std::fs::metadata(path).map(number).ok()
}

/// Whether the path still leads to the open file.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let held = FileLock::take(&path).unwrap();
        let error = FileLock::take(&path).unwrap_err().to_string();
        let number = format!("process {}", std::process::id());
        assert!(error.contains(&number) && error.contains("a.json"), "{error}");
        drop(held);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        // One that a killed run left behind is taken over.
        std::fs::write(folder.path().join("a.json.lock"), "1\n").unwrap();
        drop(FileLock::take(&path).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::create_dir(folder.path().join("a.json.lock")).unwrap();
        assert!(FileLock::take(&path).is_err());
    }

    #[test]
    fn many_at_once_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        let turn = || {
            let mut done = 0;
            while done < 50 {
                let Ok(lock) = FileLock::take(&path) else { continue };
                let others = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                assert_eq!(others, 0);
                inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                drop(lock);
                done += 1;
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(turn))));
    }
}
