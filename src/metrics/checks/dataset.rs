//! Evidence and rules of checks over a whole evaluation.

use crate::attack::{AttackConfig, Knowledge};
use crate::defence::Stance;
use crate::metrics::Rate;
use crate::metrics::checks::comparison::{enough, knows};
use crate::metrics::checks::{Assessment, AttackedDefence, CheckResult, Remedy};

/// One attack of an evaluation, with its outcome on each sample.
#[derive(Clone, Debug)]
pub struct DatasetAttack {
    /// The attack.
    pub plan: AttackConfig,
    /// The ε that decided about success; none where it decided nothing.
    pub epsilon: Option<f64>,
    /// Whether it is several attacks in one.
    pub staged: bool,
    /// For each sample of the survey: whether it was broken, and by which stage; none where the
    /// attack was not tried on it.
    pub broke: Vec<Option<(bool, Option<String>)>>,
    /// For each sample: whether the attack failed and its gradients were zero or not a number at
    /// least every other time.
    pub stood: Vec<bool>,
    /// For each sample: whether the attack failed and nearly all values of its gradients were zero
    /// or next to it.
    pub faint: Vec<bool>,
}

/// The evidence of an evaluation: several attacks on many images. Serialised as the results of all
/// checks on it.
#[derive(Clone, Debug)]
pub struct DatasetEvidence {
    /// The samples' numbers in the data set.
    pub samples: Vec<usize>,
    /// How many classes there are.
    pub classes: usize,
    /// For each sample, how far the largest logit of the clean prediction is above the second; not
    /// a number where a logit is none.
    pub gaps: Vec<f32>,
    /// How many predictions during the attacks had a logit that is infinite or not a number.
    pub non_finite: u64,
    /// Of all samples, those classified correctly.
    pub clean: Rate,
    /// Of all samples, those that no attack broke either.
    pub robust: Rate,
    /// The defence, where there is one.
    pub defence: Option<AttackedDefence>,
    /// The attacks.
    pub trials: Vec<DatasetAttack>,
    /// What the checks for one image show on some of the robust samples, by the sample's number.
    pub looked: Vec<(usize, Vec<CheckResult>)>,
}

impl DatasetAttack {
    fn knows(&self) -> Knowledge {
        self.plan.attack.knowledge()
    }

    fn broke(&self, sample: usize) -> Option<bool> {
        self.broke.get(sample)?.as_ref().map(|(broke, _)| *broke)
    }

    /// Whether the two keep to the same bound, so that one can be held against the other.
    fn is_like(&self, other: &Self) -> bool {
        let bound = |trial: &Self| (trial.plan.norm, trial.epsilon, trial.plan.target);
        self.epsilon.is_some() && bound(self) == bound(other)
    }
}

impl DatasetEvidence {
    fn named(&self, which: &[usize]) -> String {
        const MOST: usize = 5;
        let named = which.iter().take(MOST).map(|at| format!("#{}", self.samples[*at]));
        let more = if which.len() > MOST { " …" } else { "" };
        format!("{}{more}", named.collect::<Vec<_>>().join(" "))
    }

    /// The samples that one of `weak` broke and none of `strong`, although one at least was tried;
    /// none where no sample met both.
    fn beaten(&self, weak: &[&DatasetAttack], strong: &[&DatasetAttack]) -> Option<Vec<usize>> {
        let like =
            |a: &&&DatasetAttack, others: &[&DatasetAttack]| others.iter().any(|b| a.is_like(b));
        let weak: Vec<_> = weak.iter().filter(|a| like(a, strong)).collect();
        let strong: Vec<_> = strong.iter().filter(|a| weak.iter().any(|b| a.is_like(b))).collect();
        let met = |at: usize| {
            let some = |trials: &[&&DatasetAttack]| {
                let tried = trials.iter().filter_map(|trial| trial.broke(at));
                tried.reduce(|a, b| a || b)
            };
            Some((some(&weak)?, some(&strong)?))
        };
        let met: Vec<(usize, (bool, bool))> =
            (0..self.samples.len()).filter_map(|at| Some((at, met(at)?))).collect();
        let lost = met.iter().filter(|(_, (weak, strong))| *weak && !strong);
        (!met.is_empty()).then(|| lost.map(|(at, _)| *at).collect())
    }

