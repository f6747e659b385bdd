//! A picture: `[C, H, W]` pixels in `0..=1`, and its way to and from 8-bit RGB.

use crate::error::{Error, Result};
use image::imageops::{self, FilterType};
use image::{DynamicImage, Rgb32FImage, RgbImage};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a picture is enlarged or shrunk to a network's input size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Nearest neighbour.
    Nearest,
    /// Linear, with the anti-aliasing of PIL.
    #[default]
    Triangle,
    /// Cubic (Catmull-Rom), as PIL's BICUBIC.
    Bicubic,
    /// Lanczos with window 3.
    Lanczos,
}

impl Filter {
    fn kind(self) -> FilterType {
        match self {
            Self::Nearest => FilterType::Nearest,
            Self::Triangle => FilterType::Triangle,
            Self::Bicubic => FilterType::CatmullRom,
            Self::Lanczos => FilterType::Lanczos3,
        }
    }
}

/// A picture of shape `[C, H, W]` with C = 1 (grey) or 3 (RGB), pixels `f32` in `0..=1`. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    shape: [usize; 3],
    pixels: Arc<[f32]>,
}

impl Picture {
    /// Takes pixels in `[C, H, W]` order.
    ///
    /// # Panics
    /// When the number of pixels is not C·H·W: a mistake of the program, not of the user.
    pub fn new(shape: [usize; 3], pixels: impl Into<Arc<[f32]>>) -> Self {
        let pixels = pixels.into();
        assert_eq!(pixels.len(), shape.iter().product::<usize>(), "{shape:?}");
        Self { shape, pixels }
    }

    /// From bytes in `[C, H, W]` order: value = byte / 255.
    pub fn from_bytes(shape: [usize; 3], bytes: &[u8]) -> Self {
        let pixels: Vec<f32> = bytes.iter().map(|b| f32::from(*b) / 255.0).collect();
        Self::new(shape, pixels)
    }

    /// `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.shape[1]
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.shape[2]
    }

    /// The pixels, `[C, H, W]`, in `0..=1`.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// The pixels, shared.
    pub fn shared(&self) -> Arc<[f32]> {
        self.pixels.clone()
    }

    /// The colour at row `y`, column `x`; grey pictures answer with three equal values.
    pub fn rgb(&self, y: usize, x: usize) -> [f32; 3] {
        let [c, h, w] = self.shape;
        let at = |channel: usize| self.pixels[(channel * h + y) * w + x];
        match c {
            1 => [at(0); 3],
            _ => [at(0), at(1), at(2)],
        }
    }

    /// The picture after rounding to 8 bits, as saving it as PNG would leave it.
    pub fn rounded_to_8_bits(&self) -> Self {
        let round = |p: &f32| f32::from(byte(*p)) / 255.0;
        Self::new(self.shape, self.pixels.iter().map(round).collect::<Vec<_>>())
    }

    /// As an 8-bit RGB image (grey pictures get three equal channels).
    pub fn to_rgb(&self) -> RgbImage {
        RgbImage::from_fn(self.width() as u32, self.height() as u32, |x, y| {
            image::Rgb(self.rgb(y as usize, x as usize).map(byte))
        })
    }

    /// From a decoded image: RGB, alpha over black left out.
    pub fn from_image(image: &DynamicImage) -> Self {
        from_rgb32f(&image.to_rgb32f())
    }

    /// Fits the picture to a network's input: shrinks or enlarges until the short side is `resize`
    /// (default: the input's own size), then cuts out the centre; colour becomes grey by the
    /// luminance weights of Rec. 601, grey becomes three equal channels. A picture that already
    /// has the shape is returned as it is.
    pub fn fit(&self, shape: [usize; 3], resize: Option<usize>, filter: Filter) -> Self {
        if self.shape == shape {
            return self.clone();
        }
        let [c, h, w] = shape;
        let mut image = self.to_rgb32f();
        let scale = match resize {
            Some(short) => short as f64 / self.height().min(self.width()) as f64,
            None => (h as f64 / self.height() as f64).max(w as f64 / self.width() as f64),
        };
        // As torchvision does it: the long side is cut off, the offset rounded half to even. The
        // photographs' answers depend on it: by one pixel a confidence changes by up to 0.1.
        let scaled = |side: usize, least: usize| ((side as f64 * scale + 1e-6) as usize).max(least);
        let (new_h, new_w) = (scaled(self.height(), h), scaled(self.width(), w));
        if (new_h, new_w) != (self.height(), self.width()) {
            image = imageops::resize(&image, new_w as u32, new_h as u32, filter.kind());
        }
        let offset = |room: usize| room / 2 + usize::from(room % 4 == 3);
        let (top, left) = (offset(new_h - h), offset(new_w - w));
        let cut =
            imageops::crop_imm(&image, left as u32, top as u32, w as u32, h as u32).to_image();
        let fitted = from_rgb32f(&cut);
        match c {
            1 => fitted.grey(),
            _ => fitted,
        }
    }

    fn to_rgb32f(&self) -> Rgb32FImage {
        Rgb32FImage::from_fn(self.width() as u32, self.height() as u32, |x, y| {
            image::Rgb(self.rgb(y as usize, x as usize))
        })
    }

    fn grey(&self) -> Self {
        let [_, h, w] = self.shape;
        let luma = |at: usize| {
            let [r, g, b] = self.rgb(at / w, at % w);
            (0.299 * r + 0.587 * g + 0.114 * b).clamp(0.0, 1.0)
        };
        Self::new([1, h, w], (0..h * w).map(luma).collect::<Vec<_>>())
    }

    /// Checks that the pixels are finite and in `0..=1` (tolerance 1e-6).
    ///
    /// # Errors
    /// Failure, naming the first bad value.
    pub fn check(&self, place: &str) -> Result<()> {
        match self.pixels.iter().find(|p| !(-1e-6..=1.000_001).contains(*p)) {
            None => Ok(()),
            Some(bad) => Err(Error::failure(
                format!("pixel value {bad} is outside 0..1"),
                place,
                "scale the pixels to 0..1; the model does its own normalisation",
            )),
        }
    }
}

