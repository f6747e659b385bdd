//! NumPy's `.npy`: images with every bit of theirs.

use crate::data::{Image, memory, write_atomically};
use crate::error::{Error, Result};
use std::io::{self, Read};
use std::path::Path;

/// What such a file begins with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// No image with more values than this is read.
const LARGEST: usize = 3 * 4096 * 4096;

/// Saves as NumPy `.npy` (version 1.0, little-endian `f32`, C order): every bit is kept.
///
/// # Errors
/// As [`write_atomically`].
pub fn save_npy(shape: &[usize], values: &[f32], path: &Path) -> Result<()> {
    let sizes: Vec<String> = shape.iter().map(|s| format!("{s},")).collect();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes.join(" "));
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.push_str(&" ".repeat(padding % 64));
    header.push('\n');
    write_atomically(path, |file| {
        file.write_all(MAGIC)?;
        file.write_all(&[1, 0])?;
        file.write_all(&(header.len() as u16).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        values.iter().try_for_each(|v| file.write_all(&v.to_le_bytes()))
    })
}

/// Reads an image `[C, H, W]` or `[1, C, H, W]`, C 1 or 3, little-endian `f32` in 0..1.
///
/// # Errors
/// Failure, naming `place`: another type, order or shape, too large, cut short, a value outside 0..1.
pub(super) fn read(mut file: impl Read, place: &Path) -> Result<Image> {
    const REMEDY: &str = "save x [C,H,W] with C 1 or 3 as float32 in 0..1, in C order";
    let bad = |what: String| Error::file(what, place.display(), REMEDY);
    let cut = |_: io::Error| bad("the NumPy file is cut short".into());
    let header = header(&mut file).map_err(cut)?;
    let field = |name: &str| {
        let (_, rest) = header.split_once(&format!("'{name}':"))?;
        Some(rest.trim_start())
    };
    let (Some(kind), Some(order), Some(sizes)) =
        (field("descr"), field("fortran_order"), field("shape"))
    else {
        return Err(bad("not a NumPy file: its header does not parse".into()));
    };
    if !kind.starts_with("'<f4'") {
        let kind = kind.split([',', '}']).next().unwrap_or_default().trim();
        return Err(bad(format!("its values are {kind}, not '<f4' (float32)")));
    }
    if !order.starts_with("False") {
        return Err(bad("its values are in Fortran's order".into()));
    }
    let sizes = sizes.strip_prefix('(').and_then(|rest| rest.split(')').next()).unwrap_or_default();
    let parts = sizes.split(',').map(str::trim).filter(|part| !part.is_empty());
    let shape: Vec<usize> = parts.map_while(|part| part.parse().ok()).collect();
    let shape = match shape[..] {
        [c @ (1 | 3), h, w] | [1, c @ (1 | 3), h, w] => [c, h, w],
        _ => return Err(bad(format!("its shape ({sizes}) is not that of a picture"))),
    };
    let values = shape.iter().try_fold(1, |all: usize, side| all.checked_mul(*side));
    let Some(values) = values.filter(|values| (1..=LARGEST).contains(values)) else {
        return Err(bad(format!("its shape ({sizes}) is empty or too large for a picture")));
    };
    let text = place.display().to_string();
    memory::check_budget(Some(12 * values as u64), "the picture", &text, "make it smaller")?;
    let mut bytes = Vec::new();
    file.take(4 * values as u64).read_to_end(&mut bytes).map_err(cut)?;
    if bytes.len() != 4 * values {
        return Err(bad("the NumPy file is cut short".into()));
    }
    let pixels: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let picture = Image::new(shape, pixels);
    picture.check(&place.display().to_string())?;
    Ok(picture)
}

/// No header is longer, in bytes: that of an image has some hundred.
const LONGEST: u32 = 1 << 16;

/// The text of the header; none where it is longer than any that is written.
fn header(file: &mut impl Read) -> io::Result<String> {
    let mut start = [0; 8];
    file.read_exact(&mut start)?;
    // Version 1 has two bytes of length, those after it four.
    let mut length = [0; 4];
    file.read_exact(&mut length[..if start[6] == 1 { 2 } else { 4 }])?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Ok(String::new());
    }
    let mut text = Vec::new();
    file.take(length.into()).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_again_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let values: Vec<f32> = (0..12).map(|i| (i as f32 / 11.0).powi(2)).collect();
        for shape in [&[3, 2, 2][..], &[1, 3, 2, 2]] {
            save_npy(shape, &values, &path).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!((bytes.len() - 48) % 64, 0);
            let picture = crate::data::read_image(&path).unwrap();
            assert_eq!((picture.shape(), picture.pixels()), ([3, 2, 2], &values[..]));
        }
    }

    #[test]
    fn other_arrays_are_refused_in_one_line() {
        let file = |header: &str, values: usize| {
            let mut bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes()].concat();
            bytes.extend(header.as_bytes());
            bytes.extend(2.0_f32.to_le_bytes().repeat(values));
            bytes
        };
        let like = |kind: &str, order: &str, shape: &str| {
            format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
        };
        for (bytes, word) in [
            (file(&like("<f8", "False", "(1, 1, 2)"), 4), "'<f8'"),
            (file(&like("<f4", "True", "(1, 1, 2)"), 2), "Fortran"),
            (file(&like("<f4", "False", "(2, 1, 2)"), 4), "(2, 1, 2)"),
            (file(&like("<f4", "False", "(1, 99999, 99999999)"), 4), "too large"),
            (file(&like("<f4", "False", "(1, 0, 2)"), 0), "empty"),
            (file(&like("<f4", "False", "(1, 1, 2)"), 1), "cut short"),
            (file(&like("<f4", "False", "(1, 1, 2)"), 2), "outside 0..1"),
            (file("rubbish", 2), "does not parse"),
            (MAGIC.to_vec(), "cut short"),
        ] {
            let told = read(&bytes[..], Path::new("x.npy")).unwrap_err().to_string();
            assert!(told.contains(word) && told.contains("x.npy"), "{told}");
            assert!(!told.contains('\n'));
        }
    }
}
