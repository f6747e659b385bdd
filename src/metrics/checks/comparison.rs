//! Checks that compare the attack with other attacks, and checks of its settings.

use crate::attack::Norm;
use crate::defence::{EOT_DRAWS, Stance};
use crate::metrics::Rate;
use crate::metrics::checks::{Assessment, AttackedDefence, Evidence, Remedy};

/// A margin smaller by a larger share of itself is nearer.
const NEARER: f32 = 0.05;

fn nearer(own: Option<f32>, other: Option<f32>) -> bool {
    let (Some(own), Some(other)) = (own, other) else { return false };
    own - other > NEARER * own.abs()
}

/// Carlini et al. 2019: what many steps miss, one step must not find.
pub(super) fn single_step(e: &Evidence) -> Assessment {
    if e.success {
        return Assessment::green("the goal was reached");
    }
    if !e.asks_gradients() {
        return Assessment::unlit("the attack asks for no gradients");
    }
    if e.plan.takes_one_step() {
        let remedy = Remedy::attack(&e.plan, "pgd");
        return Assessment::amber("a single step failed, which says little: iterate", remedy);
    }
    let Some(one) = e.probes.single_step else {
        return match e.is_met_by("fgsm") {
            true => Assessment::unasked("runs FGSM on the same picture"),
            false => Assessment::unlit("FGSM keeps to no such bound"),
        };
    };
    let remedy = Remedy::more(&e.plan, "steps", 4);
    match one.success {
        true => Assessment::red("FGSM reached the goal within ε, many steps did not", remedy),
        false if nearer(e.lowest(), one.lowest) => {
            Assessment::amber("FGSM came nearer to the goal than many steps did", remedy)
        }
        false => Assessment::green("FGSM came no nearer"),
    }
}

/// Athalye et al. 2018: what gradients miss, a search without them must not find.
pub(super) fn black_box(e: &Evidence) -> Assessment {
    if e.success {
        return Assessment::green("the goal was reached");
    }
    if !e.asks_gradients() {
        return Assessment::unlit("the attack is a black-box attack itself");
    }
    let asked = &e.probes.black_box;
    if asked.is_empty() {
        return match e.is_met_by("square") {
            true if e.gradients.all_dead() => {
                let told = "gradients led nowhere: what needs none may reach the goal";
                Assessment::amber(told, Remedy::attack(&e.plan, "square")).open()
            }
            true => Assessment::unasked("runs random noise and Square"),
            false => Assessment::unlit("Square keeps to no such bound"),
        };
    }
    let names: Vec<&str> = asked.iter().map(|(name, _)| *name).collect();
    let remedy = Remedy::attack(&e.plan, "autoattack");
    match asked.iter().find(|(_, tried)| tried.success) {
        Some((name, _)) => {
            Assessment::red(format!("{name} reached the goal within ε, without gradients"), remedy)
        }
        None => match asked.iter().find(|(_, tried)| nearer(e.lowest(), tried.lowest)) {
            Some((name, _)) => {
                Assessment::amber(format!("{name} came nearer without gradients"), remedy)
            }
            None => Assessment::green(format!("{} came no nearer", names.join(" and "))),
        },
    }
}

/// Carlini et al. 2019: with nothing to keep to, an attack must succeed.
pub(super) fn unbounded(e: &Evidence) -> Assessment {
    if e.success {
        return Assessment::green("the goal was reached within ε");
    }
    if e.reached {
        return Assessment::green("the goal was reached beyond ε");
    }
    if !e.asks_gradients() {
        return Assessment::unlit("the attack asks for no gradients");
    }
    match e.probes.unbounded {
        None if e.gradients.all_dead() => {
            let told = "no gradient came through: no ε would be large enough";
            Assessment::amber(told, Remedy::attack(&e.plan, "square")).open()
        }
        None => Assessment::unasked("runs BIM with no ε to keep to"),
        Some(true) => Assessment::green("BIM with no ε to keep to reaches the goal"),
        Some(false) => {
            let remedy = match &e.defence {
                Some(behind) if !behind.is_adaptive() => Some(Remedy::Stance(Stance::Adaptive)),
                _ => Remedy::attack(&e.plan, "square"),
            };
            Assessment::red("even with no ε to keep to, BIM does not reach the goal", remedy)
        }
    }
}

/// A single step that uses up ε and leads away from the goal.
fn backwards(e: &Evidence) -> Option<Assessment> {
    let fall = e.nearest()?.fall?;
    let away = !e.success && e.plan.takes_one_step() && fall.whole <= 0.0;
    let told = "the step led away from the goal: a shorter one may reach it";
    away.then(|| Assessment::amber(told, Remedy::attack(&e.plan, "pgd")).open())
}

