//! Input transformations: bit depth, median filter, JPEG. None is usefully differentiable, so an
//! adaptive attack passes straight through them (BPDA; Athalye et al. 2018).

use crate::data::Picture;
use crate::defence::registry::{Build, DefenceSpec, Passage};
use crate::error::{Error, Result};
use crate::parameter::{Kind, Param, Value};
use burn::tensor::{Tensor, TensorData};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat};

/// A transformation of one picture; keeps its shape and stays in 0..1.
pub trait Transform: Send + Sync {
    /// The transformed picture.
    ///
    /// # Errors
    /// Failure, when a codec fails.
    fn apply(&self, picture: &Picture) -> Result<Picture>;
}

/// Applies a transformation to each picture of `[N, C, H, W]`.
///
/// # Errors
/// Device failures, and those of the transformation.
pub fn apply(transform: &dyn Transform, images: &Tensor<4>) -> Result<Tensor<4>> {
    let dims = images.dims();
    let shape = [dims[1], dims[2], dims[3]];
    let values = images.clone().try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
    let mut out = Vec::with_capacity(values.len());
    for picture in values.chunks(shape.iter().product()) {
        let done = transform.apply(&Picture::new(shape, picture))?;
        out.extend_from_slice(done.pixels());
    }
    Ok(Tensor::from_data(TensorData::new(out, dims), &images.device()))
}

/// Reducing the bit depth.
pub const BIT_DEPTH: DefenceSpec = DefenceSpec {
    id: "bit-depth",
    name: "bit depth",
    family: "input",
    params: &[Param {
        id: "bits",
        kind: Kind::Int { min: 1, max: 8 },
        default: Value::Int(3),
        auto: None,
        help: "bits left per value, 1..8",
    }],
    passage: Passage::StraightThrough,
    randomised: false,
    summary: "rounds every pixel to few levels",
    about: "Reducing the colour depth wipes out perturbations smaller than half a level. The gradient of \
            rounding is zero almost everywhere, which stops an attack that does not know better; one \
            that treats the rounding as the identity on the way back walks right through it.",
    paper: "Xu, Evans, Qi: Feature Squeezing, NDSS 2018; broken by He et al., WOOT 2017",
    build: Build::Input(|settings| Box::new(BitDepth { bits: settings.int("bits", 3) as u32 })),
};

/// The median filter.
pub const MEDIAN: DefenceSpec = DefenceSpec {
    id: "median",
    name: "median",
    family: "input",
    params: &[Param {
        id: "size",
        kind: Kind::Int { min: 2, max: 7 },
        default: Value::Int(2),
        auto: None,
        help: "side of the window in pixels, 2..7",
    }],
    passage: Passage::StraightThrough,
    randomised: false,
    summary: "replaces every pixel by the median of its neighbourhood",
    about: "A median filter removes isolated changes, so it hurts attacks that change few pixels by much \
            and leaves smooth ones alone. An adaptive attack simply makes its perturbation smooth enough \
            to survive. Fine strokes of the picture itself are lost too: watch the clean answer.",
    paper: "Xu, Evans, Qi: Feature Squeezing, NDSS 2018",
    build: Build::Input(|settings| Box::new(Median { size: settings.int("size", 2) as usize })),
};

/// JPEG compression.
pub const JPEG: DefenceSpec = DefenceSpec {
    id: "jpeg",
    name: "JPEG",
    family: "input",
    params: &[Param {
        id: "quality",
        kind: Kind::Int { min: 10, max: 95 },
        default: Value::Int(75),
        auto: None,
        help: "JPEG quality, 10..95",
    }],
    passage: Passage::StraightThrough,
    randomised: false,
    summary: "saves the picture as JPEG and opens it again",
    about: "JPEG drops high frequencies that people hardly see, and with them much of a naive \
            perturbation. Reported to remove most attacks when first published; treated as the identity \
            on the way back (BPDA) it falls to almost nothing.",
    paper: "Guo et al., ICLR 2018; broken by Athalye, Carlini, Wagner, ICML 2018",
    build: Build::Input(|settings| Box::new(Jpeg { quality: settings.int("quality", 75) as u8 })),
};

struct BitDepth {
    bits: u32,
}

impl Transform for BitDepth {
    fn apply(&self, picture: &Picture) -> Result<Picture> {
        let levels = (2_u32.pow(self.bits) - 1) as f32;
        let round = |p: &f32| (p * levels).round() / levels;
        Ok(Picture::new(picture.shape(), picture.pixels().iter().map(round).collect::<Vec<_>>()))
    }
}

struct Median {
    size: usize,
}

