//! Checks of convergence: the history of loss and margin during the attack.

use crate::defence::Stance;
use crate::metrics::checks::{Assessment, Evidence, LONGER, OtherAttack, Remedy, RestartHistory};
use crate::parameter::Value;

/// A gain in the last tenth of the steps that is a larger share of the whole says that more steps
/// would go on.
const LATE: f32 = 0.05;

/// A walk that goes straight up gains 0.1 there: it has hardly begun to converge.
const STRAIGHT: f32 = 0.075;

/// A larger share of steps after which the loss is lower says that they are too long.
const FALLS: f32 = 0.4;

/// A margin left that is a smaller share than this of what the start gained may be chance.
const NEARLY: f32 = 0.1;

/// A gain of other starts that is a larger share than this of what one start gains is due to
/// chance.
const LUCK: f32 = 0.05;

/// The leg to judge a walk by; or why there is none.
fn walk(e: &Evidence) -> Result<&RestartHistory, Assessment> {
    if e.success {
        return Err(Assessment::green("the goal was reached"));
    }
    match e.nearest() {
        Some(leg) if leg.points > 2 => Ok(leg),
        _ => Err(Assessment::unlit("there is no walk of several steps to look at")),
    }
}

pub(super) fn percent(share: f32) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Carlini et al. 2019; the thresholds of the last tenth's share are those of Pintor et al. 2022. A
/// late gain alone says little: what matters is whether more steps would reach the goal.
pub(super) fn converged(e: &Evidence) -> Assessment {
    let leg = match walk(e) {
        Ok(leg) => leg,
        Err(finding) => return finding,
    };
    let (steps, remedy) = (leg.points - 1, Remedy::more(&e.plan, "steps", LONGER));
    if let Some(longer) = e.probes.longer {
        return longer_walk(e, leg, longer, remedy);
    }
    let ask = |finding: Assessment| match Remedy::longer(&e.plan) {
        Some(_) => finding.open(),
        None => finding,
    };
    // The margin's fall says more than the loss, which grows without an end as the goal comes near.
    let gain = leg.fall.filter(|_| !leg.hit).unwrap_or(leg.gain);
    let Some(share) = gain.share() else {
        return ask(Assessment::amber(format!("in {steps} steps the loss never rose"), remedy));
    };
    let told = format!("{} of the gain came in the last tenth of {steps} steps", percent(share));
    if share < LATE {
        return Assessment::green(told);
    }
    // At the last tenth's pace; steps that are saturating gain less.
    let left = leg.lowest.filter(|_| !leg.hit);
    let more = (LONGER - 1) as f32 * 10.0 * gain.late;
    let out_of_reach = left.is_some_and(|left| left > more);
    let told = match left {
        Some(left) if out_of_reach => {
            format!(
                "{told}; at that pace {LONGER} times as many leave a margin of {:.1}",
                left - more
            )
        }
        Some(_) => format!("{told}; at that pace {LONGER} times as many reach the goal"),
        None => told,
    };
    match (share < STRAIGHT, out_of_reach) {
        (true, true) => Assessment::green(told),
        // A search for the least perturbation that went beyond ε has no margin to go.
        (false, false) if left.is_some() => ask(Assessment::red(told, remedy)),
        _ => ask(Assessment::amber(told, remedy)),
    }
}

/// What more steps brought.
fn longer_walk(
    e: &Evidence,
    leg: &RestartHistory,
    longer: OtherAttack,
    remedy: Option<Remedy>,
) -> Assessment {
    if longer.success {
        return Assessment::red(format!("{LONGER} times as many steps reach the goal"), remedy);
    }
    let (Some(own), Some(other), Some(fall)) = (e.lowest(), longer.lowest, leg.fall) else {
        return Assessment::green(format!(
            "{LONGER} times as many steps do not reach the goal either"
        ));
    };
    let more = (own - other) / (fall.whole + own - other).max(f32::MIN_POSITIVE);
    let told = format!("{LONGER} times as many steps");
    match more > LATE {
        true => {
            let gain = percent(more);
            Assessment::amber(format!("{gain} of the gain of {told} comes after these"), remedy)
        }
        false => Assessment::green(format!("{told} gain no more than {}", percent(more.max(0.0)))),
    }
}

pub(super) fn step_size(e: &Evidence) -> Assessment {
    let leg = match walk(e) {
        Ok(leg) => leg,
        Err(finding) => return finding,
    };
    let told = format!("the loss fell after {} of the steps", percent(leg.falls));
    if leg.falls <= FALLS {
        return Assessment::green(told);
    }
    let remedy = match e.plan.resolved().get("step-size") {
        Value::Float(now) if now > 0.0 => Some(Remedy::Set("step-size", Value::Float(now / 4.0))),
        _ => Remedy::more(&e.plan, "steps", 4),
    };
    Assessment::amber(told, remedy)
}

/// A single start that came so near failed by chance.
fn nearly(e: &Evidence) -> Option<Assessment> {
    let [leg] = e.histories.as_slice() else { return None };
    let (left, fall) = (leg.lowest?, leg.fall?.whole);
    let told = format!("the one start went {} of the way", percent(fall / (fall + left)));
    let near = left > 0.0 && left <= NEARLY * fall;
    near.then(|| Assessment::amber(told, Remedy::more(&e.plan, "restarts", 5)).open())
}

