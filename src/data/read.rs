//! Reading the user's files: plain files only, and never more than is allowed.

use crate::data::memory::size_text;
use crate::error::{Error, Result};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// The whole of a plain file of at most `limit` bytes; `doing` is named in errors ("read the state").
/// Its size is looked at before anything is read, and nothing but a plain file is opened: a pipe
/// would wait for ever, a device would never end.
///
/// # Errors
/// Failure, naming the file: missing, unreadable, a folder, a pipe or a device, or larger than
/// `limit`.
pub fn read_bounded(path: &Path, doing: &str, limit: u64) -> Result<Vec<u8>> {
    let io = |e: io::Error| Error::io(doing, path, &e);
    check_plain_file(path, doing)?;
    let file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let too_large = |size: u64| {
        let (size, limit) = (size_text(size), size_text(limit));
        let what = format!("cannot {doing}: the file has {size}, more than {limit}");
        Error::file(what, path.display(), "check that it is the right file")
    };
    if size > limit {
        return Err(too_large(size));
    }
    let mut bytes = Vec::new();
    let room = usize::try_from(size).ok().filter(|size| bytes.try_reserve_exact(*size).is_ok());
    if room.is_none() {
        let what = format!("cannot {doing}: there is no memory for its {}", size_text(size));
        return Err(Error::file(what, path.display(), "close other programs"));
    }
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() as u64 > limit {
        // It grew while it was read.
        true => Err(too_large(bytes.len() as u64)),
        false => Ok(bytes),
    }
}

/// Checks that what lies at `path` is a plain file, and gives its size in bytes; `doing` is named in
/// errors.
///
/// # Errors
/// Failure, saying what it is instead, or that nothing is there.
pub fn check_plain_file(path: &Path, doing: &str) -> Result<u64> {
    let found = &std::fs::metadata(path).map_err(|e| Error::io(doing, path, &e))?;
    if found.is_file() {
        return Ok(found.len());
    }
    if found.is_dir() {
        return Err(Error::io(doing, path, &io::ErrorKind::IsADirectory.into()));
    }
    let what = format!("cannot {doing}: {} is no plain file", kind(found));
    Err(Error::file(what, path.display(), "name a plain file"))
}

#[cfg(unix)]
fn kind(found: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = found.file_type();
    match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () if kind.is_socket() => "a socket",
        () => "this",
    }
}

#[cfg(not(unix))]
fn kind(_: &Metadata) -> &'static str {
    "this"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_files_within_the_limit_are_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, "read it", 5).unwrap(), b"12345");
        let told =
            |path: &Path, limit| read_bounded(path, "read it", limit).unwrap_err().to_string();
        assert!(told(&path, 4).contains("5 bytes, more than 4 bytes"), "{}", told(&path, 4));
        assert!(told(folder.path(), 9).contains("name a file, not a folder"));
        assert!(told(&folder.path().join("b"), 9).contains("check the path"));
    }

    #[test]
    #[cfg(unix)]
    fn pipes_and_devices_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        crate::data::make_pipe(&pipe);
        for (path, what) in [(pipe.as_path(), "a pipe"), (Path::new("/dev/zero"), "a device")] {
            let told = read_bounded(path, "read it", 1 << 20).unwrap_err().to_string();
            assert!(told.contains(what) && told.contains("name a plain file"), "{told}");
        }
    }
}
