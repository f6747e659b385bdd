//! Checks of the gradients: whether they are zero, and whether they predict the change of the
//! margin.

use crate::attack::GradientStats;
use crate::defence::Stance;
use crate::metrics::checks::convergence::percent;
use crate::metrics::checks::{Assessment, AttackedDefence, Evidence, Remedy};

/// Below this the gradient and the differences have little to do with each other.
const LOST: f32 = 0.5;

/// From here on they agree.
const TRUE: f32 = 0.9;

/// A larger share of zeros, or of values next to it, leaves too few pixels to climb by.
const NEARLY_ALL: f64 = 0.99;

/// The loss changes by a larger share of itself: it is rough (Pintor et al. 2022).
const ROUGH: f64 = 0.1;

/// What helps where gradients do not: to know the defence, else to do without them.
fn remedy(e: &Evidence) -> Option<Remedy> {
    match &e.defence {
        Some(behind) if !behind.is_adaptive() => Some(Remedy::Stance(Stance::Adaptive)),
        _ => Remedy::attack(&e.plan, "square"),
    }
}

/// Pintor et al. 2022 and ART's check: autodiff against antithetic differences.
pub(super) fn path(e: &Evidence) -> Assessment {
    if !e.asks_gradients() {
        return Assessment::unlit("the attack asks for no gradients");
    }
    let Some(path) = e.probes.path else {
        return match e.gradients.all_dead() {
            true => {
                let told = "no gradient came through on the whole way".to_string();
                Assessment::weighed(e, told, remedy(e)).open()
            }
            false => Assessment::unasked("compares the gradient with differences"),
        };
    };
    let n = path.directions;
    match path.dead {
        true if path.moves => {
            let told = format!("no gradient comes through, yet the margin moves in {n} directions");
            return Assessment::weighed(e, told, remedy(e));
        }
        true => return Assessment::amber(format!("nothing moves in {n} directions"), remedy(e)),
        false => {}
    }
    let told = format!("cosine {:.2} with differences in {n} directions", path.cosine);
    let straight = e.defence.as_ref().is_some_and(|b| b.broken && b.stance.through());
    match path.cosine {
        TRUE.. => Assessment::green(told),
        _ if straight => Assessment::amber(format!("{told}: it goes straight through"), remedy(e)),
        LOST.. => Assessment::amber(told, remedy(e)),
        _ => Assessment::weighed(e, told, remedy(e)),
    }
}

/// Carlini et al. 2019, Athalye et al. 2018: a gradient of zeros leads nowhere, at the start and
/// anywhere on the way.
pub(super) fn vanishing(e: &Evidence) -> Assessment {
    if !e.asks_gradients() {
        return Assessment::unlit("the attack asks for no gradients");
    }
    let Some(first) = e.first else { return Assessment::unlit("the attack saw no gradient") };
    let remedy = match &e.defence {
        // Past the softmax the logits still have slopes.
        None => Remedy::attack(&e.plan, "apgd-dlr"),
        Some(_) => remedy(e),
    };
    let GradientStats { queries, dead, .. } = e.gradients;
    let none = format!("{dead} of {queries} gradients were zero or not a number everywhere");
    let idle = e.gradients.idle().filter(|_| !e.reached).unwrap_or_default();
    let few = format!("{} of the gradients' values were zero or next to it", percent(idle as f32));
    match () {
        () if e.gradients.all_dead() => Assessment::weighed(e, none, remedy),
        () if first.zeros >= 1.0 => {
            Assessment::weighed(e, "the first gradient is zero everywhere".into(), remedy)
        }
        // A minimum-norm attack computes no gradient of what it has found.
        () if e.gradients.mostly_dead() && !e.reached => Assessment::red(none, remedy),
        () if idle >= NEARLY_ALL => Assessment::red(few, remedy),
        () if e.gradients.mostly_zero() && !e.reached => Assessment::amber(few, remedy),
        () if dead > 0 && !e.reached => Assessment::amber(none, remedy),
        () if f64::from(first.zeros) >= NEARLY_ALL => {
            let told = format!("{} of the first gradient is exactly zero", percent(first.zeros));
            Assessment::amber(told, remedy)
        }
        () => {
            let zeros = percent(first.zeros);
            let told =
                format!("{zeros} of the first gradient is exactly zero, its largest value is");
            Assessment::green(format!("{told} 10^{:.0}", first.magnitude))
        }
    }
}

/// Pintor et al. 2022: the loss along random directions.
pub(super) fn noisy(e: &Evidence) -> Assessment {
    let remedy = match &e.defence {
        Some(behind) if behind.random => {
            let draws = behind.draws.map_or(10, |draws| 4 * draws);
            if behind.is_adaptive() { Some(Remedy::Draws(draws)) } else { remedy(e) }
        }
        _ => remedy(e),
    };
    let Some(noise) = e.probes.noise else {
        let once = |behind: &AttackedDefence| behind.random && behind.draws.is_none();
        return match e.defence.as_ref().is_some_and(once) && !e.success {
            true => Assessment::amber("a random defence was asked once a step", remedy).open(),
            false => Assessment::unasked("looks at the loss in random directions"),
        };
    };
    let told = format!("random steps of 8/255 change the loss by {:.1} %", noise * 100.0);
    match noise {
        _ if noise < ROUGH => Assessment::green(told),
        _ if noise < 5.0 * ROUGH => Assessment::amber(told, remedy),
        _ => Assessment::weighed(e, told, remedy),
    }
}