/// A pixel in `0..=1` as a byte, rounded to nearest.
fn byte(pixel: f32) -> u8 {
    (pixel.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn from_rgb32f(image: &Rgb32FImage) -> Picture {
    let (w, h) = (image.width() as usize, image.height() as usize);
    let mut pixels = vec![0.0; 3 * h * w];
    for (x, y, colour) in image.enumerate_pixels() {
        for channel in 0..3 {
            let at = (channel * h + y as usize) * w + x as usize;
            pixels[at] = colour[channel].clamp(0.0, 1.0);
        }
    }
    Picture::new([3, h, w], pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_way_to_rgb_and_back() {
        let bytes: Vec<u8> = (0..3 * 4 * 5).map(|i| (i * 4) as u8).collect();
        let picture = Picture::from_bytes([3, 4, 5], &bytes);
        let again = Picture::from_image(&DynamicImage::ImageRgb8(picture.to_rgb()));
        assert_eq!(picture, again);
        assert_eq!(picture, picture.rounded_to_8_bits());
    }

    #[test]
    fn fitting_changes_size_and_channels_only_where_needed() {
        let picture = Picture::new([3, 40, 80], vec![0.25; 3 * 40 * 80]);
        let fitted = picture.fit([1, 28, 28], None, Filter::Triangle);
        assert_eq!(fitted.shape(), [1, 28, 28]);
        assert!(fitted.pixels().iter().all(|p| (p - 0.25).abs() < 1e-5));
        assert_eq!(fitted.fit([1, 28, 28], Some(64), Filter::Bicubic), fitted);
        let tiny = Picture::new([1, 1, 1], vec![1.0]);
        assert_eq!(tiny.fit([3, 224, 224], Some(256), Filter::Bicubic).shape(), [3, 224, 224]);
    }

    #[test]
    fn pixels_outside_the_box_are_named() {
        let picture = Picture::new([1, 1, 2], vec![0.5, 1.5]);
        assert!(picture.check("x").unwrap_err().to_string().contains("1.5"));
    }
}
