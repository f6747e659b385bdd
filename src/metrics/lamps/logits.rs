//! Lamps that look at the logits themselves: whether they are numbers, and whether a softmax in single
//! precision can tell them apart.

use crate::metrics::lamps::{Cure, Evidence, Finding, Survey};

/// From this gap on, 24·ln 2, the largest probability rounds to 1 in single precision, and its
/// cross-entropy to 0.
const ROUNDS: f32 = 16.635;

/// From this gap on, 150·ln 2, every other probability rounds to 0: the softmax is flat.
const FLAT: f32 = 103.97;

/// Carlini and Wagner 2017: what defensive distillation does. The attacks here take their gradients from
/// the logits and are not blinded by it; what a softmax in single precision says is worth nothing.
pub(super) fn overconfidence(e: &Evidence) -> Finding {
    let Some(gap) = e.gap.filter(|gap| gap.is_finite()) else {
        return Finding::unlit("there are no logits to look at");
    };
    let told = format!("the largest logit is {gap:.1} above the second");
    let cure = Cure::attack(&e.plan, "apgd-dlr");
    match gap {
        FLAT.. => {
            let told =
                format!("{told}: a softmax in single precision has a gradient of zero there");
            Finding::weighed(e, told, cure)
        }
        ROUNDS.. if !e.success => {
            Finding::amber(format!("{told}: in single precision the probability is 1"), cure)
        }
        _ => Finding::green(told),
    }
}

/// The same over many pictures: of their clean answers.
pub(super) fn overconfident(s: &Survey) -> Finding {
    let gaps: Vec<f32> = s.gaps.iter().copied().filter(|gap| gap.is_finite()).collect();
    let beyond = |bound: f32| gaps.iter().filter(|gap| **gap >= bound).count();
    let (n, flat, sure) = (gaps.len(), beyond(FLAT), beyond(ROUNDS));
    let holds = s.robust.hits > 0;
    let cure = s.plan().and_then(|plan| Cure::attack(plan, "apgd-dlr"));
    let told = |k: usize, bound: f32| {
        format!("{k} of {n} clean answers have a largest logit {bound:.0} or more above the second")
    };
    match () {
        () if n == 0 => Finding::unlit("there are no logits to look at"),
        () if 2 * flat >= n && holds => Finding::red(told(flat, FLAT), cure),
        () if 2 * flat >= n => Finding::amber(told(flat, FLAT), cure),
        () if 2 * sure >= n && holds => Finding::amber(told(sure, ROUNDS), cure),
        () => Finding::green(told(sure, ROUNDS)),
    }
}

/// A network that gives no number is neither right nor wrong.
pub(super) fn non_finite(e: &Evidence) -> Finding {
    match e.non_finite {
        _ if e.gap.is_some_and(f32::is_nan) => {
            Finding::red("a logit of the clean picture is infinite or not a number", None)
        }
        0 if !e.attacked => Finding::unlit("nothing was attacked"),
        0 => Finding::green("every logit was a finite number"),
        n => {
            let told = format!("{n} answers had a logit that is infinite or not a number");
            Finding::red(told, None)
        }
    }
}

/// The same over many pictures.
pub(super) fn none_finite(s: &Survey) -> Finding {
    let clean = s.gaps.iter().filter(|gap| gap.is_nan()).count();
    match (clean, s.non_finite) {
        (0, 0) => Finding::green("every logit was a finite number"),
        (0, n) => {
            let told = format!("{n} answers had a logit that is infinite or not a number");
            Finding::red(told, None)
        }
        (n, _) => {
            let of = s.gaps.len();
            let told = format!("of {n} of {of} clean pictures a logit is infinite or not a number");
            Finding::red(told, None)
        }
    }
}