impl Transform for Median {
    /// As SciPy's `median_filter`: the window begins ⌊size/2⌋ before the pixel, the border is
    /// reflected, and of an even number of values the upper middle one is taken.
    fn apply(&self, picture: &Picture) -> Result<Picture> {
        let [c, h, w] = picture.shape();
        let before = self.size / 2;
        let reflect = |at: usize, offset: usize, n: usize| {
            let i = (at + offset) as isize - before as isize;
            let n = n as isize;
            let i = i.rem_euclid(2 * n);
            (if i < n { i } else { 2 * n - 1 - i }) as usize
        };
        let pixels = picture.pixels();
        let mut window = Vec::with_capacity(self.size * self.size);
        let mut out = Vec::with_capacity(pixels.len());
        for plane in 0..c {
            for y in 0..h {
                for x in 0..w {
                    window.clear();
                    for dy in 0..self.size {
                        let row = (plane * h + reflect(y, dy, h)) * w;
                        window.extend((0..self.size).map(|dx| pixels[row + reflect(x, dx, w)]));
                    }
                    let middle = window.len() / 2;
                    out.push(*window.select_nth_unstable_by(middle, f32::total_cmp).1);
                }
            }
        }
        Ok(Picture::new(picture.shape(), out))
    }
}

struct Jpeg {
    quality: u8,
}

impl Transform for Jpeg {
    fn apply(&self, picture: &Picture) -> Result<Picture> {
        jpeg(picture, self.quality)
    }
}

/// Saves as JPEG of this quality and opens it again; grey stays grey.
///
/// # Errors
/// Failure, when the codec fails.
pub fn jpeg(picture: &Picture, quality: u8) -> Result<Picture> {
    let bad =
        |e: image::ImageError| Error::failure(format!("JPEG failed: {e}"), "defence jpeg", "");
    let rgb = DynamicImage::ImageRgb8(picture.to_rgb());
    let grey = picture.shape()[0] == 1;
    let image = if grey { DynamicImage::ImageLuma8(rgb.to_luma8()) } else { rgb };
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&image).map_err(bad)?;
    let decoded = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).map_err(bad)?;
    Ok(match grey {
        true => Picture::from_bytes(picture.shape(), decoded.to_luma8().as_raw()),
        false => Picture::from_image(&decoded),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::registry::{DEFENCES, DefencePlan};

    fn ramp(shape: [usize; 3]) -> Picture {
        let n = shape.iter().product::<usize>();
        Picture::new(shape, (0..n).map(|i| i as f32 / (n - 1).max(1) as f32).collect::<Vec<_>>())
    }

    #[test]
    fn every_transform_keeps_shape_and_box() {
        for spec in DEFENCES {
            let Build::Input(build) = spec.build else { continue };
            for shape in [[1, 28, 28], [3, 17, 9], [1, 1, 1]] {
                let transform = build(&DefencePlan::new(spec).settings);
                let out = transform.apply(&ramp(shape)).unwrap();
                assert_eq!(out.shape(), shape, "{}", spec.id);
                out.check(spec.id).unwrap();
            }
        }
    }

    #[test]
    fn bit_depth_leaves_that_many_levels() {
        let out = BitDepth { bits: 2 }.apply(&ramp([1, 16, 16])).unwrap();
        let mut levels: Vec<u32> = out.pixels().iter().map(|p| (p * 3.0).round() as u32).collect();
        levels.dedup();
        assert_eq!(levels, [0, 1, 2, 3]);
        let eight = BitDepth { bits: 8 }.apply(&ramp([1, 16, 16])).unwrap();
        assert_eq!(eight, ramp([1, 16, 16]).rounded_to_8_bits());
    }

    #[test]
    fn the_median_is_scipys() {
        // scipy.ndimage.median_filter([[1,2,3],[4,5,6],[7,8,9]], size=2 and 3), over 10.
        let picture = Picture::new([1, 3, 3], (1..10).map(|v| v as f32 / 10.0).collect::<Vec<_>>());
        let ten =
            |p: Picture| p.pixels().iter().map(|v| (v * 10.0).round() as u8).collect::<Vec<_>>();
        assert_eq!(ten(Median { size: 2 }.apply(&picture).unwrap()), [1, 2, 3, 4, 4, 5, 7, 7, 8]);
        assert_eq!(ten(Median { size: 3 }.apply(&picture).unwrap()), [2, 3, 3, 4, 5, 6, 7, 7, 8]);
    }

    #[test]
    fn jpeg_changes_little_at_high_quality_and_more_at_low() {
        let picture = ramp([3, 32, 32]);
        let error = |quality| {
            let out = jpeg(&picture, quality).unwrap();
            let pairs = out.pixels().iter().zip(picture.pixels());
            pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / 3072.0
        };
        assert!(error(95) < 0.02 && error(10) > error(95), "{} {}", error(95), error(10));
    }
}
