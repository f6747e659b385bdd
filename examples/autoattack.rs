//! Measures robust accuracy under AutoAttack (Croce & Hein 2020).
//!
//! `cargo run --release --example autoattack`

use epsiloscope::attack::{AttackConfig, Flow};
use epsiloscope::data::Dataset;
use epsiloscope::engine::{DeviceChoice, choose};
use epsiloscope::error::Result;
use epsiloscope::experiment::{Evaluation, evaluate};
use epsiloscope::model::Model;

fn main() -> Result<()> {
    let chosen = choose(DeviceChoice::Cpu);
    let model = Model::load("mnist-cnn-at", &chosen.device)?;
    let dataset = Dataset::load(&model.card.data)?;

    // The first 50 samples; images that the model misclassifies are not attacked and count as broken.
    let attack = AttackConfig::parse("autoattack", 0.3)?;
    let task = Evaluation::new(model, dataset, 50, attack, chosen.info);
    let report = evaluate(&task, &mut |status| {
        eprint!("\r{:.0} of {} samples", status.done, status.total);
        Flow::Continue
    })?;

    println!("\nclean accuracy   {:.1} %", report.clean_accuracy * 100.0);
    let [low, high] = report.interval.map(|end| end * 100.0);
    let robust = report.robust_accuracy * 100.0;
    println!("robust accuracy  {robust:.1} % (95 % interval {low:.1} … {high:.1} %)");
    for stage in report.attacks.iter().flat_map(|attack| &attack.stages) {
        println!("  {:<8} broke {} more", stage.stage, stage.broken);
    }
    println!("{}", report.caveat);
    Ok(())
}
