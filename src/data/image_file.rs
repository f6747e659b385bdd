//! Images from the user's files, with limits against giant ones.

use crate::data::decoded::DecodedImage;
use crate::data::read::check_plain_file;
use crate::data::{Image, memory, npy};
use crate::error::{Error, Result};
use image::error::{DecodingError, ImageFormatHint};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// No image larger than this on either side is decoded.
const LARGEST_SIDE: u32 = 16_384;
/// The decoder may not take more memory than this.
const LARGEST_ALLOCATION: u64 = 512 << 20;
/// No file larger than this is read.
const LARGEST_FILE: u64 = 256 << 20;
/// No Exif block longer than this is looked at.
const LARGEST_EXIF: u32 = 1 << 20;

/// Reads a PNG, JPEG or WebP file as people see it (upright, transparent parts on white) at its own
/// size, or a NumPy file as this program writes it.
///
/// # Errors
/// Failure, naming the file and what is wrong with it: missing, unreadable, empty, truncated, not a
/// image, too large, a pipe or a device.
pub fn read_image(path: &Path) -> Result<Image> {
    const DOING: &str = "read the picture";
    let size = check_plain_file(path, DOING)?;
    if size == 0 {
        return Err(Error::file(
            "the file is empty",
            path.display(),
            "give a PNG, JPEG or WebP picture",
        ));
    }
    if size > LARGEST_FILE {
        let what = format!("the file is larger than {} MiB", LARGEST_FILE >> 20);
        return Err(Error::file(what, path.display(), "make the picture smaller"));
    }
    let io = |e: io::Error| Error::io(DOING, path, &e);
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    match file.fill_buf().map_err(io)?.starts_with(npy::MAGIC) {
        true => npy::read(file, path),
        false => decode(file, path),
    }
}

/// Decodes a PNG, JPEG or WebP image; `place` is named in errors.
pub(super) fn decode(file: impl BufRead + Seek, place: &Path) -> Result<Image> {
    use ImageError as E;
    // A decoder that panics has met a damaged file that its authors had not thought of.
    let photo = catch_unwind(AssertUnwindSafe(|| read(file))).unwrap_or_else(|_| {
        let what = io::Error::other("its decoder gave up");
        Err(E::Decoding(DecodingError::new(ImageFormatHint::Unknown, what)))
    });
    photo.map(Image::from_photo).map_err(|error| {
        let (what, remedy) = match &error {
            E::Limits(_) => ("the picture is too large to decode".to_string(), "make it smaller"),
            E::Unsupported(_) => {
                ("not a PNG, JPEG or WebP picture".into(), "convert it to PNG, JPEG or WebP")
            }
            E::IoError(_) => ("the picture is cut short".into(), "get the whole file"),
            other => {
                (format!("the picture is damaged: {other}"), "convert it to PNG or JPEG again")
            }
        };
        Error::file(what, place.display(), remedy)
    })
}

/// What a file says of its image before it is decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Outline {
    /// How it was held; none: as the decoder finds it.
    orientation: Option<Orientation>,
    /// Whether it has four inks instead of three colours.
    inks: bool,
    /// Bytes that the decoder takes for a pixel, beside what it gives.
    beside: u64,
}

fn read(mut file: impl BufRead + Seek) -> Result<DecodedImage, ImageError> {
    let format = ImageReader::new(&mut file).with_guessed_format()?.format();
    let outline = match format {
        Some(ImageFormat::Jpeg) => jpeg(&mut file)?,
        Some(ImageFormat::Png) => png(&mut file)?,
        Some(ImageFormat::WebP) => webp(&mut file)?,
        // No other format is decoded.
        _ => Outline { orientation: None, inks: false, beside: 0 },
    };
    file.seek(SeekFrom::Start(0))?;
    let mut reader = ImageReader::new(file).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_ALLOCATION.min(memory::budget()));
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    limits.reserve(decoder.total_bytes())?;
    limits.reserve(u64::from(width) * u64::from(height) * outline.beside)?;
    let found = || decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let orientation = outline.orientation.unwrap_or_else(found);
    Ok(DecodedImage::new(DynamicImage::from_decoder(decoder)?, orientation, outline.inks))
}

/// Reads a JPEG from its first marker to its last. Decoders fill up with grey what is missing.
///
/// # Errors
/// Unexpected end, where the end marker is missing.
fn jpeg(file: &mut impl BufRead) -> io::Result<Outline> {
    let mut outline = Outline { orientation: None, inks: false, beside: 0 };
    loop {
        file.skip_until(0xff)?;
        let mut marker = 0xff;
        while marker == 0xff {
            marker = bytes::<1>(file)?[0];
        }
        match marker {
            // The end of the image; what follows is not part of it.
            0xd9 => return Ok(outline),
            // An ordinary byte of the scan, restarts, the start.
            0x00 | 0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes(bytes(file)?)).saturating_sub(2);
        // A frame: precision, height, width, number of components.
        let frame = matches!(marker, 0xc0..=0xcf) && ![0xc4, 0xc8, 0xcc].contains(&marker);
        let read = match frame && length >= 6 {
            true => {
                let [.., components] = bytes::<6>(file)?;
                outline.inks = components == 4;
                // A progressive image is kept as coefficients of two bytes until its last scan.
                outline.beside = if marker == 0xc2 { 2 * u64::from(components) } else { 0 };
                6
            }
            false => 0,
        };
        skip(file, length - read)?;
    }
}

