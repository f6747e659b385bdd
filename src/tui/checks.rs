//! The evaluation lamps on the screen: the worst of what each shows of the results that stand there,
//! what cures it, and asking for more.

use super::app::{App, Effect};
use super::defence_list;
use super::dialogs::Overlay;
use crate::engine::{CheckJob, DefenceRef, JobId, Request};
use crate::experiment::{DefenceRow, distance_text};
use crate::metrics::checks::{
    CHECKS, Check, CheckResult, CheckStatus, Evidence, Probe, Remedy, run_checks,
};
use std::sync::Arc;

/// What the bare network is called beside defences.
const UNDEFENDED: &str = "no defence";

/// Something the model is asked on demand.
#[derive(Clone, Debug)]
pub struct PendingChecks {
    /// The job's number; none while it waits for the run to end.
    pub id: Option<JobId>,
    /// What is asked; everything where it is empty.
    probes: Vec<Probe>,
}

/// A lamp, with what it shows of each result on the screen: the worst first.
#[derive(Clone, Debug)]
pub struct CheckSummary {
    /// Which lamp.
    pub lamp: &'static Check,
    /// Of what it shows it, and what it shows.
    pub shown: Vec<(String, CheckResult)>,
}

impl CheckSummary {
    /// The worst.
    pub fn colour(&self) -> CheckStatus {
        self.shown.first().map_or(CheckStatus::Unlit, |(_, verdict)| verdict.status)
    }

    /// Why, and where it warns, of what.
    pub fn reason(&self) -> String {
        let told = |(of, verdict): &(String, CheckResult)| match verdict.status.warns() {
            true if !of.is_empty() => format!("{of}: {}", verdict.reason),
            _ => verdict.reason.clone(),
        };
        self.shown.first().map_or_else(String::new, told)
    }

    /// Why, without of what; none where that is a defence, whose reason would read as the bare
    /// network's.
    pub fn brief(&self) -> Option<String> {
        let bare = |of: &str| of.is_empty() || of == UNDEFENDED;
        let (_, verdict) = self.shown.first().filter(|(of, _)| bare(of))?;
        Some(verdict.reason.clone())
    }

    /// What settles the worst, where something does.
    pub fn cure(&self) -> Option<&Remedy> {
        self.shown.first().and_then(|(_, verdict)| verdict.remedy.as_ref())
    }

    /// What the model can be asked to know more.
    pub fn ask(&self) -> Option<Probe> {
        self.shown.iter().find_map(|(_, verdict)| verdict.ask)
    }
}

/// The defences' rows that stand on the screen.
fn rows(app: &App) -> Vec<Arc<DefenceRow>> {
    let Some(run) = &app.shown else { return Vec::new() };
    let of = |entry: &defence_list::DefenceEntry| {
        let (text, stance) = (entry.stack.text(), entry.stance(app.stance));
        run.rows.iter().find(|row| row.defence == text && row.stance == stance).cloned()
    };
    app.active_defences().filter_map(of).collect()
}

/// Every lamp for one picture, in the order of the registry; none before there is a result.
pub fn check_summaries(app: &App) -> Vec<CheckSummary> {
    let Some(report) = app.shown.as_ref().and_then(|run| run.report.as_ref()) else {
        return Vec::new();
    };
    let rows = rows(app);
    let bare = if rows.is_empty() { "" } else { UNDEFENDED };
    let mut all = vec![(bare.to_string(), run_checks(&report.checks))];
    all.extend(
        rows.iter().map(|row| (format!("{}, {}", row.name, row.stance), run_checks(&row.checks))),
    );
    let of = |lamp: &'static Check| {
        lamp.one?;
        let found = |(of, verdicts): &(String, Vec<CheckResult>)| {
            let verdict = verdicts.iter().find(|verdict| verdict.check == lamp)?;
            Some((of.clone(), verdict.clone()))
        };
        let mut shown: Vec<_> = all.iter().filter_map(found).collect();
        shown.sort_by_key(|(_, verdict)| std::cmp::Reverse(verdict.status));
        Some(CheckSummary { lamp, shown })
    };
    CHECKS.iter().filter_map(of).collect()
}

/// Opens the list, at the worst lamp.
pub fn open(app: &mut App) -> Vec<Effect> {
    let summaries = check_summaries(app);
    let worst = (0..summaries.len()).rev().max_by_key(|at| summaries[*at].colour());
    app.overlays.push(Overlay::Checks(worst.unwrap_or(0)));
    Vec::new()
}

