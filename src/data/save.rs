//! Saving, all or nothing: to a temporary file beside the target, then renamed.

use crate::data::Picture;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that it is either whole or not there at all. What is not a plain file (such as
/// `/dev/stdout`) is written to directly.
///
/// # Errors
/// Failure, when the place is read-only, full or does not exist.
pub fn atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let fail = |e: io::Error| Error::io("save", path, &e);
    if path.exists() && !path.is_file() && !path.is_dir() {
        let mut file = BufWriter::new(File::options().write(true).open(path).map_err(fail)?);
        return write(&mut file).and_then(|()| file.flush()).map_err(fail);
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    if path.is_dir() {
        return Err(fail(io::ErrorKind::IsADirectory.into()));
    }
    let mut file =
        tempfile::Builder::new().prefix(".epsiloscope-").tempfile_in(&folder).map_err(fail)?;
    {
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered).and_then(|()| buffered.flush()).map_err(fail)?;
    }
    file.as_file().sync_all().map_err(fail)?;
    let mode = std::fs::metadata(path).ok().map(|m| m.permissions());
    let file = file.persist(path).map_err(|e| fail(e.error))?;
    // A temporary file is private; a result is as readable as the one before it, or as any new file.
    if let Some(mode) = mode.or_else(readable) {
        let _ = file.set_permissions(mode);
    }
    Ok(())
}

#[cfg(unix)]
fn readable() -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable() -> Option<std::fs::Permissions> {
    None
}

/// Saves as 8-bit PNG: grey pictures as grey, colour as RGB.
///
/// # Errors
/// As [`atomically`].
pub fn save_png(picture: &Picture, path: &Path) -> Result<()> {
    let rgb = image::DynamicImage::ImageRgb8(picture.to_rgb());
    let image = match picture.shape()[0] {
        1 => image::DynamicImage::ImageLuma8(rgb.to_luma8()),
        _ => rgb,
    };
    let mut bytes = Vec::new();
    image
        .write_to(&mut io::Cursor::new(&mut bytes), image::ImageFormat::Png)
        .map_err(|e| Error::failure(format!("cannot encode: {e}"), path.display(), ""))?;
    atomically(path, |file| file.write_all(&bytes))
}

/// Saves as NumPy `.npy` (version 1.0, little-endian `f32`, C order): every bit is kept.
///
/// # Errors
/// As [`atomically`].
pub fn save_npy(shape: &[usize], values: &[f32], path: &Path) -> Result<()> {
    let sizes: Vec<String> = shape.iter().map(|s| format!("{s},")).collect();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes.join(" "));
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.push_str(&" ".repeat(padding % 64));
    header.push('\n');
    atomically(path, |file| {
        file.write_all(b"\x93NUMPY\x01\x00")?;
        file.write_all(&(header.len() as u16).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        values.iter().try_for_each(|v| file.write_all(&v.to_le_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_save_leaves_the_old_file_and_no_rubbish() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        atomically(&path, |f| f.write_all(b"old")).unwrap();
        let error = atomically(&path, |f| {
            f.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(error.unwrap_err().to_string().contains("free some space"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn npy_has_an_aligned_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        save_npy(&[1, 2, 2], &[0.0, 0.25, 0.5, 1.0], &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((bytes.len() - 16) % 64, 0);
        assert!(String::from_utf8_lossy(&bytes).contains("'shape': (1, 2, 2,)"));
        assert_eq!(bytes[bytes.len() - 4..], 1.0_f32.to_le_bytes());
    }
}
