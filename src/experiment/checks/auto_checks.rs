//! Which probes run by themselves after an attack, and which on demand.

use crate::attack::Observer;
use crate::error::Result;
use crate::experiment::checks::FinishedAttack;
use crate::experiment::checks::probes::Prober;
use crate::metrics::checks::{Evidence, Probe, run_checks};

/// Probes that run by themselves take at most one pass in so many of the attack's passes.
const SHARE: u64 = 10;

/// Called with the evidence after each probe.
pub type OnEvidence<'a> = &'a mut dyn FnMut(&Evidence);

/// The probes that an unlit check waits for, and what each would take; the cheapest first.
fn open(finished: &FinishedAttack<'_>, evidence: &Evidence, most: u64) -> Vec<(u64, Probe)> {
    let asked = run_checks(evidence).into_iter().filter_map(|verdict| verdict.ask);
    let mut open: Vec<(u64, Probe)> =
        asked.filter_map(|probe| Some((finished.price(probe, most)?, probe))).collect();
    open.sort_by_key(|(price, _)| *price);
    open
}

/// Runs the probes that the checks need, the cheapest first, as long as all of them take no more
/// than a tenth of the attack's own passes. Returns how many passes they took.
///
/// # Errors
/// Cancelled, when the observer stops it; device failures; those of a defence's stages.
pub fn run_auto_checks(
    finished: &FinishedAttack<'_>,
    observer: &mut dyn Observer,
    told: OnEvidence<'_>,
) -> Result<u64> {
    let (mut evidence, mut prober) = (finished.evidence().clone(), Prober::new(*finished));
    let most = finished.passes() / SHARE;
    for (_, probe) in open(finished, &evidence, most) {
        let left = most - prober.spent;
        if finished.price(probe, left).is_some() {
            prober.ask(probe, left, &mut evidence, observer)?;
            told(&evidence);
        }
    }
    Ok(prober.spent)
}

/// Runs these probes, whatever they take; where none are named, all that a check without a result
/// needs.
///
/// # Errors
/// As [`run_auto_checks`].
pub fn run_probes(
    finished: &FinishedAttack<'_>,
    which: &[Probe],
    observer: &mut dyn Observer,
    told: OnEvidence<'_>,
) -> Result<()> {
    let (mut evidence, mut prober) = (finished.evidence().clone(), Prober::new(*finished));
    let open = open(finished, &evidence, u64::MAX);
    for (_, probe) in open.into_iter().filter(|(_, p)| which.is_empty() || which.contains(p)) {
        prober.ask(probe, u64::MAX, &mut evidence, observer)?;
        told(&evidence);
    }
    Ok(())
}
