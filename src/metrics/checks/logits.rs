//! Checks of the logits: whether they are finite, and whether a softmax in single precision can
//! tell them apart.

use crate::metrics::checks::{Assessment, DatasetEvidence, Evidence, Remedy};

/// From this gap on, 24·ln 2, the largest probability rounds to 1 in single precision, and its
/// cross-entropy to 0.
const ROUNDS: f32 = 16.635;

/// From this gap on, 150·ln 2, every other probability rounds to 0: the softmax is flat.
const FLAT: f32 = 103.97;

/// Carlini and Wagner 2017: what defensive distillation does. The attacks here take their gradients
/// from the logits and are not blinded by it; what a softmax in single precision says is worth
/// nothing.
pub(super) fn overconfidence(e: &Evidence) -> Assessment {
    let Some(gap) = e.gap.filter(|gap| gap.is_finite()) else {
        return Assessment::unlit("there are no logits to look at");
    };
    let told = format!("the largest logit is {gap:.1} above the second");
    let remedy = Remedy::attack(&e.plan, "apgd-dlr");
    match gap {
        FLAT.. => {
            let told =
                format!("{told}: a softmax in single precision has a gradient of zero there");
            Assessment::weighed(e, told, remedy)
        }
        ROUNDS.. if !e.success => {
            Assessment::amber(format!("{told}: in single precision the probability is 1"), remedy)
        }
        _ => Assessment::green(told),
    }
}

/// The same over many images: of their clean predictions.
pub(super) fn overconfident(s: &DatasetEvidence) -> Assessment {
    let gaps: Vec<f32> = s.gaps.iter().copied().filter(|gap| gap.is_finite()).collect();
    let beyond = |bound: f32| gaps.iter().filter(|gap| **gap >= bound).count();
    let (n, flat, sure) = (gaps.len(), beyond(FLAT), beyond(ROUNDS));
    let holds = s.robust.hits > 0;
    let remedy = s.plan().and_then(|plan| Remedy::attack(plan, "apgd-dlr"));
    let told = |k: usize, bound: f32| {
        format!("{k} of {n} clean answers have a largest logit {bound:.0} or more above the second")
    };
    match () {
        () if n == 0 => Assessment::unlit("there are no logits to look at"),
        () if 2 * flat >= n && holds => Assessment::red(told(flat, FLAT), remedy),
        () if 2 * flat >= n => Assessment::amber(told(flat, FLAT), remedy),
        () if 2 * sure >= n && holds => Assessment::amber(told(sure, ROUNDS), remedy),
        () => Assessment::green(told(sure, ROUNDS)),
    }
}

/// A network that gives no number is neither right nor wrong.
pub(super) fn non_finite(e: &Evidence) -> Assessment {
    match e.non_finite {
        _ if e.gap.is_some_and(f32::is_nan) => {
            Assessment::red("a logit of the clean picture is infinite or not a number", None)
        }
        0 if !e.attacked => Assessment::unlit("nothing was attacked"),
        0 => Assessment::green("every logit was a finite number"),
        n => {
            let told = format!("{n} answers had a logit that is infinite or not a number");
            Assessment::red(told, None)
        }
    }
}

/// The same over many images.
pub(super) fn none_finite(s: &DatasetEvidence) -> Assessment {
    let clean = s.gaps.iter().filter(|gap| gap.is_nan()).count();
    match (clean, s.non_finite) {
        (0, 0) => Assessment::green("every logit was a finite number"),
        (0, n) => {
            let told = format!("{n} answers had a logit that is infinite or not a number");
            Assessment::red(told, None)
        }
        (n, _) => {
            let of = s.gaps.len();
            let told = format!("of {n} of {of} clean pictures a logit is infinite or not a number");
            Assessment::red(told, None)
        }
    }
}
