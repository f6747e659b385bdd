//! Saving, all or nothing: to a temporary file beside the target, then renamed.

use crate::data::Image;
use crate::error::{Error, Result};
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the names of temporary files begin with; the number of their process follows.
const TEMPORARY: &str = ".epsiloscope-";

/// A temporary file is not touched before this, whatever became of its process.
const YOUNG: Duration = Duration::from_mins(1);

/// So many links lead one to another before they lead nowhere.
const LINKS: usize = 40;

/// Where something is to be written.
#[derive(Debug, PartialEq)]
enum Target {
    /// A plain file, or a place where there is nothing yet, behind all links.
    File(PathBuf),
    /// An open descriptor of this process, such as `/dev/stdout`.
    Descriptor(u32),
}

/// Writes a file so that it is either whole or not there at all; where `path` is a link, the file it
/// leads to. An open descriptor (such as `/dev/stdout`) is written to directly. What a run that was
/// killed has left behind in the folder is cleared away.
///
/// # Errors
/// Failure, when the place is read-only, full, does not exist, or is a pipe or a device.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let fail = |e: io::Error| Error::io("save", path, &e);
    let target = match target(path)? {
        Target::File(target) => target,
        Target::Descriptor(number) => return directly(path, number, write).map_err(fail),
    };
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    clear(&folder);
    let prefix = format!("{TEMPORARY}{}-", std::process::id());
    let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(&folder).map_err(fail)?;
    // Held for as long as it is written: nobody else clears it away. Not every file system can.
    let _ = file.as_file().try_lock();
    {
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered).and_then(|()| buffered.flush()).map_err(fail)?;
    }
    file.as_file().sync_all().map_err(fail)?;
    let mode = fs::metadata(&target).ok().map(|m| m.permissions());
    let file = file.persist(&target).map_err(|e| fail(e.error))?;
    // A temporary file is private; a result is as readable as the one before it, or as any new file.
    if let Some(mode) = mode.or_else(readable) {
        let _ = file.set_permissions(mode);
    }
    Ok(())
}

/// Checks that [`write_atomically`] could write there, as far as that can be told beforehand.
///
/// # Errors
/// As [`write_atomically`].
pub fn check_writable(path: &Path) -> Result<()> {
    target(path).map(|_| ())
}

/// Whether both are the same file, whatever they are called.
pub fn same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(a), Ok(b)) => a == b || same_inode(&a, &b),
        _ => false,
    }
}

#[cfg(unix)]
fn same_inode(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    place(one).is_some_and(|found| place(other) == Some(found))
}

#[cfg(not(unix))]
fn same_inode(_: &Path, _: &Path) -> bool {
    false
}

/// Where a path leads to.
fn target(path: &Path) -> Result<Target> {
    let fail = |e: io::Error| Error::io("save", path, &e);
    let mut at = path.to_path_buf();
    for _ in 0..LINKS {
        if let Some(number) = descriptor(&at) {
            return Ok(Target::Descriptor(number));
        }
        match fs::read_link(&at) {
            Ok(next) => at = at.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => break,
        }
    }
    match fs::metadata(&at) {
        Ok(found) if found.is_file() => Ok(Target::File(at)),
        Ok(found) if found.is_dir() => Err(fail(io::ErrorKind::IsADirectory.into())),
        Ok(_) => Err(Error::failure(
            "cannot save: a pipe or a device is no plain file",
            path.display(),
            "name a plain file",
        )),
        Err(e) if e.kind() == io::ErrorKind::NotFound && !at.is_symlink() => Ok(Target::File(at)),
        Err(e) => Err(fail(e)),
    }
}

/// The number of the open descriptor that a path names.
fn descriptor(path: &Path) -> Option<u32> {
    let folder = path.parent()?;
    let own = format!("/proc/{}/fd", std::process::id());
    let places = ["/dev/fd", "/proc/self/fd", own.as_str()];
    match path.to_str()? {
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        _ if places.iter().any(|place| folder == Path::new(place)) => {
            path.file_name()?.to_str()?.parse().ok()
        }
        _ => None,
    }
}

/// Writes to an open descriptor. What was printed before stays before it.
fn directly(
    path: &Path,
    number: u32,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out: Box<dyn Write> = match number {
        1 => Box::new(io::stdout().lock()),
        2 => Box::new(io::stderr().lock()),
        _ => Box::new(File::options().append(true).open(path)?),
    };
    let mut out = BufWriter::new(&mut out);
    write(&mut out).and_then(|()| out.flush())
}

/// Clears away temporary files whose process has ended.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if process(&entry.file_name()).is_some_and(|process| left_over(&path, process)) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// The process that a temporary file belongs to; none for a file of another name.
fn process(name: &OsStr) -> Option<i32> {
    let (process, _) = name.to_str()?.strip_prefix(TEMPORARY)?.split_once('-')?;
    process.parse().ok()
}

