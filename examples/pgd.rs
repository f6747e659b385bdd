//! Loads a model and runs PGD (Madry et al. 2018) on a batch of images.
//!
//! `cargo run --release --example pgd`

use burn_tensor::Device;
use epsiloscope::attack::{
    AttackConfig, Budget, Goal, ImageBatch, NoObserver, Problem, TargetModel, generate_and_judge,
};
use epsiloscope::data::Dataset;
use epsiloscope::error::Result;
use epsiloscope::model::Model;

fn main() -> Result<()> {
    // A built-in model by name; a folder with a card and weights of your own works as well.
    let model = Model::load("mnist-cnn", &Device::flex())?;
    let dataset = Dataset::load(&model.card.data)?;

    // A batch [N, C, H, W] of pixels in 0..1 (normalisation is the model's own business), and for
    // each image the goal: any class but the true one.
    let mut images = ImageBatch::new(model.card.input.shape, Vec::new());
    let (mut goals, mut samples) = (Vec::new(), Vec::new());
    for index in 0..16 {
        let sample = dataset.get(index)?;
        let Some(truth) = sample.label else { continue };
        images.push(model.card.input.fit(&sample.image).pixels());
        goals.push(Goal::Untargeted { truth });
        samples.push(index as u64);
    }

    // The attack with its parameters, in L∞ with ε = 0.15 in pixel units.
    let attack = AttackConfig::parse("pgd:steps=40:restarts=2", 0.15)?;
    let budget = Budget::new(attack.norm, attack.epsilon, images.size())?;
    let problem = Problem { images, goals, budget, seed: 1, samples, training_images: None };

    // The judge clips what the attack returns to the ball and queries the model once more.
    let mut target = TargetModel::new(&model.network);
    let settings = attack.resolved();
    let found =
        generate_and_judge(attack.attack, &settings, &mut target, &problem, &mut NoObserver)?;

    let labels = found.logits.labels();
    for (i, goal) in problem.goals.iter().enumerate() {
        let (truth, word) = (goal.class(), if found.success[i] { "fooled" } else { "right" });
        let (distance, queries) = (found.distance[i], found.queries[i]);
        println!("{truth} -> {}  {word}  L∞ {distance:.3}  {queries} queries", labels[i]);
    }
    let fooled = found.success.iter().filter(|success| **success).count();
    println!("{fooled} of {} fooled at ε = {}", problem.len(), attack.epsilon);
    Ok(())
}
