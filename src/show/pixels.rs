//! Pictures in true pixels, by kitty's protocol and by sixel. viuer prints both too, but asks the
//! terminal for them by itself, without a limit in time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use icy_sixel::{DiffusionMethod, MethodForLargest, MethodForRep, PixelFormat, Quality};
use image::{ImageFormat, RgbImage};
use std::io::{self, Cursor, Write};

/// The most characters of a picture in one of kitty's sequences.
const CHUNK: usize = 4096;

/// Writes a picture over so many cells by kitty's protocol. The terminal is told not to answer.
pub fn kitty(out: &mut impl Write, image: &RgbImage, columns: u32, rows: u32) -> io::Result<()> {
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).map_err(io::Error::other)?;
    let text = STANDARD.encode(png.into_inner());
    let chunks = text.as_bytes().chunks(CHUNK);
    let last = chunks.len().saturating_sub(1);
    for (at, chunk) in chunks.enumerate() {
        match at {
            0 => write!(out, "\x1b_Gf=100,a=T,t=d,q=2,c={columns},r={rows},m=")?,
            _ => write!(out, "\x1b_Gm=")?,
        }
        write!(out, "{};", u8::from(at < last))?;
        out.write_all(chunk)?;
        write!(out, "\x1b\\")?;
    }
    Ok(())
}

/// Writes a picture pixel by pixel as a sixel.
pub fn sixel(out: &mut impl Write, image: &RgbImage) -> io::Result<()> {
    let side = |pixels: u32| i32::try_from(pixels).map_err(io::Error::other);
    let text = icy_sixel::sixel_string(
        image.as_raw(),
        side(image.width())?,
        side(image.height())?,
        PixelFormat::RGB888,
        DiffusionMethod::Auto,
        MethodForLargest::Auto,
        MethodForRep::Auto,
        Quality::AUTO,
    );
    out.write_all(text.map_err(|e| io::Error::other(e.to_string()))?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kitty_gets_a_png_in_chunks_and_does_not_answer() {
        let noise = RgbImage::from_fn(64, 64, |x, y| {
            let hash = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761);
            image::Rgb([(hash >> 8) as u8, (hash >> 16) as u8, (hash >> 24) as u8])
        });
        let mut bytes = Vec::new();
        kitty(&mut bytes, &noise, 8, 4).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let chunks: Vec<&str> = text.split_terminator("\x1b\\").collect();
        assert!(chunks.len() > 1);
        assert!(chunks[0].starts_with("\x1b_Gf=100,a=T,t=d,q=2,c=8,r=4,m=1;"));
        assert!(chunks[chunks.len() - 1].starts_with("\x1b_Gm=0;"));
        let data: String = chunks.iter().filter_map(|c| c.split_once(';')).map(|c| c.1).collect();
        let png = STANDARD.decode(data).unwrap();
        assert_eq!(image::load_from_memory(&png).unwrap().to_rgb8(), noise);
    }

    #[test]
    fn a_sixel_has_the_size_of_the_picture() {
        let mut bytes = Vec::new();
        sixel(&mut bytes, &RgbImage::from_pixel(12, 6, image::Rgb([255, 0, 0]))).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("\x1bP") && text.ends_with("\x1b\\"), "{text:?}");
        assert!(text.contains("12;6"), "{text:?}");
    }
}