/// Carlini et al. 2019: more room cannot make an attack weaker.
pub(super) fn monotone(e: &Evidence) -> Assessment {
    let (true, Some(own)) = (e.is_budgeted(), e.epsilon) else {
        return Assessment::unlit("ε does not bound the attack");
    };
    if e.probes.epsilons.is_empty() {
        return backwards(e).unwrap_or_else(|| Assessment::unasked("runs it at other ε"));
    }
    let mut tried = e.probes.epsilons.clone();
    tried.push((own, e.success));
    tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = tried.iter().position(|(_, success)| *success);
    let lost = first.and_then(|first| tried[first..].iter().find(|(_, success)| !success));
    match (first, lost) {
        (Some(first), Some((failed, _))) => {
            let worked = tried[first].0;
            let told = format!("it reached the goal at ε {worked:.4}, not at {failed:.4}");
            Assessment::red(told, Remedy::more(&e.plan, "restarts", 5))
        }
        _ => Assessment::green(format!("tried at {} ε: more room never hurt", tried.len())),
    }
}

impl AttackedDefence {
    /// Whether the attack knows of the defence whatever it calls for.
    pub(super) fn is_adaptive(&self) -> bool {
        let through = !self.broken || self.stance.through();
        let averages = !self.random || self.stance.averages();
        self.stance != Stance::Naive && through && averages
    }
}

/// Carlini et al. 2019, Tramèr et al. 2020: a defence is evaluated by attacks that know it.
pub(super) fn stance(e: &Evidence) -> Assessment {
    match &e.defence {
        None => Assessment::unlit("nothing defends the network"),
        Some(_) if e.success => Assessment::green("the goal was reached"),
        Some(behind) => knows(behind),
    }
}

/// The same for one image and for many.
pub(super) fn knows(behind: &AttackedDefence) -> Assessment {
    let remedy = Remedy::Stance(Stance::Adaptive);
    match behind {
        _ if behind.stance == Stance::Naive => {
            Assessment::red("the attack does not know the defence: this is not robustness", remedy)
        }
        _ if behind.broken && !behind.stance.through() => {
            let told = "a stage lets no gradient through, and the attack does not go around it";
            Assessment::red(told, remedy)
        }
        _ => Assessment::green("the attack knows the defence"),
    }
}

/// Athalye et al. 2018, Croce and Hein 2020: what is random has to be averaged over.
pub(super) fn draws(e: &Evidence) -> Assessment {
    let behind = match &e.defence {
        Some(behind) if behind.random && behind.stance != Stance::Naive => behind,
        Some(behind) if behind.random => {
            return Assessment::unlit("the attack does not ask the defence");
        }
        _ => return Assessment::unlit("nothing is random"),
    };
    if e.success {
        return Assessment::green("the goal was reached");
    }
    let own = behind.draws.unwrap_or(1);
    if let Some(held) = behind.held {
        let better = e.probes.draws.iter().filter(|(_, rate)| rate.hits < held.hits);
        if let Some((n, rate)) = better.min_by_key(|(_, rate)| rate.hits) {
            let told = format!(
                "over {n} draws {} of {} answers hold, over {own} {} of {}",
                rate.hits, rate.n, held.hits, held.n
            );
            let remedy = Remedy::Draws(*n);
            // By more than chance.
            let apart = rate.interval()[1] < held.interval()[0];
            return match apart {
                true => Assessment::red(told, remedy),
                false => Assessment::amber(told, remedy),
            };
        }
    }
    enough(behind, &e.probes.draws)
}

/// The same for one image and for many.
pub(super) fn enough(behind: &AttackedDefence, asked: &[(u64, Rate)]) -> Assessment {
    let remedy = match behind.stance.averages() {
        true => Remedy::Draws(2 * EOT_DRAWS),
        false => Remedy::Stance(Stance::Adaptive),
    };
    match behind.draws.unwrap_or(1) {
        1 => Assessment::red("one draw of what is random says little", remedy),
        own if own < EOT_DRAWS => Assessment::amber(format!("{own} draws are few"), remedy),
        own if asked.is_empty() => Assessment::green(format!("{own} draws were averaged")),
        own => Assessment::green(format!("{own} draws were averaged, other numbers do no better")),
    }
}

pub(super) fn eight_bit(e: &Evidence) -> Assessment {
    match (e.reached, e.survives_8_bit) {
        (false, _) => Assessment::unlit("the goal was not reached"),
        (true, None) => Assessment::unasked("rounds the attacked picture to 8 bits"),
        (true, Some(true)) => Assessment::green("rounding to 8 bits changes nothing"),
        (true, Some(false)) => {
            // The next whole step holds every value that the attack can want.
            let remedy = e.epsilon.filter(|_| e.is_budgeted() && e.plan.norm == Norm::Linf);
            let step = |epsilon: f64| ((epsilon * 255.0 + 1e-6).floor() + 1.0) / 255.0;
            let remedy = remedy.map(|epsilon| Remedy::Epsilon(step(epsilon).min(1.0)));
            Assessment::amber("rounding to 8 bits undoes it: no picture file holds it", remedy)
        }
    }
}

/// Of one image behind a randomised defence: on which side of one half the share of correct
/// predictions is.
pub(super) fn sample_size(e: &Evidence) -> Assessment {
    let Some(held) = e.defence.as_ref().and_then(|behind| behind.held) else {
        return Assessment::unlit("one picture: no rate is claimed");
    };
    let [low, high] = held.interval();
    let told = format!("{} of {} answers hold", held.hits, held.n);
    match low < 0.5 && high > 0.5 {
        true => Assessment::amber(format!("{told}: too near half for so few"), None),
        false => Assessment::green(told),
    }
}
