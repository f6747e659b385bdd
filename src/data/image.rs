//! An image: `[C, H, W]` pixels in `0..=1`, and its way to and from 8-bit RGB.

use crate::data::Digest;
use crate::data::decoded::DecodedImage;
use crate::data::resample::{ResampleAxis, ResizeFilter, resample};
use crate::error::{Error, Result};
use image::{DynamicImage, Rgb32FImage, RgbImage};
use std::sync::{Arc, PoisonError};

/// An image of shape `[C, H, W]` with C = 1 (grey) or 3 (RGB), pixels `f32` in `0..=1`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Image {
    shape: [usize; 3],
    pixels: Pixels,
}

/// Where the pixels are.
#[derive(Clone, Debug)]
enum Pixels {
    /// `[C, H, W]`.
    Floats(Arc<[f32]>),
    /// As in a file, at its own depth.
    DecodedImage(Arc<DecodedImage>),
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        // A file's pixels are not made only to be compared with themselves.
        let same = match (&self.pixels, &other.pixels) {
            (Pixels::DecodedImage(a), Pixels::DecodedImage(b)) => Arc::ptr_eq(a, b),
            (Pixels::Floats(a), Pixels::Floats(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        self.shape == other.shape && (same || self.pixels() == other.pixels())
    }
}

impl Image {
    /// Takes pixels in `[C, H, W]` order.
    ///
    /// # Panics
    /// When the number of pixels is not C·H·W: a mistake of the program, not of the user.
    pub fn new(shape: [usize; 3], pixels: impl Into<Arc<[f32]>>) -> Self {
        let pixels = pixels.into();
        assert_eq!(pixels.len(), shape.iter().product::<usize>(), "{shape:?}");
        Self { shape, pixels: Pixels::Floats(pixels) }
    }

    /// A decoded file, `[3, H, W]`.
    pub(super) fn from_photo(photo: DecodedImage) -> Self {
        let [h, w] = photo.size();
        Self { shape: [3, h, w], pixels: Pixels::DecodedImage(Arc::new(photo)) }
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
        match &self.pixels {
            Pixels::Floats(pixels) => pixels,
            Pixels::DecodedImage(photo) => photo.floats(),
        }
    }

    /// The pixels, shared.
    pub fn shared(&self) -> Arc<[f32]> {
        match &self.pixels {
            Pixels::Floats(pixels) => pixels.clone(),
            Pixels::DecodedImage(photo) => photo.floats().clone(),
        }
    }

    /// Takes in what tells its pixels from others: of a file, the values at their own depth, which
    /// may be a quarter of the memory of the pixels.
    pub(super) fn digest(&self, digest: &mut Digest) {
        match &self.pixels {
            Pixels::Floats(pixels) => digest.floats(pixels),
            Pixels::DecodedImage(photo) => photo.digest(digest),
        }
    }

    /// The colour at row `y`, column `x`; grey images answer with three equal values.
    pub fn rgb(&self, y: usize, x: usize) -> [f32; 3] {
        let [c, h, w] = self.shape;
        match &self.pixels {
            Pixels::DecodedImage(photo) => photo.rgb(y, x),
            Pixels::Floats(pixels) if c == 1 => [pixels[y * w + x]; 3],
            Pixels::Floats(pixels) => [0, 1, 2].map(|channel| pixels[(channel * h + y) * w + x]),
        }
    }

    /// The image after rounding to 8 bits, as saving it as PNG would leave it.
    pub fn rounded_to_8_bits(&self) -> Self {
        let round = |p: &f32| f32::from(byte(*p)) / 255.0;
        Self::new(self.shape, self.pixels().iter().map(round).collect::<Vec<_>>())
    }

    /// As an 8-bit RGB image (grey images get three equal channels).
    pub fn to_rgb(&self) -> RgbImage {
        RgbImage::from_fn(self.width() as u32, self.height() as u32, |x, y| {
            image::Rgb(self.rgb(y as usize, x as usize).map(byte))
        })
    }

    /// From an opaque image in memory, `[3, H, W]`.
    pub fn from_image(image: &DynamicImage) -> Self {
        from_rgb32f(&image.to_rgb32f())
    }

    /// Fits the image to a network's input: shrinks or enlarges until the short side is `resize`
    /// (default: the input's own size), then cuts out the centre; colour becomes grey by the
    /// luminance weights of Rec. 601, grey becomes three equal channels. An image that already
    /// has the shape is returned as it is.
    pub fn fit(&self, shape: [usize; 3], resize: Option<usize>, filter: ResizeFilter) -> Self {
        if self.shape == shape {
            return self.clone();
        }
        let Pixels::DecodedImage(photo) = &self.pixels else {
            return self.fitted(shape, resize, filter);
        };
        // Whoever asks for a photograph asks for it again.
        let mut last = photo.fitted.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((key, pixels)) if *key == (shape, resize, filter) => {
                Self::new(shape, pixels.clone())
            }
            _ => {
                let ready = self.fitted(shape, resize, filter);
                *last = Some(((shape, resize, filter), ready.shared()));
                ready
            }
        }
    }

    fn fitted(&self, shape: [usize; 3], resize: Option<usize>, filter: ResizeFilter) -> Self {
        let ([c, h, w], [rows, columns]) = (shape, self.sides(shape, resize));
        let same = [rows, columns].iter().all(|side| side.from == side.to);
        let filter = if same { ResizeFilter::Nearest } else { filter };
        let pixels = resample(|y, x| self.rgb(y, x), rows, columns, filter);
        let fitted = Self::new([3, h, w], pixels);
        match c {
            1 => fitted.grey(),
            _ => fitted,
        }
    }

    /// How rows and columns are scaled, and which of them are left, where the image is fitted.
    fn sides(&self, [_, h, w]: [usize; 3], resize: Option<usize>) -> [ResampleAxis; 2] {
        let scale = match resize {
            Some(short) => short as f64 / self.height().min(self.width()) as f64,
            None => (h as f64 / self.height() as f64).max(w as f64 / self.width() as f64),
        };
        // As torchvision does it: the long side is cut off, the offset rounded half to even. The
        // photographs' answers depend on it: by one pixel a confidence changes by up to 0.1.
        let side = |from: usize, length: usize| {
            let to = ((from as f64 * scale + 1e-6) as usize).max(length);
            let room = to - length;
            ResampleAxis { from, to, first: room / 2 + usize::from(room % 4 == 3), length }
        };
        [side(self.height(), h), side(self.width(), w)]
    }

    /// What of an image from a file a network does not see as it stands there: its transparency or
    /// inks, and what [`Self::fit`] does to its size and channels. One line each.
    pub fn changes(&self, shape: [usize; 3], resize: Option<usize>) -> Vec<String> {
        let mut told = Vec::new();
        if let Pixels::DecodedImage(photo) = &self.pixels {
            if photo.transparent {
                told.push("the picture's transparent parts are laid on white".to_string());
            }
            if photo.inks {
                told.push("the picture's inks (CMYK) are turned into red, green and blue".into());
            }
        }
        if self.shape == shape {
            return told;
        }
        let ([c, h, w], [rows, columns]) = (shape, self.sides(shape, resize));
        let (from, to) = ([self.width(), self.height()], [columns.to, rows.to]);
        let [before, scaled, seen] = [from, to, [w, h]].map(|[w, h]| format!("{w}×{h}"));
        let verb = if to < from { "shrunk" } else { "enlarged" };
        match (from == to, to == [w, h]) {
            (true, true) => {}
            (true, false) => told.push(format!("of the picture's {before} the middle {seen} is seen")),
            (false, true) => told.push(format!("the picture is {verb} from {before} to {seen}")),
            (false, false) => told.push(format!(
                "the picture is {verb} from {before} to {scaled}, of which the middle {seen} is seen"
            )),
        }
        if c == 1 && self.is_coloured() {
            told.push("the picture's colours are seen as grey".into());
        }
        told
    }

    /// Whether any pixel is not grey.
    fn is_coloured(&self) -> bool {
        let [c, h, w] = self.shape;
        let coloured = |at: usize| {
            let [r, g, b] = self.rgb(at / w, at % w);
            r != g || g != b
        };
        let grey = match &self.pixels {
            Pixels::DecodedImage(photo) => photo.is_grey(),
            Pixels::Floats(_) => c == 1,
        };
        !grey && (0..h * w).any(coloured)
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
        match self.pixels().iter().find(|p| !(-1e-6..=1.000_001).contains(*p)) {
            None => Ok(()),
            Some(bad) => Err(Error::file(
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

fn from_rgb32f(image: &Rgb32FImage) -> Image {
    let (w, h) = (image.width() as usize, image.height() as usize);
    let mut pixels = vec![0.0; 3 * h * w];
    for (x, y, colour) in image.enumerate_pixels() {
        for channel in 0..3 {
            let at = (channel * h + y as usize) * w + x as usize;
            pixels[at] = colour[channel].clamp(0.0, 1.0);
        }
    }
    Image::new([3, h, w], pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_way_to_rgb_and_back() {
        let bytes: Vec<u8> = (0..3 * 4 * 5).map(|i| (i * 4) as u8).collect();
        let picture = Image::from_bytes([3, 4, 5], &bytes);
        let again = Image::from_image(&DynamicImage::ImageRgb8(picture.to_rgb()));
        assert_eq!(picture, again);
        assert_eq!(picture, picture.rounded_to_8_bits());
    }

    #[test]
    fn fitting_changes_size_and_channels_only_where_needed() {
        let picture = Image::new([3, 40, 80], vec![0.25; 3 * 40 * 80]);
        let fitted = picture.fit([1, 28, 28], None, ResizeFilter::Triangle);
        assert_eq!(fitted.shape(), [1, 28, 28]);
        assert!(fitted.pixels().iter().all(|p| (p - 0.25).abs() < 1e-5));
        assert_eq!(fitted.fit([1, 28, 28], Some(64), ResizeFilter::Bicubic), fitted);
        let tiny = Image::new([1, 1, 1], vec![1.0]);
        assert_eq!(
            tiny.fit([3, 224, 224], Some(256), ResizeFilter::Bicubic).shape(),
            [3, 224, 224]
        );
    }

    #[test]
    fn what_fitting_changes_is_told() {
        let grey = vec![0.5; 3 * 40 * 80];
        let picture = Image::new([3, 40, 80], grey.clone());
        let told = |picture: &Image, shape| picture.changes(shape, None).join("; ");
        assert_eq!(told(&picture, [3, 40, 80]), "");
        let shrunk = "the picture is shrunk from 80×40 to 40×20, of which the middle 20×20 is seen";
        assert_eq!(told(&picture, [3, 20, 20]), shrunk);
        assert_eq!(told(&picture, [1, 20, 20]), shrunk);
        assert_eq!(told(&picture, [3, 80, 160]), "the picture is enlarged from 80×40 to 160×80");
        assert_eq!(told(&picture, [3, 40, 40]), "of the picture's 80×40 the middle 40×40 is seen");
        let mut coloured = grey;
        coloured[7] = 0.1;
        let told = told(&Image::new([3, 40, 80], coloured), [1, 40, 80]);
        assert_eq!(told, "the picture's colours are seen as grey");
    }

    #[test]
    fn pixels_outside_the_box_are_named() {
        let picture = Image::new([1, 1, 2], vec![0.5, 1.5]);
        assert!(picture.check("x").unwrap_err().to_string().contains("1.5"));
    }
}