/// Whether nobody writes to it any more.
fn left_over(path: &Path, process: i32) -> bool {
    // A pipe would be waited for.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    let age = file.metadata().and_then(|found| found.modified()).ok();
    let old = age.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > YOUNG);
    let held = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    !held && (old || !lives(process))
}

#[cfg(unix)]
fn lives(process: i32) -> bool {
    let process = rustix::process::Pid::from_raw(process);
    // Who may not be asked is alive.
    process.is_some_and(|process| {
        rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
    })
}

#[cfg(not(unix))]
fn lives(_: i32) -> bool {
    true
}

#[cfg(unix)]
fn readable() -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable() -> Option<fs::Permissions> {
    None
}

/// Saves as 8-bit PNG: grey images as grey, colour as RGB.
///
/// # Errors
/// As [`write_atomically`].
pub fn save_png(picture: &Image, path: &Path) -> Result<()> {
    let rgb = image::DynamicImage::ImageRgb8(picture.to_rgb());
    let image = match picture.shape()[0] {
        1 => image::DynamicImage::ImageLuma8(rgb.to_luma8()),
        _ => rgb,
    };
    let mut bytes = Vec::new();
    image
        .write_to(&mut io::Cursor::new(&mut bytes), image::ImageFormat::Png)
        .map_err(|e| Error::failure(format!("cannot encode: {e}"), path.display(), ""))?;
    write_atomically(path, |file| file.write_all(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) -> Result<()> {
        write_atomically(path, |file| file.write_all(text.as_bytes()))
    }

    #[test]
    fn a_failed_save_leaves_the_old_file_and_no_rubbish() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write(&path, "old").unwrap();
        let error = write_atomically(&path, |f| {
            f.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(error.unwrap_err().to_string().contains("free some space"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_pipe_that_is_called_as_a_leftover_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join(format!("{TEMPORARY}1-x"));
        crate::data::make_pipe(&pipe);
        write(&folder.path().join("a"), "new").unwrap();
        assert!(pipe.exists());
    }

    #[test]
    #[cfg(unix)]
    fn links_are_written_through_to_their_target() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        write(&at("far/target"), "old").unwrap();
        symlink("far/target", at("link")).unwrap();
        symlink("link", at("link to link")).unwrap();
        symlink("far/none yet", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        write(&at("link to link"), "new").unwrap();
        write(&at("dangling"), "made").unwrap();
        assert_eq!(fs::read(at("far/target")).unwrap(), b"new");
        assert_eq!(fs::read(at("far/none yet")).unwrap(), b"made");
        assert!(at("link").is_symlink() && at("link to link").is_symlink());
        assert!(write(&at("circle"), "x").is_err());
        assert!(same_file(&at("link to link"), &folder.path().join("far/../far/target")));
        fs::hard_link(at("far/target"), at("hard")).unwrap();
        assert!(same_file(&at("hard"), &at("link")));
        assert!(!same_file(&at("hard"), &at("dangling")) && !same_file(&at("no"), &at("no")));
    }

    #[test]
    #[cfg(unix)]
    fn pipes_and_devices_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        crate::data::make_pipe(&pipe);
        for path in [&pipe, Path::new("/dev/zero")] {
            let told = write(path, "x").unwrap_err().to_string();
            assert!(told.contains("name a plain file"), "{told}");
        }
        assert_eq!(target(Path::new("/dev/stdout")), Ok(Target::Descriptor(1)));
        assert_eq!(target(Path::new("/proc/self/fd/7")), Ok(Target::Descriptor(7)));
    }

    #[test]
    #[cfg(unix)]
    fn what_a_killed_run_left_is_cleared_away_at_the_next_save() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: String| folder.path().join(name);
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let dead = at(format!("{TEMPORARY}{}-abc", ended.id()));
        let held = at(format!("{TEMPORARY}{}-held", ended.id()));
        let alive = at(format!("{TEMPORARY}{}-abc", std::process::id()));
        let forgotten = at(format!("{TEMPORARY}{}-def", std::process::id()));
        let other = at(".epsiloscope-notes".into());
        for path in [&dead, &held, &alive, &forgotten, &other] {
            fs::write(path, "x").unwrap();
        }
        let lock = File::open(&held).unwrap();
        lock.lock().unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * YOUNG;
        File::options().write(true).open(&forgotten).unwrap().set_modified(long_ago).unwrap();
        write(&at("a".into()), "x").unwrap();
        let there = [&dead, &held, &alive, &forgotten, &other].map(|path| path.exists());
        assert_eq!(there, [false, true, true, false, true]);
    }
}
