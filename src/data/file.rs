//! Pictures from the user's files, with limits against giant ones.

use crate::data::Picture;
use crate::error::{Error, Result};
use image::{ImageReader, Limits};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

/// No picture larger than this on either side is decoded.
const LARGEST_SIDE: u32 = 16_384;
/// The decoder may not take more memory than this.
const LARGEST_ALLOCATION: u64 = 512 << 20;
/// No file larger than this is read.
const LARGEST_FILE: u64 = 256 << 20;

/// Reads a PNG or JPEG file at its own size.
///
/// # Errors
/// Failure, naming the file and what is wrong with it: missing, unreadable, empty, truncated, not a
/// picture, or too large.
pub fn read_picture(path: &Path) -> Result<Picture> {
    let file = File::open(path).map_err(|e| Error::io("read the picture", path, &e))?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io("read the picture", path, &e))?;
    if bytes.is_empty() {
        return Err(Error::failure(
            "the file is empty",
            path.display(),
            "give a PNG or JPEG picture",
        ));
    }
    if bytes.len() as u64 > LARGEST_FILE {
        let what = format!("the file is larger than {} MiB", LARGEST_FILE >> 20);
        return Err(Error::failure(what, path.display(), "make the picture smaller"));
    }
    decode(&bytes, path)
}

/// Decodes a PNG or JPEG picture; `place` is named in errors.
pub(super) fn decode(bytes: &[u8], place: &Path) -> Result<Picture> {
    use image::ImageError as E;
    let bad = |error: E| {
        let (what, remedy) = match &error {
            E::Limits(_) => ("the picture is too large to decode".to_string(), "make it smaller"),
            E::Unsupported(_) => ("not a PNG or JPEG picture".into(), "convert it to PNG or JPEG"),
            E::IoError(_) => ("the picture is cut short".into(), "get the whole file"),
            other => {
                (format!("the picture is damaged: {other}"), "convert it to PNG or JPEG again")
            }
        };
        Error::failure(what, place.display(), remedy)
    };
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| bad(E::IoError(e)))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_ALLOCATION);
    reader.limits(limits);
    let image = reader.decode().map_err(bad)?;
    Ok(Picture::from_image(&image))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_files_get_one_line_with_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let mut png = Vec::new();
        let picture = Picture::new([3, 64, 64], vec![0.3; 3 * 64 * 64]);
        picture.to_rgb().write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
        assert!(read_picture(&write("good.png", &png)).is_ok());
        let mut giant = png.clone();
        giant[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        for (name, bytes, cause) in [
            ("empty.png", &[][..], "empty"),
            ("text.png", b"hello world, this is text", "not a PNG or JPEG"),
            ("cut.png", &png[..png.len() / 2], ""),
            ("giant.png", &giant, ""),
        ] {
            let error = read_picture(&write(name, bytes)).unwrap_err().to_string();
            assert!(error.contains(cause) && error.contains(name), "{error}");
            assert!(!error.contains('\n'));
        }
        let missing = read_picture(&folder.path().join("none.png")).unwrap_err();
        assert!(missing.to_string().contains("none.png"), "{missing}");
        assert!(read_picture(folder.path()).is_err());
    }
}
