//! Lamps that look at the gradients: whether they are there, and whether they lead anywhere.

use crate::attack::GradientStats;
use crate::defence::Stance;
use crate::metrics::lamps::course::percent;
use crate::metrics::lamps::{Behind, Cure, Evidence, Finding};

/// Below this the gradient and the differences have little to do with each other.
const LOST: f32 = 0.5;

/// From here on they agree.
const TRUE: f32 = 0.9;

/// A larger share of zeros, or of values next to it, leaves too few pixels to climb by.
const NEARLY_ALL: f64 = 0.99;

/// The loss changes by a larger share of itself: it is rough (Pintor et al. 2022).
const ROUGH: f64 = 0.1;

/// What helps where gradients do not: to know the defence, else to do without them.
fn cure(e: &Evidence) -> Option<Cure> {
    match &e.behind {
        Some(behind) if !behind.is_adaptive() => Some(Cure::Stance(Stance::Adaptive)),
        _ => Cure::attack(&e.plan, "square"),
    }
}

/// Pintor et al. 2022 and ART's check: autodiff against antithetic differences.
pub(super) fn path(e: &Evidence) -> Finding {
    if !e.asks_gradients() {
        return Finding::unlit("the attack asks for no gradients");
    }
    let Some(path) = e.probes.path else {
        return match e.gradients.all_dead() {
            true => {
                let told = "no gradient came through on the whole way".to_string();
                Finding::weighed(e, told, cure(e)).open()
            }
            false => Finding::unasked("compares the gradient with differences"),
        };
    };
    let n = path.directions;
    match path.dead {
        true if path.moves => {
            let told = format!("no gradient comes through, yet the margin moves in {n} directions");
            return Finding::weighed(e, told, cure(e));
        }
        true => return Finding::amber(format!("nothing moves in {n} directions"), cure(e)),
        false => {}
    }
    let told = format!("cosine {:.2} with differences in {n} directions", path.cosine);
    let straight = e.behind.as_ref().is_some_and(|b| b.broken && b.stance.through());
    match path.cosine {
        TRUE.. => Finding::green(told),
        _ if straight => Finding::amber(format!("{told}: it goes straight through"), cure(e)),
        LOST.. => Finding::amber(told, cure(e)),
        _ => Finding::weighed(e, told, cure(e)),
    }
}

/// Carlini et al. 2019, Athalye et al. 2018: a gradient of zeros leads nowhere, at the start and
/// anywhere on the way.
pub(super) fn vanishing(e: &Evidence) -> Finding {
    if !e.asks_gradients() {
        return Finding::unlit("the attack asks for no gradients");
    }
    let Some(first) = e.first else { return Finding::unlit("the attack saw no gradient") };
    let cure = match &e.behind {
        // Past the softmax the logits still have slopes.
        None => Cure::attack(&e.plan, "apgd-dlr"),
        Some(_) => cure(e),
    };
    let GradientStats { queries, dead, .. } = e.gradients;
    let none = format!("{dead} of {queries} gradients were zero or not a number everywhere");
    let idle = e.gradients.idle().filter(|_| !e.reached).unwrap_or_default();
    let few = format!("{} of the gradients' values were zero or next to it", percent(idle as f32));
    match () {
        () if e.gradients.all_dead() => Finding::weighed(e, none, cure),
        () if first.zeros >= 1.0 => {
            Finding::weighed(e, "the first gradient is zero everywhere".into(), cure)
        }
        // A search for the least perturbation asks for no gradient of what it has found.
        () if e.gradients.mostly_dead() && !e.reached => Finding::red(none, cure),
        () if idle >= NEARLY_ALL => Finding::red(few, cure),
        () if e.gradients.mostly_zero() && !e.reached => Finding::amber(few, cure),
        () if dead > 0 && !e.reached => Finding::amber(none, cure),
        () if f64::from(first.zeros) >= NEARLY_ALL => {
            let told = format!("{} of the first gradient is exactly zero", percent(first.zeros));
            Finding::amber(told, cure)
        }
        () => {
            let zeros = percent(first.zeros);
            let told =
                format!("{zeros} of the first gradient is exactly zero, its largest value is");
            Finding::green(format!("{told} 10^{:.0}", first.magnitude))
        }
    }
}

/// Pintor et al. 2022: the loss along random directions.
pub(super) fn noisy(e: &Evidence) -> Finding {
    let cure = match &e.behind {
        Some(behind) if behind.random => {
            let draws = behind.draws.map_or(10, |draws| 4 * draws);
            if behind.is_adaptive() { Some(Cure::Draws(draws)) } else { cure(e) }
        }
        _ => cure(e),
    };
    let Some(noise) = e.probes.noise else {
        let once = |behind: &Behind| behind.random && behind.draws.is_none();
        return match e.behind.as_ref().is_some_and(once) && !e.success {
            true => Finding::amber("a random defence was asked once a step", cure).open(),
            false => Finding::unasked("looks at the loss in random directions"),
        };
    };
    let told = format!("random steps of 8/255 change the loss by {:.1} %", noise * 100.0);
    match noise {
        _ if noise < ROUGH => Finding::green(told),
        _ if noise < 5.0 * ROUGH => Finding::amber(told, cure),
        _ => Finding::weighed(e, told, cure),
    }
}
