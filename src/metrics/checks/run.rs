//! Runs every check: on one attacked image, and on a whole evaluation.

use crate::defence::Stance;
use crate::metrics::checks::dataset::DatasetEvidence;
use crate::metrics::checks::evidence::Evidence;
use crate::metrics::checks::registry::CHECKS;
use crate::metrics::checks::{Assessment, Check, CheckResult, CheckStatus};
use serde::{Serialize, Serializer};

/// What every check for one image shows.
pub fn run_checks(evidence: &Evidence) -> Vec<CheckResult> {
    let naive = evidence.defence.as_ref().is_some_and(|behind| behind.stance == Stance::Naive);
    let look = |check: &'static Check| {
        let rule = check.one?;
        Some(check.verdict(match evidence.attacked {
            false if !check.unattacked => Assessment::unlit("nothing was attacked"),
            _ if naive && !check.naive => Assessment::unlit("made on the bare network: look there"),
            _ => rule(evidence),
        }))
    };
    CHECKS.iter().filter_map(look).collect()
}

/// What every check shows over many images: by its own rule, and by what it shows on the images
/// that were looked at one by one.
pub fn check_dataset(evidence: &DatasetEvidence) -> Vec<CheckResult> {
    let look = |check: &'static Check| {
        let whole = check.many.map(|rule| check.verdict(rule(evidence)));
        let all = whole.into_iter().chain(gathered(evidence, check));
        all.max_by_key(|verdict| verdict.status).unwrap_or_else(|| {
            check.verdict(Assessment::unlit("looks at single pictures: none were"))
        })
    };
    CHECKS.iter().map(look).collect()
}

/// The worst of what a check shows on single images, and on how many of them.
fn gathered(evidence: &DatasetEvidence, check: &'static Check) -> Option<CheckResult> {
    // A check without a probe that has a rule for data sets was decided by that rule.
    if check.many.is_some() && check.probe.is_none() {
        return None;
    }
    let of = |(sample, all): &(usize, Vec<CheckResult>)| {
        let found = all.iter().find(|v| v.check == check && v.status > CheckStatus::Unlit)?;
        Some((*sample, found.clone()))
    };
    let asked: Vec<(usize, CheckResult)> = evidence.looked.iter().filter_map(of).collect();
    let (first, worst) = asked.iter().rev().max_by_key(|(_, verdict)| verdict.status)?;
    let like = asked.iter().filter(|(_, v)| v.status == worst.status).count();
    let reason = match worst.status.warns() {
        true => format!("{like} of {} samples, as #{first}: {}", asked.len(), worst.reason),
        false => format!("nothing on {} samples", asked.len()),
    };
    Some(CheckResult { reason, ..worst.clone() })
}

impl Serialize for DatasetEvidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(check_dataset(self))
    }
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(run_checks(self))
    }
}