/// The check of Carlini et al. 2019 that more starts change nothing.
pub(super) fn restarts(e: &Evidence) -> Assessment {
    if e.success {
        return Assessment::green("the goal was reached");
    }
    if !e.draws_starts() {
        return Assessment::unlit("the attack draws no start");
    }
    let others = &e.probes.restarts;
    if others.is_empty() {
        return nearly(e).unwrap_or_else(|| Assessment::unasked("runs it from other starts"));
    }
    let (n, remedy) = (others.len(), Remedy::more(&e.plan, "restarts", 1 + others.len() as i64));
    let hits = others.iter().filter(|tried| tried.success).count();
    if hits > 0 {
        return Assessment::red(format!("{hits} of {n} other starts reached the goal"), remedy);
    }
    let lowest = others.iter().filter_map(|tried| tried.lowest).reduce(f32::min);
    let (Some(own), Some(other)) = (e.lowest(), lowest) else {
        return Assessment::green(format!("{n} other starts failed too"));
    };
    let far = (own - other) / own.abs().max(f32::MIN_POSITIVE);
    match far > LUCK {
        true => {
            let told = format!("of {n} other starts one left a margin {} smaller", percent(far));
            Assessment::amber(told, remedy)
        }
        false => Assessment::green(format!("{n} other starts came no nearer")),
    }
}

/// Pintor et al. 2022: an iterate was adversarial, the returned image is not.
pub(super) fn silent(e: &Evidence) -> Assessment {
    let hit = e.histories.iter().any(|leg| leg.hit);
    // Beyond ε is no silent success.
    let found = if e.is_budgeted() { e.success } else { e.reached };
    match (found, hit, &e.defence) {
        (true, ..) => Assessment::green("what was found was handed back"),
        _ if e.histories.is_empty() => Assessment::unlit("the attack shows no iterations"),
        (_, false, _) => Assessment::green("no iterate reached the goal"),
        _ if e.transferred => {
            let told = "it reached the goal on its own model only: that is transfer, not this lamp";
            Assessment::unlit(told)
        }
        (.., Some(behind)) if behind.refused => {
            let told = "an iterate fooled the networks, but the detector refuses it";
            Assessment::amber(told, Remedy::attack(&e.plan, "square"))
        }
        (.., Some(behind)) if behind.random => {
            let told = "an iterate reached the goal in the attacker's draws, not in the judge's";
            Assessment::amber(told, Remedy::Draws(2 * behind.draws.unwrap_or(10).max(10)))
        }
        (.., Some(behind)) if behind.stance == Stance::Naive => {
            let told = "it reached the goal on the bare network only: see stance";
            Assessment::unlit(told)
        }
        _ => {
            let told = "an iterate reached the goal, yet the picture handed back does not";
            Assessment::red(told, Remedy::attack(&e.plan, "pgd"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{AttackConfig, find};
    use crate::metrics::checks::CheckStatus;

    /// PGD of 40 steps that failed on these margins.
    fn failed(margins: &[f32]) -> Evidence {
        let losses: Vec<f32> = margins.iter().map(|margin| (-margin).exp()).collect();
        let leg = RestartHistory::new(&losses, margins, margins.iter().any(|margin| *margin < 0.0));
        let plan = AttackConfig::new(find("pgd").expect("pgd"), 0.3);
        Evidence { histories: vec![leg], ..Evidence::new(plan, Some(0.3)) }
    }

    fn margins(at: impl Fn(f32) -> f32) -> Vec<f32> {
        (0..=40).map(|step| at(step as f32)).collect()
    }

    #[test]
    fn more_steps_are_asked_for_where_they_would_reach_the_goal() {
        for (what, margins, status) in [
            ("settled", margins(|step| 5.0 + 3.0 * (-step / 4.0).exp()), CheckStatus::Green),
            // Still falling, but nowhere near the goal: the cross-entropy alone would look like a
            // walk that has hardly begun.
            ("slow", margins(|step| 8.0 - 0.9 * (step / 40.0).powf(0.6)), CheckStatus::Green),
            ("straight and far", margins(|step| 8.0 - step / 100.0), CheckStatus::Amber),
            ("straight and near", margins(|step| 5.0 - step / 10.0), CheckStatus::Red),
            ("never", vec![5.0; 41], CheckStatus::Amber),
            // Beyond ε: there is no margin left to go.
            ("beyond", margins(|step| 1.0 - step / 10.0), CheckStatus::Amber),
        ] {
            let found = converged(&failed(&margins));
            assert_eq!(found.status, status, "{what}: {}", found.reason);
            assert_eq!(found.open, status.warns(), "{what}");
        }
    }

    #[test]
    fn what_more_steps_did_settles_it() {
        let straight = failed(&margins(|step| 5.0 - step / 10.0));
        for (lowest, success, status) in [
            (-0.5, true, CheckStatus::Red),
            (0.2, false, CheckStatus::Amber),
            (0.99, false, CheckStatus::Green),
            (1.5, false, CheckStatus::Green),
        ] {
            let mut asked = straight.clone();
            asked.probes.longer = Some(OtherAttack { success, lowest: Some(lowest) });
            let found = converged(&asked);
            assert_eq!((found.status, found.open), (status, false), "{}", found.reason);
        }
    }

    #[test]
    fn a_single_start_that_nearly_arrived_is_doubted() {
        let near = restarts(&failed(&margins(|step| 4.2 - step / 10.0)));
        assert_eq!((near.status, near.open), (CheckStatus::Amber, true), "{}", near.reason);
        let far = restarts(&failed(&margins(|step| 8.0 - step / 10.0)));
        assert_eq!((far.status, far.open), (CheckStatus::Unlit, true), "{}", far.reason);
    }
}
