//! The inner maximisation of adversarial training: signed steps in L∞ from a start of its own,
//! against whatever the method climbs. It never stops early: training wants the whole walk.

use crate::error::{Error, Result};
use crate::model::{Classifier, Network};
use crate::rng::KeyedRng;
use crate::training::recipe::{InnerAttack, StartPoint};
use burn_tensor::{Device, Tensor, TensorData};

/// What is climbed: fills in the slope of image `i`'s row of logits.
pub type FillLogitGradient<'a> = &'a dyn Fn(usize, &[f32], &mut [f64]);

/// Images on the CPU as a tensor `[N, C, H, W]`.
pub fn pictures(values: &[f32], [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    let n = values.len() / (c * h * w);
    Tensor::from_data(TensorData::new(values.to_vec(), [n, c, h, w]), device)
}

/// The images `[N, C, H, W]` as the adversary leaves them, within ε and 0..1. `seed` and the
/// images' numbers `samples` key its random numbers.
///
/// # Errors
/// Device failures.
pub fn maximise(
    network: &Network,
    clean: &[f32],
    adversary: &InnerAttack,
    seed: u64,
    samples: &[usize],
    pull: FillLogitGradient<'_>,
) -> Result<Vec<f32>> {
    let shape = network.input_shape();
    let classes = network.classes();
    let (size, epsilon) = (shape.iter().product::<usize>(), adversary.epsilon as f32);
    let step = (adversary.epsilon * adversary.step_share) as f32;
    let mut images = clean.to_vec();
    for (image, sample) in images.chunks_mut(size).zip(samples) {
        let mut draws = KeyedRng::new(seed, *sample as u64, 4 << 32);
        match adversary.start {
            StartPoint::Image => {}
            StartPoint::Wide => image.iter_mut().for_each(|v| *v += epsilon * draws.signed()),
            StartPoint::Uniform => {
                image.iter_mut().for_each(|v| *v = (*v + epsilon * draws.signed()).clamp(0.0, 1.0));
            }
            StartPoint::Near => {
                image.iter_mut().for_each(|v| *v = (*v + 1e-3 * draws.normal()).clamp(0.0, 1.0));
            }
        }
    }
    let mut start = |logits: &[f32]| {
        let mut slopes = vec![0.0_f32; logits.len()];
        let rows = logits.chunks(classes).zip(slopes.chunks_mut(classes)).enumerate();
        let mut slope = vec![0.0; classes];
        for (i, (row, out)) in rows {
            slope.fill(0.0);
            pull(i, row, &mut slope);
            // Only signs count: a confident image's slope must not underflow on its way.
            let top = slope.iter().fold(0.0_f64, |a, b| a.max(b.abs())).max(f64::MIN_POSITIVE);
            out.iter_mut().zip(&slope).for_each(|(out, s)| *out = (s / top) as f32);
        }
        slopes
    };
    for _ in 0..adversary.steps {
        let tensor = pictures(&images, shape, network.device());
        let (_, gradient) = network.input_gradient(&tensor, &mut start)?;
        let gradient = gradient.try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
        for ((image, clean), g) in images.iter_mut().zip(clean).zip(gradient) {
            let sign = if g == 0.0 { 0.0 } else { g.signum() };
            // A clean image with noise may lie outside 0..1 itself.
            let (low, high) =
                ((clean - epsilon).clamp(0.0, 1.0), (clean + epsilon).clamp(0.0, 1.0));
            *image = (*image + step * sign).clamp(low, high);
        }
    }
    Ok(images)
}
