//! Robust networks that are what they seem: no lamp that lights by itself may call them otherwise.

use crate::checks::{Case, model, on, plan};
use epsiloscope::attack::{NoObserver, Norm, default_epsilon};
use epsiloscope::data::Dataset;
use epsiloscope::experiment::{self, Experiment};
use epsiloscope::metrics::checks::{CheckStatus, run_checks};

/// Trained by PGD, TRADES, AWP and MART, on three data sets.
const NETWORKS: [&str; 5] =
    ["mnist-cnn-at", "mnist-trades", "mnist-at-awp", "fashion-trades", "cifar-trades-awp"];

/// How many samples of each network are looked at where nobody asks for more by
/// `EPSILOSCOPE_SOUND_SAMPLES` (40 makes the 200 of the acceptance).
const FEW: usize = 5;

/// The red lamps beside an attack that failed on this sample; none where there is nothing to see: a
/// sample that is not answered rightly, or that an attack breaks.
fn red(case: &Case) -> Option<Vec<String>> {
    let report = experiment::attack_sample(&case.experiment, &mut NoObserver).unwrap();
    if !report.attacked || report.success {
        return None;
    }
    let red: Vec<String> = run_checks(&case.watched())
        .into_iter()
        .filter(|verdict| verdict.status == CheckStatus::Red)
        .map(|verdict| format!("{}: {}", verdict.check.id, verdict.reason))
        .collect();
    let breaks = |attack: &str| {
        let plan = plan(attack, case.experiment.plan.epsilon);
        let stronger = Experiment { plan, ..case.experiment.clone() };
        experiment::attack_sample(&stronger, &mut NoObserver).unwrap().success
    };
    // A warning of a sample that a stronger attack breaks is right.
    let right =
        !red.is_empty() && ["pgd:steps=160:restarts=10", "autoattack"].into_iter().any(breaks);
    (!right).then_some(red)
}

#[test]
fn lamps_that_light_by_themselves_leave_sound_networks_alone() {
    let asked = std::env::var("EPSILOSCOPE_SOUND_SAMPLES").ok();
    let each = asked.and_then(|n| n.parse().ok()).unwrap_or(FEW);
    let (mut looked, mut complaints) = (0, Vec::new());
    for name in NETWORKS {
        let model = model(name);
        let epsilon = default_epsilon(&model.card.data, Norm::Linf);
        let samples = Dataset::load(&model.card.data).unwrap().len();
        let sound = (0..samples).filter_map(|sample| {
            let case = on(model.clone(), sample, plan("pgd", epsilon));
            Some((sample, red(&case)?))
        });
        for (sample, red) in sound.take(each) {
            looked += 1;
            complaints.extend(red.into_iter().map(|red| format!("{name} #{sample} {red}")));
        }
    }
    println!("{} red of {looked}", complaints.len());
    assert!(50 * complaints.len() <= looked, "{}", complaints.join("\n"));
}