/// Reads a PNG from its first block to its last; the Exif block may stand before or after the pixels.
///
/// # Errors
/// Unexpected end, where the last block is missing.
fn png(file: &mut (impl BufRead + Seek)) -> io::Result<Outline> {
    let mut outline =
        Outline { orientation: Some(Orientation::NoTransforms), inks: false, beside: 0 };
    file.seek(SeekFrom::Start(8))?;
    loop {
        let [a, b, c, d, kind @ ..] = bytes::<8>(file)?;
        let length = u32::from_be_bytes([a, b, c, d]);
        match &kind {
            // With its checksum.
            b"IEND" => return bytes::<4>(file).map(|_| outline),
            b"eXIf" if length <= LARGEST_EXIF => {
                let mut exif = vec![0; length as usize];
                file.read_exact(&mut exif)?;
                outline.orientation = Orientation::from_exif_chunk(&exif).or(outline.orientation);
                file.seek_relative(4)?;
            }
            _ => file.seek_relative(i64::from(length) + 4)?,
        }
    }
}

/// Checks that a WebP is as long as it says. Its orientation is the decoder's to find.
///
/// # Errors
/// Unexpected end, where it is shorter.
fn webp(file: &mut (impl BufRead + Seek)) -> io::Result<Outline> {
    let [.., a, b, c, d] = bytes::<8>(file)?;
    let there = file.seek(SeekFrom::End(0))?;
    match there < 8 + u64::from(u32::from_le_bytes([a, b, c, d])) {
        true => Err(ErrorKind::UnexpectedEof.into()),
        // Lossless WebP is decoded with alpha first.
        false => Ok(Outline { orientation: None, inks: false, beside: 4 }),
    }
}