/// The lamp under the cursor is cured where it warns, else asked about.
pub fn accept(app: &mut App, at: usize) -> Vec<Effect> {
    let Some(lamp) = check_summaries(app).into_iter().nth(at) else { return Vec::new() };
    if let (true, Some(cure)) = (lamp.colour().warns(), lamp.cure()) {
        return apply(app, cure);
    }
    if let Some(probe) = lamp.ask() {
        return ask(app, vec![probe]);
    }
    let text = match lamp.colour() {
        CheckStatus::Unlit => "the lamp has nothing to say here",
        CheckStatus::Green => "nothing is wrong here",
        CheckStatus::Amber | CheckStatus::Red => "no key cures this",
    };
    app.say(text.into(), false);
    Vec::new()
}

/// What Enter does about a cure, in words.
pub fn words(app: &App, cure: &Remedy) -> String {
    match cure {
        Remedy::Attack(id) => {
            let name = crate::attack::find(id).map_or(*id, |attack| attack.name);
            format!("attacks by {name}")
        }
        Remedy::Set(id, value) => format!("sets {id} to {value}"),
        Remedy::Epsilon(epsilon) => format!("sets ε to {}", distance_text(app.plan.norm, *epsilon)),
        Remedy::Stance(stance) => format!("attacks the defences {stance}"),
        Remedy::Draws(draws) => format!("averages over {draws} draws"),
        Remedy::Samples(n) => format!("asks for n = {n}"),
    }
}

fn apply(app: &mut App, cure: &Remedy) -> Vec<Effect> {
    match cure {
        Remedy::Stance(stance) => {
            app.stance = *stance;
            app.defences.iter_mut().for_each(|entry| entry.stance = None);
            return Vec::new();
        }
        Remedy::Draws(draws) => app.draws = *draws,
        cure => {
            let Some(plan) = cure.plan(&app.plan) else { return Vec::new() };
            app.epsilon_fixed |= plan.epsilon != app.plan.epsilon;
            app.plan = plan;
        }
    }
    app.rerun()
}

/// Asks the model what these probes ask, of every result on the screen; all where none are named.
pub fn ask(app: &mut App, probes: Vec<Probe>) -> Vec<Effect> {
    let open = check_summaries(app).iter().any(|lamp| lamp.ask().is_some());
    let done = app.shown.as_ref().filter(|run| run.report.is_some()).map(|run| run.done);
    let text = match done {
        _ if app.asking.is_some() => "the model is being asked already",
        Some(done) if open => {
            app.asking = Some(PendingChecks { id: None, probes });
            // A run that is going on would be cut short.
            return if done { send(app) } else { Vec::new() };
        }
        _ => "there is nothing left to ask",
    };
    app.say(text.into(), false);
    Vec::new()
}

fn send(app: &App) -> Vec<Effect> {
    let (Some(run), Some(asking)) = (&app.shown, &app.asking) else { return Vec::new() };
    let Some(report) = run.report.clone() else { return Vec::new() };
    let (job, probes) = (run.job.clone(), asking.probes.clone());
    let job = CheckJob { run: run.id, job, report, rows: rows(app), probes };
    vec![Effect::Request(Request::Checks(Arc::new(job)))]
}

/// More is known beside the run of this number.
pub fn told(app: &mut App, run: JobId, whose: Option<DefenceRef>, found: &Evidence) {
    let Some(run) = app.shown.as_mut().filter(|shown| shown.id == run) else { return };
    match whose {
        None => run.report = run.report.take().map(|report| Arc::new(report.knowing(found))),
        Some(whose) => {
            let mut rows = run.rows.iter_mut().filter(|row| DefenceRef::new(row) == whose);
            if let Some(row) = rows.next() {
                // ε may have moved on meanwhile.
                let (success, epsilon) = (row.checks.success, row.checks.epsilon);
                Arc::make_mut(row).checks = Evidence { success, epsilon, ..found.clone() };
            }
        }
    }
}

/// A job is done: what was asked, or what the asking waited for.
pub fn done(app: &mut App, id: JobId) -> Vec<Effect> {
    let awaited = app.shown.as_ref().is_some_and(|run| run.id == id);
    match &app.asking {
        Some(PendingChecks { id: Some(asked), .. }) if *asked == id => app.asking = None,
        Some(PendingChecks { id: None, .. }) if awaited => return send(app),
        _ => {}
    }
    Vec::new()
}

/// Nothing more will come of a job.
pub fn give_up(app: &mut App, id: JobId) {
    let over = |asking: &PendingChecks| asking.id.is_none_or(|asked| asked == id);
    app.asking.take_if(|asking| over(asking));
}
