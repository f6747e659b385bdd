//! A decoded file at its own size and depth: with 8 bits a value it takes a quarter of what `f32` takes.

use crate::data::Digest;
use crate::data::resample::ResizeFilter;
use image::DynamicImage;
use image::metadata::Orientation;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

/// An image as its file holds it, and how people see it: turned upright, transparent parts on white.
pub(super) struct DecodedImage {
    /// Rows and columns in the file.
    stored: [usize; 2],
    /// Values of a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    channels: usize,
    values: Values,
    turn: Turn,
    /// Whether something of it is transparent.
    pub transparent: bool,
    /// Whether its file has the four inks of print instead of red, green and blue.
    pub inks: bool,
    floats: OnceLock<Arc<[f32]>>,
    /// What it was fitted to last, and the pixels `[C, H, W]` that came of it.
    pub fitted: Mutex<Option<(Fitting, Arc<[f32]>)>>,
}

/// To what shape `[C, H, W]`, by what short side, with what filter an image is fitted.
pub(super) type Fitting = ([usize; 3], Option<usize>, ResizeFilter);

/// Its values are left out: there may be half a thousand million of them.
impl fmt::Debug for DecodedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = f.debug_struct("Photo");
        told.field("stored", &self.stored).field("channels", &self.channels);
        told.field("turn", &self.turn).finish_non_exhaustive()
    }
}

/// The values, row by row.
enum Values {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
}

/// How a pixel is found in the file: rows and columns exchanged first, then counted from the far end.
#[derive(Clone, Copy, Debug)]
struct Turn {
    exchanged: bool,
    from_right: bool,
    from_below: bool,
}

impl Turn {
    fn new(orientation: Orientation) -> Self {
        use Orientation as O;
        let (exchanged, from_right, from_below) = match orientation {
            O::NoTransforms => (false, false, false),
            O::FlipHorizontal => (false, true, false),
            O::Rotate180 => (false, true, true),
            O::FlipVertical => (false, false, true),
            O::Rotate90FlipH => (true, false, false),
            O::Rotate90 => (true, false, true),
            O::Rotate270FlipH => (true, true, true),
            O::Rotate270 => (true, true, false),
        };
        Self { exchanged, from_right, from_below }
    }
}

impl DecodedImage {
    /// Takes what was decoded; `orientation` is what the file says of how it was held.
    pub fn new(image: DynamicImage, orientation: Orientation, inks: bool) -> Self {
        use DynamicImage as D;
        let stored = [image.height() as usize, image.width() as usize];
        let channels = usize::from(image.color().channel_count());
        let values = match image {
            D::ImageLuma16(image) => Values::Sixteen(image.into_raw()),
            D::ImageLumaA16(image) => Values::Sixteen(image.into_raw()),
            D::ImageRgb16(image) => Values::Sixteen(image.into_raw()),
            D::ImageRgba16(image) => Values::Sixteen(image.into_raw()),
            D::ImageLuma8(image) => Values::Eight(image.into_raw()),
            D::ImageLumaA8(image) => Values::Eight(image.into_raw()),
            D::ImageRgb8(image) => Values::Eight(image.into_raw()),
            D::ImageRgba8(image) => Values::Eight(image.into_raw()),
            // No format read here has values of another kind.
            other => {
                return Self::new(D::ImageRgba16(other.to_rgba16()), orientation, inks);
            }
        };
        let transparent = channels.is_multiple_of(2)
            && match &values {
                Values::Eight(v) => v.chunks_exact(channels).any(|p| p[channels - 1] < u8::MAX),
                Values::Sixteen(v) => v.chunks_exact(channels).any(|p| p[channels - 1] < u16::MAX),
            };
        let turn = Turn::new(orientation);
        let (floats, fitted) = (OnceLock::new(), Mutex::new(None));
        Self { stored, channels, values, turn, transparent, inks, floats, fitted }
    }

    /// Takes in its values as the file holds them, and how they are turned.
    pub fn digest(&self, digest: &mut Digest) {
        let Turn { exchanged, from_right, from_below } = self.turn;
        digest.add(&[self.channels as u8, exchanged.into(), from_right.into(), from_below.into()]);
        match &self.values {
            Values::Eight(values) => digest.piece(values),
            Values::Sixteen(values) => {
                digest.add(&(2 * values.len() as u64).to_le_bytes());
                for part in values.chunks(4096) {
                    let bytes: Vec<u8> = part.iter().flat_map(|v| v.to_le_bytes()).collect();
                    digest.add(&bytes);
                }
            }
        }
    }

    /// Rows and columns, upright.
    pub fn size(&self) -> [usize; 2] {
        let [rows, columns] = self.stored;
        if self.turn.exchanged { [columns, rows] } else { [rows, columns] }
    }

    /// Whether its file has no colours.
    pub fn is_grey(&self) -> bool {
        self.channels < 3
    }

    /// The colour at row `y`, column `x` of the upright image, in 0..1; transparent parts lie on white.
    pub fn rgb(&self, y: usize, x: usize) -> [f32; 3] {
        let [rows, columns] = self.stored;
        let (mut row, mut column) = if self.turn.exchanged { (x, y) } else { (y, x) };
        if self.turn.from_below {
            row = rows - 1 - row;
        }
        if self.turn.from_right {
            column = columns - 1 - column;
        }
        let at = (row * columns + column) * self.channels;
        let pixel = at..at + self.channels;
        match &self.values {
            Values::Eight(values) => colour(&values[pixel], u8::MAX.into()),
            Values::Sixteen(values) => colour(&values[pixel], u16::MAX.into()),
        }
    }

