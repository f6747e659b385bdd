//! Spatially transformed adversarial examples (Xiao et al. 2018): every pixel of the image is
//! fetched from a place a little beside its own, by bilinear interpolation, along a smooth flow.
//!
//! What is minimised is max(margin, 0) + τ·Σ_p Σ_q √(‖f_p − f_q‖² + tiny) over the four neighbours q
//! of each pixel p, f being the flow in pixels. Different from the paper: Adam with a falling rate
//! instead of L-BFGS, whose line search would ask the model an unknown number of times a step; and
//! the paper's τ = 0.05 is for digits of 28 × 28 pixels, on larger images it is less by as much as
//! they have more pixels, since the sum grows with them. At the frame the edge pixels are continued.
//! Of the flows that work the smoothest is kept.
//!
//! The rate must be large at first (half a pixel): neighbours hold each other back, and steps that are
//! small beside the kink of the root never get a region going. What is too rough is smoothed later.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::margin;
use crate::attack::methods::adam::Adam;
use crate::attack::methods::bilinear::{BilinearSampler, Border, Position};
use crate::attack::norm::Norm;
use crate::attack::note::Note;
use crate::attack::objective::{Margin, Objective, times_power_of_two};
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};

const STEPS: IntParam =
    IntParam::new("steps", (1, 10_000), 100, "number of steps of Adam (the paper uses L-BFGS)");
const TAU: FloatParam = FloatParam::new(
    "tau",
    (0.0, 100.0),
    0.05,
    "weight τ of the flow's roughness, on pictures of 28 × 28 pixels",
);
const LEARNING_RATE: FloatParam = FloatParam::new(
    "learning-rate",
    (1e-4, 10.0),
    0.5,
    "first rate of Adam, in pixels of flow; it falls to zero",
);

/// stAdv: a smooth flow field that moves pixels.
///
/// L2; gradients (white box); bounded by its own parameters; targeted or untargeted.
///
/// Xiao, Zhu, Li, He, Liu, Song: Spatially Transformed Adversarial Examples, ICLR 2018.
pub const STADV: AttackSpec = AttackSpec {
    id: "stadv",
    name: "stAdv flow",
    family: "spatial and semantic",
    norms: &[Norm::L2],
    bound: Bound::Own,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[STEPS.param, TAU.param, LEARNING_RATE.param],
    summary: "the picture is bent by a smooth flow, no value is added",
    about: "Each pixel is taken from a place slightly beside its own, so that strokes bend and edges \
            wander while colours and textures stay. Neighbouring pixels are made to flow alike, \
            which keeps the result natural: distances in Lp norms are large, yet little is seen. \
            After the goal is reached the flow goes on becoming smoother, and now and then loses \
            the goal for a step. Defences that bound the change of each pixel say nothing here.",
    paper: "Xiao, Zhu, Li, He, Liu, Song: Spatially Transformed Adversarial Examples, ICLR 2018",
    run: Algorithm::Gradient(stadv),
};

/// How many pixels the images had for which the paper chose τ: roughness is a sum over all pixels.
const DIGIT: f64 = 784.0;

/// Climbs until the goal is reached, and is flat there.
fn hinge(at: usize, row: &[f32], goal: Goal, slope: &mut [f64]) -> f64 {
    match margin(row, goal) < 0.0 {
        true => 0.0,
        false => Margin.evaluate(at, row, goal, slope),
    }
}

fn stadv(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let [_, height, width] = context.x.shape();
    let bend =
        FlowField { sampler: BilinearSampler { shape: context.x.shape(), border: Border::Edge } };
    let steps = STEPS.count(settings);
    let tau = TAU.get(settings) * DIGIT / (height * width) as f64;
    let rate = LEARNING_RATE.get(settings);
    let all = context.all();
    let mut flows = vec![vec![0.0; 2 * bend.pixels()]; all.len()];
    let mut adams: Vec<Adam> = flows.iter().map(|flow| Adam::new(flow.len())).collect();
    let mut best = BestSoFar::new(context.x);
    let mut farthest = vec![0.0; all.len()];
    for step in 0..=steps {
        let mut images = ImageBatch::zeros(context.x.shape(), 0);
        all.iter().for_each(|i| images.push(&bend.apply(context.x.row(*i), &flows[*i])));
        let gradients = match step < steps {
            true => Some(context.gradients(oracle, &all, &images, &hinge)?),
            false => None,
        };
        let last;
        let logits = match &gradients {
            Some(gradients) => &gradients.logits,
            None => {
                last = context.logits(oracle, &all, &images)?;
                &last
            }
        };
        let margins = logits.margins(&context.goals(&all));
        let reached = context.reached(&all, &logits.labels());
        let mut loss = Vec::with_capacity(all.len());
        for i in &all {
            let (rough, mut gradient) = bend.roughness(&flows[*i]);
            let value = if reached[*i] { rough as f32 } else { margins[*i] };
            if best.offer(*i, images.row(*i), reached[*i], value) {
                farthest[*i] = bend.farthest(&flows[*i]);
            }
            loss.push(-margins[*i].max(0.0) - (tau * rough) as f32);
            if let Some(gradients) = &gradients {
                let pixels = gradients.gradient.row(*i);
                let pull = bend.gradient(context.x.row(*i), &flows[*i], pixels);
                for (g, pull) in gradient.iter_mut().zip(pull) {
                    *g = times_power_of_two(pull, -gradients.log2_scale[*i]) - tau * *g;
                }
                let left = 1.0 - step as f64 / steps as f64;
                adams[*i].climb(&mut flows[*i], &gradient, rate * left);
            }
        }
        let mark = format!("flow up to {:.2} px", bend.farthest(&flows[0]));
        context.report(&StepReport {
            active: &all,
            iteration: step,
            iterations: steps,
            loss: &loss,
            predictions: Predictions::Logits(logits),
            step_size: 0.0,
            images: &images,
            mark: Some(&mark),
        })?;
    }
    let there: Vec<usize> = all.into_iter().filter(|i| best.reached[*i]).collect();
    let sum = |of: &dyn Fn(usize) -> f64| there.iter().map(|i| of(*i)).sum::<f64>();
    let (some, none) = ("flow of up to {0:.2} px, roughness {1:.1}", "no flow reaches the goal");
    let counted = (there.len(), problem.len());
    let note = Note {
        sums: vec![sum(&|i| farthest[i]), sum(&|i| f64::from(best.value[i]))],
        single: Some(if there.is_empty() { none } else { some }.to_string()),
        ..Note::count(&format!("{some} on average"), none, counted)
    };
    let mut output = context.finish(best.images);
    output.notes.push(note);
    Ok(output)
}

