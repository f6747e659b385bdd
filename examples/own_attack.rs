//! An attack of your own: a function of an oracle. Its signature says what it may see; this one takes
//! a [`ScoreOracle`], so it gets logits and no gradients.
//!
//! `cargo run --release --example own_attack`

use burn_tensor::Device;
use epsiloscope::attack::{
    Algorithm, AttackConfig, AttackOutput, AttackSpec, Bound, Budget, Flow, Goal, ImageBatch,
    NoObserver, Norm, Observer, Problem, ScoreOracle, TargetModel, generate_and_judge, margin,
};
use epsiloscope::data::Dataset;
use epsiloscope::error::{Error, Result};
use epsiloscope::model::Model;
use epsiloscope::parameter::{IntParam, Settings};

/// A parameter is declared once, with its range and default, and read through itself.
const QUERIES: IntParam = IntParam::new("queries", (1, 10_000), 200, "queries for each image");

/// The row that declares the attack. In `src/attack/registry.rs` it would be in every menu and list.
static RANDOM_SIGNS: AttackSpec = AttackSpec {
    id: "random-signs",
    name: "Random signs",
    family: "example",
    norms: &[Norm::Linf],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[QUERIES.param],
    summary: "tries random corners of the L∞ ball and keeps the best",
    about: "Each query flips the signs of a random tenth of the perturbation.",
    paper: "",
    run: Algorithm::Score(random_signs),
};

/// Random search over the corners x ± ε: the change is kept where the margin falls.
fn random_signs(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let (clean, epsilon) = (&problem.images, problem.budget.epsilon);
    // Each image has its own stream of random numbers, so that its result does not depend on the
    // batch it is in.
    let mut draws = problem.draws(0);
    let mut best = clean.clone();
    let mut margins = vec![f32::INFINITY; problem.len()];
    for _ in 0..QUERIES.get(settings) {
        if observer.poll() == Flow::Stop {
            return Err(Error::cancelled());
        }
        let mut tried = best.clone();
        for ((pixels, clean), draw) in tried.iter_mut().zip(clean.iter()).zip(&mut draws) {
            for (pixel, clean) in pixels.iter_mut().zip(clean) {
                if draw.unit() < 0.1 {
                    let sign = if draw.unit() < 0.5 { -1.0 } else { 1.0 };
                    *pixel = (clean + sign * epsilon).clamp(0.0, 1.0);
                }
            }
        }
        let logits = oracle.logits(&tried)?;
        for (i, row) in logits.rows().enumerate() {
            // How far the true class is ahead of the best other one; negative where it is fooled.
            let margin = margin(row, problem.goals[i]);
            if margin < margins[i] {
                margins[i] = margin;
                best.row_mut(i).copy_from_slice(tried.row(i));
            }
        }
    }
    let queries = vec![QUERIES.get(settings) as u64; problem.len()];
    Ok(AttackOutput::new(best, queries))
}

fn main() -> Result<()> {
    let model = Model::load("mnist-cnn", &Device::flex())?;
    let dataset = Dataset::load(&model.card.data)?;
    let mut images = ImageBatch::new(model.card.input.shape, Vec::new());
    let (mut goals, mut samples) = (Vec::new(), Vec::new());
    for index in 0..16 {
        let sample = dataset.get(index)?;
        let Some(truth) = sample.label else { continue };
        images.push(model.card.input.fit(&sample.image).pixels());
        goals.push(Goal::Untargeted { truth });
        samples.push(index as u64);
    }
    let budget = Budget::new(Norm::Linf, 0.25, images.size())?;
    let problem = Problem { images, goals, budget, seed: 1, samples, training_images: None };
    let mut target = TargetModel::new(&model.network);
    let settings = AttackConfig::new(&RANDOM_SIGNS, 0.25).resolved();
    let found =
        generate_and_judge(&RANDOM_SIGNS, &settings, &mut target, &problem, &mut NoObserver)?;
    let fooled = found.success.iter().filter(|success| **success).count();
    println!("{fooled} of {} fooled by {} at ε = 0.25", problem.len(), RANDOM_SIGNS.name);
    Ok(())
}
