//! The evaluation checks of the results on show: the worst that each says of them, what remedies it,
//! and asking the model for more.

use super::defence_list::DefenceEntry;
use super::run::PendingChecks;
use super::state::Session;
use crate::attack::{self, Norm};
use crate::engine::{CheckJob, DefenceRef, JobId, Request};
use crate::experiment::{DefenceRow, distance_text};
use crate::metrics::checks::{
    CHECKS, Check, CheckResult, CheckStatus, Evidence, Probe, Remedy, run_checks,
};
use std::sync::Arc;

/// What the undefended network is called beside defences.
const UNDEFENDED: &str = "no defence";

/// An evaluation check, with what it says of each result on show: the worst first.
#[derive(Clone, Debug)]
pub struct CheckSummary {
    /// Which check.
    pub check: &'static Check,
    /// Of which result it says it, and what it says.
    pub results: Vec<(String, CheckResult)>,
}

impl CheckSummary {
    /// The worst status.
    pub fn status(&self) -> CheckStatus {
        self.results.first().map_or(CheckStatus::Unlit, |(_, verdict)| verdict.status)
    }

    /// The reason for it, and where it warns, of which result.
    pub fn reason(&self) -> String {
        let told = |(of, verdict): &(String, CheckResult)| match verdict.status.warns() {
            true if !of.is_empty() => format!("{of}: {}", verdict.reason),
            _ => verdict.reason.clone(),
        };
        self.results.first().map_or_else(String::new, told)
    }

    /// The reason alone; none where that is a defence, whose reason would read as the
    /// undefended network's.
    pub fn brief(&self) -> Option<String> {
        let bare = |of: &str| of.is_empty() || of == UNDEFENDED;
        let (_, verdict) = self.results.first().filter(|(of, _)| bare(of))?;
        Some(verdict.reason.clone())
    }

    /// What settles the worst result, where something does.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.results.first().and_then(|(_, verdict)| verdict.remedy.as_ref())
    }

    /// What the model can be asked for to know more.
    pub fn probe(&self) -> Option<Probe> {
        self.results.iter().find_map(|(_, verdict)| verdict.ask)
    }
}

impl Session {
    /// The defences' rows on show.
    fn shown_rows(&self) -> Vec<Arc<DefenceRow>> {
        let Some(run) = &self.shown else { return Vec::new() };
        let of = |entry: &DefenceEntry| {
            let (text, stance) = (entry.stack.text(), entry.stance(self.stance));
            run.rows.iter().find(|row| row.defence == text && row.stance == stance).cloned()
        };
        self.active_defences().filter_map(of).collect()
    }

    /// Every evaluation check for one image, in the order of the registry; none before there is a
    /// result.
    pub fn check_summaries(&self) -> Vec<CheckSummary> {
        let Some(report) = self.shown.as_ref().and_then(|run| run.report.as_ref()) else {
            return Vec::new();
        };
        let rows = self.shown_rows();
        let bare = if rows.is_empty() { "" } else { UNDEFENDED };
        let mut all = vec![(bare.to_string(), run_checks(&report.checks))];
        let of_row = |row: &Arc<DefenceRow>| {
            (format!("{}, {}", row.name, row.stance), run_checks(&row.checks))
        };
        all.extend(rows.iter().map(of_row));
        let of = |check: &'static Check| {
            check.one?;
            let found = |(of, results): &(String, Vec<CheckResult>)| {
                let result = results.iter().find(|result| result.check == check)?;
                Some((of.clone(), result.clone()))
            };
            let mut results: Vec<_> = all.iter().filter_map(found).collect();
            results.sort_by_key(|(_, result)| std::cmp::Reverse(result.status));
            Some(CheckSummary { check, results })
        };
        CHECKS.iter().filter_map(of).collect()
    }

    /// Does what remedies a warning.
    pub fn apply_remedy(&mut self, remedy: &Remedy) {
        match remedy {
            Remedy::Stance(stance) => {
                self.stance = *stance;
                return self.defences.iter_mut().for_each(|entry| entry.stance = None);
            }
            Remedy::Draws(draws) => self.draws = *draws,
            remedy => {
                let Some(plan) = remedy.plan(&self.plan) else { return };
                self.epsilon_fixed |= plan.epsilon != self.plan.epsilon;
                self.plan = plan;
            }
        }
        self.settings_changed();
    }

    /// Asks the model for these probes, of every result on show; for all where none are named.
    pub fn request_checks(&mut self, probes: Vec<Probe>) {
        let open = self.check_summaries().iter().any(|summary| summary.probe().is_some());
        let done = self.shown.as_ref().filter(|run| run.report.is_some()).map(|run| run.done);
        let text = match done {
            _ if self.pending_checks.is_some() => "the model is being asked already",
            Some(done) if open => {
                self.pending_checks = Some(PendingChecks { id: None, probes });
                // A run that is going on would be cut short.
                if done {
                    self.send_checks();
                }
                return;
            }
            _ => "there is nothing left to ask",
        };
        self.say(text, false);
    }

    fn send_checks(&mut self) {
        let (Some(run), Some(pending)) = (&self.shown, &self.pending_checks) else { return };
        let Some(report) = run.report.clone() else { return };
        let (job, probes) = (run.job.clone(), pending.probes.clone());
        let job = CheckJob { run: run.id, job, report, rows: self.shown_rows(), probes };
        self.request(Request::Checks(Arc::new(job)));
    }

    /// More is known beside the run of this number: on the bare network, or on a defence.
    pub(super) fn take_evidence(
        &mut self,
        run: JobId,
        defence: Option<DefenceRef>,
        found: &Evidence,
    ) {
        let Some(run) = self.shown.as_mut().filter(|shown| shown.id == run) else { return };
        match defence {
            None => run.report = run.report.take().map(|report| Arc::new(report.knowing(found))),
            Some(defence) => {
                let mut rows = run.rows.iter_mut().filter(|row| DefenceRef::new(row) == defence);
                if let Some(row) = rows.next() {
                    // ε may have moved on meanwhile.
                    let (success, epsilon) = (row.checks.success, row.checks.epsilon);
                    Arc::make_mut(row).checks = Evidence { success, epsilon, ..found.clone() };
                }
            }
        }
    }

    /// A job is done: what was asked for, or what the asking waited for.
    pub(super) fn checks_after(&mut self, id: JobId) {
        let awaited = self.shown.as_ref().is_some_and(|run| run.id == id);
        match &self.pending_checks {
            Some(PendingChecks { id: Some(asked), .. }) if *asked == id => {
                self.pending_checks = None;
            }
            Some(PendingChecks { id: None, .. }) if awaited => self.send_checks(),
            _ => {}
        }
    }
}

/// What Enter does about a warning, in words.
pub fn remedy_text(norm: Norm, remedy: &Remedy) -> String {
    match remedy {
        Remedy::Attack(id) => {
            let name = attack::find(id).map_or(*id, |attack| attack.name);
            format!("attacks by {name}")
        }
        Remedy::Set(id, value) => format!("sets {id} to {value}"),
        Remedy::Epsilon(epsilon) => format!("sets ε to {}", distance_text(norm, *epsilon)),
        Remedy::Stance(stance) => format!("attacks the defences {stance}"),
        Remedy::Draws(draws) => format!("averages over {draws} draws"),
        Remedy::Samples(n) => format!("asks for n = {n}"),
    }
}