/// Bends images: a flow has for each pixel how far down and how far right it looks, `[H, W, 2]`.
struct FlowField {
    sampler: BilinearSampler,
}

/// Keeps the square root differentiable where two pixels flow alike.
const TINY: f64 = 1e-8;

impl FlowField {
    fn pixels(&self) -> usize {
        self.sampler.shape[1] * self.sampler.shape[2]
    }

    fn places(&self, flow: &[f64]) -> Vec<Position> {
        let width = self.sampler.shape[2];
        let at = |(p, f): (usize, &[f64])| [(p / width) as f64 + f[0], (p % width) as f64 + f[1]];
        flow.chunks(2).enumerate().map(at).collect()
    }

    fn apply(&self, picture: &[f32], flow: &[f64]) -> Vec<f32> {
        self.sampler.sample(picture, &self.places(flow))
    }

    /// The derivative with respect to the flow, from the gradient with respect to the pixels.
    fn gradient(&self, picture: &[f32], flow: &[f64], gradient: &[f32]) -> Vec<f64> {
        let gradients = self.sampler.place_gradient(picture, &self.places(flow), gradient);
        gradients.into_iter().flatten().collect()
    }

    /// How rough a flow is, and the derivative of that. Every pair of neighbours counts twice: once
    /// for each of the two.
    fn roughness(&self, flow: &[f64]) -> (f64, Vec<f64>) {
        let [_, height, width] = self.sampler.shape;
        let (mut sum, mut slope) = (0.0, vec![0.0; flow.len()]);
        let mut pair = |p: usize, q: usize| {
            let gap = [flow[2 * p] - flow[2 * q], flow[2 * p + 1] - flow[2 * q + 1]];
            let size = (gap[0] * gap[0] + gap[1] * gap[1] + TINY).sqrt();
            sum += 2.0 * size;
            for axis in 0..2 {
                slope[2 * p + axis] += 2.0 * gap[axis] / size;
                slope[2 * q + axis] -= 2.0 * gap[axis] / size;
            }
        };
        for p in 0..height * width {
            if p % width + 1 < width {
                pair(p, p + 1);
            }
            if p + width < height * width {
                pair(p, p + width);
            }
        }
        (sum, slope)
    }

    /// The longest way of any pixel.
    fn farthest(&self, flow: &[f64]) -> f64 {
        flow.chunks(2).map(|f| f[0].hypot(f[1])).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::KeyedRng;

    fn bend() -> FlowField {
        FlowField { sampler: BilinearSampler { shape: [2, 5, 4], border: Border::Edge } }
    }

    #[test]
    fn no_flow_changes_nothing_and_an_even_one_moves_and_is_smooth() {
        let picture: Vec<f32> = (0..40).map(|v| v as f32 / 40.0).collect();
        let bend = bend();
        assert_eq!(bend.apply(&picture, &[0.0; 40]), picture);
        let up = bend.apply(&picture, &[1.0, 0.0].repeat(20));
        assert!(up[..16].iter().zip(&picture[4..]).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(up[16..20], picture[16..20], "the edge goes on");
        let ((even, slope), (rough, _)) = (
            bend.roughness(&[1.0, 0.0].repeat(20)),
            bend.roughness(&[1.0, 0.0, 0.0].repeat(14)[..40]),
        );
        assert!(even < 0.01 && rough > 10.0 && slope.iter().all(|s| *s == 0.0));
    }

    #[test]
    fn the_derivatives_by_flow_are_those_of_differences() {
        let (bend, draws) = (bend(), &mut KeyedRng::new(0, 0, 0));
        let picture: Vec<f32> = (0..40).map(|_| draws.unit()).collect();
        let weights: Vec<f32> = (0..40).map(|_| draws.signed()).collect();
        let flow: Vec<f64> = (0..40).map(|_| 0.1 + 0.8 * f64::from(draws.unit())).collect();
        let pull = bend.gradient(&picture, &flow, &weights);
        let (_, slope) = bend.roughness(&flow);
        for k in 0..40 {
            let moved = |by: f64| {
                let mut moved = flow.clone();
                moved[k] += by;
                moved
            };
            let value = |by: f64| {
                let bent = bend.apply(&picture, &moved(by));
                bent.iter().zip(&weights).map(|(p, w)| f64::from(*p) * f64::from(*w)).sum::<f64>()
            };
            let rough = |by: f64| bend.roughness(&moved(by)).0;
            let difference = (value(0.01) - value(-0.01)) / 0.02;
            assert!((difference - pull[k]).abs() < 1e-4, "{k}: {difference} {}", pull[k]);
            let difference = (rough(1e-5) - rough(-1e-5)) / 2e-5;
            assert!((difference - slope[k]).abs() < 1e-4, "{k}: {difference} {}", slope[k]);
        }
    }
}
