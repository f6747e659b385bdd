//! JPEG compression as a defence.

use crate::data::Image;
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, Transform};
use crate::error::{Error, Result};
use crate::parameter::IntParam;
use crate::rng::KeyedRng;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageError, ImageFormat};

const QUALITY: IntParam = IntParam::new("quality", (10, 95), 75, "JPEG quality, 10..95");

/// JPEG compression (Guo et al. 2018): encodes each image and decodes it again before the network
/// sees it. Rounding of the DCT coefficients has no useful gradient, so an adaptive attack takes the
/// identity on the backward pass (BPDA).
pub const JPEG: DefenceSpec = DefenceSpec {
    id: "jpeg",
    aliases: &[],
    name: "JPEG",
    family: "input",
    params: &[QUALITY.param],
    backward: BackwardRule::StraightThrough,
    randomised: false,
    summary: "saves the picture as JPEG and opens it again",
    about: "JPEG drops high frequencies that people hardly see, and with them much of a naive \
            perturbation. Reported to remove most attacks when first published; treated as the identity \
            on the way back (BPDA) it falls to almost nothing.",
    paper: "Guo et al., ICLR 2018; broken by Athalye, Carlini, Wagner, ICML 2018",
    build: |settings, builder| {
        builder.stage(Box::new(Jpeg { quality: QUALITY.get(settings) as u8 }))
    },
};

/// The transformation: [`jpeg`] at a fixed quality.
struct Jpeg {
    quality: u8,
}

impl Transform for Jpeg {
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        jpeg(image, self.quality)
    }
}

/// The image `[C, H, W]` after encoding as JPEG of `quality` 1..100 and decoding, pixels in 0..1 in
/// steps of 1/255. Grey (C = 1) is encoded as grey, colour with chroma subsampling as the encoder's
/// default.
///
/// # Errors
/// Failure, when the codec fails.
pub fn jpeg(image: &Image, quality: u8) -> Result<Image> {
    let failed = |e: ImageError| Error::failure(format!("JPEG failed: {e}"), "defence jpeg", "");
    let rgb = DynamicImage::ImageRgb8(image.to_rgb());
    let is_grey = image.shape()[0] == 1;
    let original = if is_grey { DynamicImage::ImageLuma8(rgb.to_luma8()) } else { rgb };
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&original).map_err(failed)?;
    let decoded = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).map_err(failed)?;
    Ok(match is_grey {
        true => Image::from_bytes(image.shape(), decoded.to_luma8().as_raw()),
        false => Image::from_image(&decoded),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::ramp;

    /// Mean absolute change.
    fn error(image: &Image, quality: u8) -> f32 {
        let out = jpeg(image, quality).unwrap();
        assert_eq!(out.shape(), image.shape());
        let pairs = out.pixels().iter().zip(image.pixels());
        pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / image.pixels().len() as f32
    }

    #[test]
    fn the_lower_the_quality_the_larger_the_change() {
        for shape in [[3, 32, 32], [1, 28, 28]] {
            let image = ramp(shape);
            let errors = [95, 60, 30, 5].map(|quality| error(&image, quality));
            assert!(errors[0] < 0.02 && errors[3] > 0.01, "{shape:?}: {errors:?}");
            assert!(errors.is_sorted() && errors[3] > 3.0 * errors[0], "{shape:?}: {errors:?}");
        }
    }

    #[test]
    fn fine_noise_is_lost_and_a_flat_image_is_kept() {
        let flat = Image::new([1, 16, 16], vec![128.0 / 255.0; 256]);
        assert!(error(&flat, 10) < 0.5 / 255.0);
        // A checkerboard of single pixels around grey: the highest frequency of every block.
        let sign = |i: usize| if (i / 16 + i).is_multiple_of(2) { 1.0 } else { -1.0 };
        let fine: Vec<f32> = (0..256).map(|i| (128.0 + 8.0 * sign(i)) / 255.0).collect();
        let fine = Image::new([1, 16, 16], fine);
        assert!(error(&fine, 10) > 7.0 / 255.0, "{}", error(&fine, 10));
        assert!(error(&fine, 100) < 2.0 / 255.0, "{}", error(&fine, 100));
    }
}