    /// All pixels `[3, H, W]`, made once, when somebody wants them all.
    pub fn floats(&self) -> &Arc<[f32]> {
        self.floats.get_or_init(|| {
            let [h, w] = self.size();
            let mut pixels = vec![0.0; 3 * h * w];
            for at in 0..h * w {
                let colour = self.rgb(at / w, at % w);
                (0..3).for_each(|channel| pixels[channel * h * w + at] = colour[channel]);
            }
            pixels.into()
        })
    }
}

/// The colour of a pixel from its values of `0..=largest`, on white where it is transparent. Grey is
/// multiplied by the reciprocal and colours are divided, as the `image` crate does it: an FGSM step
/// on the grey photograph depends on the last bit.
fn colour<T: Copy + Into<f32>>(pixel: &[T], largest: f32) -> [f32; 3] {
    let share = |value: T| value.into() / largest;
    let even = |value: T| [value.into() * (1.0 / largest); 3];
    let (colour, alpha) = match *pixel {
        [grey] => (even(grey), None),
        [grey, alpha] => (even(grey), Some(alpha)),
        [r, g, b] => ([r, g, b].map(share), None),
        [r, g, b, alpha] => ([r, g, b].map(share), Some(alpha)),
        _ => ([0.0; 3], None),
    };
    match alpha.map(share) {
        Some(alpha) if alpha < 1.0 => colour.map(|c| c * alpha + (1.0 - alpha)),
        _ => colour,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    #[test]
    fn every_orientation_is_turned_as_the_image_crate_turns_it() {
        let image = RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8 * 40, y as u8 * 90, 7]));
        for number in 1..=8 {
            let orientation = Orientation::from_exif(number).unwrap();
            let mut upright = DynamicImage::ImageRgb8(image.clone());
            upright.apply_orientation(orientation);
            let upright = upright.to_rgb8();
            let photo =
                DecodedImage::new(DynamicImage::ImageRgb8(image.clone()), orientation, false);
            let [h, w] = photo.size();
            assert_eq!([w as u32, h as u32], [upright.width(), upright.height()], "{number}");
            for (x, y, pixel) in upright.enumerate_pixels() {
                let seen = photo.rgb(y as usize, x as usize).map(|v| (v * 255.0).round() as u8);
                assert_eq!(seen, pixel.0, "{number}: {x}, {y}");
            }
        }
    }

    #[test]
    fn opaque_pixels_are_those_of_the_image_crate_to_the_last_bit() {
        let eight = || (0..=255).map(|v: u8| v.wrapping_mul(7));
        let sixteen = || (0..=255_u16).map(|v| v.wrapping_mul(257 * 7 + 3));
        let raw = |channels| -> Vec<u8> { eight().flat_map(|v| vec![v; channels]).collect() };
        let deep = |channels| -> Vec<u16> { sixteen().flat_map(|v| vec![v; channels]).collect() };
        let images = [
            image::GrayImage::from_raw(16, 16, raw(1)).map(DynamicImage::ImageLuma8),
            RgbImage::from_raw(16, 16, raw(3)).map(DynamicImage::ImageRgb8),
            image::ImageBuffer::from_raw(16, 16, deep(1)).map(DynamicImage::ImageLuma16),
            image::ImageBuffer::from_raw(16, 16, deep(3)).map(DynamicImage::ImageRgb16),
        ];
        for image in images.into_iter().flatten() {
            let floats = image.to_rgb32f();
            let photo = DecodedImage::new(image, Orientation::NoTransforms, false);
            for (x, y, pixel) in floats.enumerate_pixels() {
                assert_eq!(photo.rgb(y as usize, x as usize), pixel.0);
            }
        }
    }

    #[test]
    fn the_digest_tells_pictures_apart_without_making_their_pixels() {
        let image = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let of = |image: DynamicImage, orientation| {
            let photo = DecodedImage::new(image, orientation, false);
            let mut digest = Digest::default();
            photo.digest(&mut digest);
            assert!(photo.floats.get().is_none());
            digest.finish()
        };
        let mut other = image.clone();
        other.put_pixel(2, 1, image::Rgb([0, 0, 7]));
        let upright = of(image.clone().into(), Orientation::NoTransforms);
        assert_eq!(upright, of(image.clone().into(), Orientation::NoTransforms));
        assert_ne!(upright, of(image.clone().into(), Orientation::Rotate180));
        assert_ne!(upright, of(other.into(), Orientation::NoTransforms));
        let deep = DynamicImage::from(image).into_rgb16();
        assert_ne!(upright, of(deep.into(), Orientation::NoTransforms));
    }

    #[test]
    fn transparent_parts_lie_on_white() {
        let image = RgbaImage::from_fn(3, 1, |x, _| {
            [Rgba([10, 20, 30, 255]), Rgba([10, 20, 30, 0]), Rgba([0, 0, 255, 51])][x as usize]
        });
        let photo =
            DecodedImage::new(DynamicImage::ImageRgba8(image), Orientation::NoTransforms, false);
        assert!(photo.transparent);
        assert_eq!(photo.rgb(0, 0), [10.0, 20.0, 30.0].map(|v: f32| v / 255.0));
        assert_eq!(photo.rgb(0, 1), [1.0; 3]);
        let mixed = photo.rgb(0, 2);
        assert!((mixed[0] - 0.8).abs() < 1e-6 && (mixed[2] - 1.0).abs() < 1e-6, "{mixed:?}");
        assert_eq!(photo.floats()[..3], [photo.rgb(0, 0)[0], 1.0, mixed[0]]);
    }
}