    pub(super) fn plan(&self) -> Option<&AttackConfig> {
        self.trials.first().map(|trial| &trial.plan)
    }
}

pub(super) fn vanishing(s: &DatasetEvidence) -> Assessment {
    let asks = |trial: &&DatasetAttack| trial.knows() == Knowledge::Gradient;
    let which = |of: fn(&DatasetAttack, usize) -> Option<bool>| -> Vec<usize> {
        let some = |at: &usize| s.trials.iter().filter(asks).any(|t| of(t, *at) == Some(true));
        (0..s.samples.len()).filter(some).collect()
    };
    let tried = which(|trial, at| trial.broke(at).map(|_| true)).len();
    let stood = which(|trial, at| trial.stood.get(at).copied());
    let faint = which(|trial, at| trial.faint.get(at).copied());
    let remedy = match &s.defence {
        // Past the softmax the logits still have slopes; past a stage without a gradient nothing
        // has.
        Some(behind) if !behind.is_adaptive() => Some(Remedy::Stance(Stance::Adaptive)),
        _ => s.plan().and_then(|plan| Remedy::attack(plan, "apgd-dlr")),
    };
    let told = |which: &[usize], what: &str| {
        format!("{what} on {} of {tried} samples: {}", which.len(), s.named(which))
    };
    match (tried, stood.as_slice(), faint.as_slice()) {
        (0, ..) => Assessment::unlit("no attack asked for gradients"),
        (_, [], []) => Assessment::green(format!("gradients led on, on all {tried} samples")),
        (_, [], faint) => {
            Assessment::amber(told(faint, "nearly all values of the gradients were zero"), remedy)
        }
        (_, stood, _) => {
            Assessment::red(told(stood, "gradients were zero everywhere or not a number"), remedy)
        }
    }
}

pub(super) fn single_step(s: &DatasetEvidence) -> Assessment {
    let gradient = s.trials.iter().filter(|trial| trial.knows() == Knowledge::Gradient);
    let (one, many): (Vec<&DatasetAttack>, Vec<&DatasetAttack>) =
        gradient.partition(|trial| trial.plan.takes_one_step());
    match s.beaten(&one, &many) {
        None => Assessment::unlit("no sample met a single step and many (fgsm,pgd with --every)"),
        Some(lost) if lost.is_empty() => {
            Assessment::green("one step broke nothing that many do not")
        }
        Some(lost) => {
            let told = format!("one step broke what many did not: {}", s.named(&lost));
            let remedy = many.first().and_then(|trial| Remedy::more(&trial.plan, "steps", 4));
            Assessment::red(told, remedy)
        }
    }
}

pub(super) fn black_box(s: &DatasetEvidence) -> Assessment {
    // AutoAttack's own flag: its last stage, Square, breaks more than one in 500.
    let of_stage = |at: &usize| {
        let fates = s.trials.iter().filter_map(|trial| trial.broke[*at].as_ref());
        let mut last = fates.filter(|(broke, _)| *broke).filter_map(|(_, stage)| stage.as_deref());
        last.any(|stage| stage.starts_with("square"))
    };
    let staged: Vec<usize> = (0..s.samples.len()).filter(of_stage).collect();
    // As AutoAttack's flag counts: of the samples that were attacked.
    let tried = |at: &usize| s.trials.iter().any(|trial| trial.broke[*at].is_some());
    let tried = (0..s.samples.len()).filter(tried).count();
    let (white, black): (Vec<&DatasetAttack>, Vec<&DatasetAttack>) =
        s.trials.iter().partition(|trial| trial.knows() == Knowledge::Gradient);
    let beaten = s.beaten(&black, &white);
    let remedy = s.plan().and_then(|plan| Remedy::attack(plan, "autoattack"));
    match beaten {
        Some(lost) if !lost.is_empty() => {
            let told = format!("a black box broke what gradients did not: {}", s.named(&lost));
            Assessment::red(told, remedy)
        }
        _ if staged.len() * 500 > tried => {
            let told = format!("Square broke what the gradients left: {}", s.named(&staged));
            Assessment::amber(told, remedy)
        }
        None if !s.trials.iter().any(|trial| trial.staged) => {
            Assessment::unlit("no sample met gradients and a black box (pgd,square with --every)")
        }
        _ if !staged.is_empty() => {
            let n = staged.len();
            let told = format!(
                "Square broke {n} of {tried} that the gradients left: up to 0.2 % is usual"
            );
            Assessment::green(told)
        }
        _ => Assessment::green("no black box broke what gradients do not"),
    }
}