fn bytes<const N: usize>(file: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Passes over `length` bytes.
fn skip(file: &mut impl BufRead, mut length: u64) -> io::Result<()> {
    while length > 0 {
        let there = file.fill_buf()?.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        if there == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        file.consume(there);
        length -= there as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ResizeFilter;
    use image::{ImageEncoder, RgbImage, RgbaImage};
    use std::io::Cursor;

    /// A file of the folder of cases.
    fn case(name: &str) -> Image {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        read_image(&folder.join(name)).unwrap()
    }

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    /// An image whose corners differ.
    fn corners() -> RgbImage {
        RgbImage::from_fn(48, 32, |x, y| image::Rgb([(x * 5) as u8, (y * 7) as u8, 90]))
    }

    #[test]
    fn bad_files_get_one_line_with_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let image = DynamicImage::ImageRgb8(corners());
        let png = encoded(&image, ImageFormat::Png);
        assert!(read_image(&write("good.png", &png)).is_ok());
        let mut giant = png.clone();
        giant[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        for (name, bytes, cause) in [
            ("empty.png", &[][..], "empty"),
            ("text.png", b"hello world, this is text", "not a PNG, JPEG or WebP"),
            ("cut.png", &png[..png.len() / 2], "cut short"),
            ("giant.png", &giant, ""),
        ] {
            let error = read_image(&write(name, bytes)).unwrap_err().to_string();
            assert!(error.contains(cause) && error.contains(name), "{error}");
            assert!(!error.contains('\n'));
        }
        // The png crate indexes past the end of a palette that is no whole number of colours.
        let palette = Path::new(env!("CARGO_MANIFEST_DIR"));
        let palette = palette.join("fuzz/corpus/picture/palette-of-14-bytes.png");
        let told = read_image(&palette).unwrap_err().to_string();
        assert!(told.contains("damaged") && told.contains("palette-of-14"), "{told}");
        let missing = read_image(&folder.path().join("none.png")).unwrap_err();
        assert!(missing.to_string().contains("none.png"), "{missing}");
        assert!(read_image(folder.path()).is_err());
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_whatever_its_format() {
        let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos");
        let jpegs =
            ["coffee.jpg", "rocket.jpg"].map(|name| std::fs::read(photos.join(name)).unwrap());
        let image = DynamicImage::ImageRgb8(corners());
        let others = [ImageFormat::Png, ImageFormat::WebP].map(|format| encoded(&image, format));
        for whole in jpegs.into_iter().chain(others) {
            let read = |bytes: &[u8]| decode(Cursor::new(bytes), Path::new("x"));
            let good = read(&whole).unwrap();
            for percent in [10, 50, 90, 99] {
                let told = read(&whole[..whole.len() * percent / 100]).unwrap_err().to_string();
                assert!(
                    told.contains("cut short") || told.contains("damaged"),
                    "{percent}: {told}"
                );
            }
            // Cameras write more behind an image.
            let more = [&whole[..], &[0xff, 0x00, 0xff, 0xd8, 1, 2, 3]].concat();
            assert_eq!(read(&more).unwrap(), good);
        }
    }

    #[test]
    fn the_eight_ways_to_hold_a_camera_give_one_picture() {
        let upright = case("exif-orientation/exif1.jpg");
        for number in 2..=8 {
            let turned = case(&format!("exif-orientation/exif{number}.jpg"));
            assert_eq!(turned.shape(), upright.shape(), "{number}");
            let pairs = upright.pixels().iter().zip(turned.pixels());
            let far =
                pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / upright.pixels().len() as f32;
            // JPEG's blocks lie otherwise in each.
            assert!(far < 0.05, "{number}: {far}");
        }
    }

    #[test]
    fn png_and_webp_tell_how_they_were_held_too() {
        let image = corners();
        // Exif in big-endian order: one entry, orientation 6.
        let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
        let (w, h) = image.dimensions();
        let colour = image::ExtendedColorType::Rgb8;
        let (mut png, mut webp) = (Vec::new(), Vec::new());
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif.clone()).unwrap();
        encoder.write_image(&image, w, h, colour).unwrap();
        let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif.clone()).unwrap();
        encoder.write_image(&image, w, h, colour).unwrap();
        // The block may stand behind the pixels as well.
        let plain = encoded(&DynamicImage::ImageRgb8(image.clone()), ImageFormat::Png);
        let end = plain.len() - 12;
        let mut late = plain[..end].to_vec();
        late.extend((exif.len() as u32).to_be_bytes());
        late.extend(b"eXIf");
        late.extend(&exif);
        late.extend(crc(&[b"eXIf", &exif[..]].concat()).to_be_bytes());
        late.extend(&plain[end..]);
        let expected = Image::from_image(&DynamicImage::ImageRgb8(image).rotate90());
        for bytes in [png, webp, late] {
            assert_eq!(decode(Cursor::new(bytes), Path::new("x")).unwrap(), expected);
        }
    }

    fn crc(bytes: &[u8]) -> u32 {
        let mut sum = flate2::Crc::new();
        sum.update(bytes);
        sum.sum()
    }

    #[test]
    fn what_lies_under_full_transparency_is_not_seen() {
        let [one, other] = ["rgba_hidden.png", "rgba_hidden_black.png"]
            .map(|name| case(&format!("hidden-alpha/{name}")));
        assert_eq!(one, other);
        let told = one.changes(one.shape(), None);
        assert!(told.len() == 1 && told[0].contains("on white"), "{told:?}");
        let opaque = RgbaImage::from_pixel(2, 2, image::Rgba([9, 8, 7, 255]));
        let bytes = encoded(&DynamicImage::ImageRgba8(opaque), ImageFormat::Png);
        let picture = decode(Cursor::new(bytes), Path::new("x")).unwrap();
        assert_eq!(picture.changes([3, 2, 2], None), Vec::<String>::new());
    }

    #[test]
    fn sixteen_bits_are_kept() {
        let image =
            image::ImageBuffer::from_fn(2, 1, |x, _| image::Luma([[258_u16, 65535][x as usize]]));
        let bytes = encoded(&DynamicImage::ImageLuma16(image), ImageFormat::Png);
        let picture = decode(Cursor::new(bytes), Path::new("x")).unwrap();
        assert_eq!(picture.rgb(0, 0), [258.0 * (1.0 / 65535.0); 3]);
        assert_eq!(picture.rgb(0, 1), [1.0; 3]);
    }

    #[test]
    fn thin_pictures_are_cut_before_they_are_enlarged() {
        for (name, [h, w]) in [
            ("thin_16384x1.png", [1, 16384]),
            ("thin_1x16384.png", [16384, 1]),
            ("thin_4000x4.png", [4, 4000]),
        ] {
            let picture = case(&format!("thin-pictures/{name}"));
            assert_eq!(picture.shape(), [3, h, w]);
            let fitted = picture.fit([3, 224, 224], Some(256), ResizeFilter::Bicubic);
            assert!(fitted.pixels().iter().all(|value| *value == 0.0), "{name}");
            // The same with a ramp along the long side: its middle is seen.
            let ramp: Vec<f32> = (0..h * w).map(|i| (i % h.max(w)) as f32).collect();
            let ramp = Image::new([1, h, w], ramp.iter().map(|v| v / 16384.0).collect::<Vec<_>>());
            let fitted = ramp.fit([1, 224, 224], Some(256), ResizeFilter::Triangle);
            let (middle, reach) = (h.max(w) as f32 / 2.0, h.min(w) as f32 / 2.0 + 1.0);
            let ends = [fitted.rgb(0, 0), fitted.rgb(223, 223)].map(|colour| colour[0] * 16384.0);
            assert!(ends.iter().all(|end| (end - middle).abs() <= reach), "{name}: {ends:?}");
            assert!(ends[0] < ends[1], "{name}: {ends:?}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn pipes_and_devices_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.png");
        crate::data::make_pipe(&pipe);
        for path in [&pipe, Path::new("/dev/zero")] {
            let told = read_image(path).unwrap_err().to_string();
            assert!(told.contains("name a plain file"), "{told}");
        }
    }
}
