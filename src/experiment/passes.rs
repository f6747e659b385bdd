//! How many network passes the stages of an attack make, as far as its parameters determine them.

use crate::attack::{AttackConfig, Knowledge};
use crate::parameter::Value;

/// How many passes through the network an image takes at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Passes {
    /// Forward passes.
    pub forward: f64,
    /// Backward passes.
    pub backward: f64,
}

/// The parts of an attack and the passes of each, as [`TimeEstimate::new`] takes them.
pub fn parts(plan: &AttackConfig) -> Vec<Option<Passes>> {
    plan.stages().iter().map(passes).collect()
}

/// The passes of an attack without stages, where its parameters determine them.
fn passes(plan: &AttackConfig) -> Option<Passes> {
    let settings = plan.resolved();
    let of = |id: &str| match settings.get(id) {
        Value::Int(number) => number.max(1) as f64,
        _ => 1.0,
    };
    let starts = of("restarts") * of("draws");
    let both = |forward: f64, backward: f64| Some(Passes { forward, backward });
    match (plan.attack.id, plan.attack.knowledge()) {
        (
            "fgsm" | "r-fgsm" | "fast" | "bim" | "pgd" | "mi-fgsm" | "ni-fgsm" | "di-fgsm"
            | "ti-fgsm",
            _,
        ) => {
            let steps = starts * of("steps");
            both(steps, steps)
        }
        ("apgd-ce" | "apgd-dlr", _) => both(starts * (of("steps") + 1.0), starts * of("steps")),
        ("apgd-t", _) => {
            let steps = of("draws") * of("targets") * of("steps");
            both(steps, steps)
        }
        // Beside the gradient, one forward pass for the new image.
        ("fab-t", _) => {
            let steps = of("restarts") * of("targets") * of("steps");
            both(2.0 * steps, steps)
        }
        ("square", Knowledge::Score) => both(of("restarts") * of("queries"), 0.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::find;

    #[test]
    fn the_parts_of_autoattack_are_its_stages() {
        let plan = AttackConfig::new(find("autoattack").unwrap(), 0.1);
        let of: Vec<Passes> = parts(&plan).into_iter().flatten().collect();
        let passes = |forward, backward| Passes { forward, backward };
        let wanted = [
            passes(101.0, 100.0),
            passes(900.0, 900.0),
            passes(1800.0, 900.0),
            passes(5000.0, 0.0),
        ];
        assert_eq!(of, wanted);
        assert_eq!(
            parts(&AttackConfig::new(find("pgd").unwrap(), 0.1)),
            [Some(passes(40.0, 40.0))]
        );
        assert_eq!(parts(&AttackConfig::new(find("stadv").unwrap(), 0.1)), [None]);
    }
}