pub(super) fn stance(s: &DatasetEvidence) -> Assessment {
    s.defence.as_ref().map_or_else(|| Assessment::unlit("nothing defends the network"), knows)
}

pub(super) fn draws(s: &DatasetEvidence) -> Assessment {
    match &s.defence {
        Some(behind) if behind.random && behind.stance != Stance::Naive => enough(behind, &[]),
        Some(behind) if behind.random => Assessment::unlit("the attack does not ask the defence"),
        _ => Assessment::unlit("nothing is random"),
    }
}

/// A wider interval says little of robust accuracy.
const WIDE: f64 = 0.1;

pub(super) fn sample_size(s: &DatasetEvidence) -> Assessment {
    let [low, high] = s.robust.interval();
    let (width, price) = (high - low, s.clean.value() - s.robust.value());
    let points = |share: f64| format!("{:.1}", share * 100.0);
    let told = format!("n = {}: the interval is {} points wide", s.robust.n, points(width));
    let remedy = Remedy::Samples(4 * s.robust.n);
    match width {
        _ if width > 2.0 * WIDE => Assessment::red(told, remedy),
        _ if width > WIDE => Assessment::amber(told, remedy),
        _ if price > 0.0 && width > price => {
            let told = format!("{told}, what the attacks take away is {}", points(price));
            Assessment::amber(told, remedy)
        }
        _ => Assessment::green(told),
    }
}

pub(super) fn attacks(s: &DatasetEvidence) -> Assessment {
    let remedy = s.plan().and_then(|plan| Remedy::attack(plan, "autoattack"));
    let blind = s.trials.iter().all(|trial| trial.knows() != Knowledge::Gradient);
    let staged = s.trials.iter().any(|trial| trial.staged);
    match s.trials.as_slice() {
        [] => Assessment::unlit("nothing attacked"),
        all if all.iter().all(|trial| trial.plan.takes_one_step()) => {
            Assessment::red("a single gradient step is a weak attack", remedy)
        }
        [_] if blind => Assessment::amber("one attack that uses no gradient says little", remedy),
        _ if blind => Assessment::amber("no attack used gradients", remedy),
        [_] if !staged => Assessment::amber("one attack alone says little", remedy),
        all => Assessment::green(match staged {
            true => "several attacks of different kinds".to_string(),
            false => format!("{} attacks", all.len()),
        }),
    }
}

pub(super) fn clean(s: &DatasetEvidence) -> Assessment {
    let (clean, robust) = (s.clean.value(), s.robust.value());
    let told = format!("{:.1} % right without an attack", clean * 100.0);
    let guess = 1.0 / s.classes.max(1) as f64;
    match () {
        () if s.clean.n == 0 => Assessment::unlit("no samples"),
        () if s.clean.interval()[0] <= guess => {
            Assessment::red(format!("{told}: no better than guessing"), None)
        }
        () if 1.0 - clean >= 0.05 && 1.0 - clean > clean - robust => {
            Assessment::amber(format!("{told}: more is lost there than to the attacks"), None)
        }
        () => Assessment::green(told),
    }
}
