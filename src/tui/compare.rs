//! The Compare screen: defences × attacks for the chosen sample, and the same over many samples. What
//! was found is kept while the screen is away, and only what is missing is asked for.

mod prompts;
mod table;

pub use prompts::{ask_export, ask_filter, ask_hybrid, confirm_overwrite, export, filter, hybrid};
pub use table::{ROOM_FOR_BOTH, cell_at, frame, parts, plans, report, stacks};

use super::app::{App, Effect, Source};
use super::defence_list::DefenceEntry;
use crate::attack::{AttackConfig, AttackSpec, Norm, default_epsilon};
use crate::data::Sample;
use crate::defence::{DefenceStack, Stance};
use crate::engine::{CompareJob, JobId, Request};
use crate::experiment::compare::{
    CompareEvent, CompareFindings, DefenceOrder, default_attack, default_attacks,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Over how many samples.
pub const COUNTS: [usize; 3] = [20, 100, 500];

/// One of the two tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableKind {
    /// The chosen sample.
    #[default]
    Sample,
    /// Many samples.
    Many,
}

/// Which attacks are table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StanceFilter {
    /// Those that do not know the defence.
    Naive,
    /// Those that do.
    Adaptive,
    /// Both, one above the other.
    #[default]
    Both,
}

impl StanceFilter {
    /// Every choice with its name.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Naive, "naive"), (Self::Adaptive, "adaptive"), (Self::Both, "both")];

    /// The stances that it stands for.
    pub fn stances(self) -> Vec<Stance> {
        match self {
            Self::Naive => vec![Stance::Naive],
            Self::Adaptive => vec![Stance::Adaptive],
            Self::Both => vec![Stance::Naive, Stance::Adaptive],
        }
    }
}

/// What everything found depends on; where it changes, it is forgotten.
#[derive(Clone, Debug, PartialEq)]
struct FindingsKey {
    model: String,
    data: String,
    seed: u64,
}

/// The screen.
#[derive(Clone, Debug)]
pub struct Compare {
    /// Whether it is the screen now.
    pub open: bool,
    /// The job that is going on.
    pub running: Option<(JobId, Arc<CompareJob>)>,
    /// The attacks; ε and seed are the screen's.
    pub columns: Vec<AttackConfig>,
    /// Defences that are not on the strip.
    pub own: Vec<DefenceStack>,
    /// Which attacks are table.
    pub stance_filter: StanceFilter,
    /// The table that the cursor is in.
    pub part: TableKind,
    /// Index into [`COUNTS`].
    pub count: usize,
    /// The order of the defences.
    pub sort: DefenceOrder,
    /// Only defences in whose name this stands.
    pub filter: String,
    /// The cursor: row and column.
    pub at: (usize, usize),
    /// What was found.
    pub findings: CompareFindings,
    /// The defences that do not apply, and why not.
    pub unfit: BTreeMap<String, String>,
    /// What was found last, in words.
    pub last: String,
    /// The seconds that the job at work still takes; none where nobody can tell.
    pub left: Option<f64>,
    basis: Option<FindingsKey>,
    sample: Option<Sample>,
    /// The column that was opened in Explore.
    opened: Option<usize>,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            open: false,
            running: None,
            // The data set only decides about ε, which is the screen's.
            columns: default_attacks("", 0),
            own: DefenceStack::hybrid().into_iter().collect(),
            stance_filter: StanceFilter::default(),
            part: TableKind::default(),
            count: 0,
            sort: DefenceOrder::default(),
            filter: String::new(),
            at: (0, 0),
            findings: CompareFindings::default(),
            unfit: BTreeMap::new(),
            last: String::new(),
            left: None,
            basis: None,
            sample: None,
            opened: None,
        }
    }
}

/// Goes to the screen, and asks for what is missing on it.
pub fn open(app: &mut App) -> Vec<Effect> {
    app.compare.open = true;
    // The attack that was opened in Explore may have been changed there.
    let column = app.compare.opened.take().and_then(|at| app.compare.columns.get_mut(at));
    if let Some(column) = column
        && (column.attack, column.norm) == (app.plan.attack, app.plan.norm)
    {
        column.settings = app.plan.settings.clone();
    }
    refresh(app)
}

/// Leaves the screen; what is found so far stays.
pub fn close(app: &mut App) -> Vec<Effect> {
    app.compare.open = false;
    let running = app.compare.running.take();
    running.map_or_else(Vec::new, |_| vec![Effect::Request(Request::Cancel)])
}

/// Goes back to Explore.
pub fn leave(app: &mut App) -> Vec<Effect> {
    let mut effects = close(app);
    effects.extend(app.refresh());
    effects
}

/// Asks for what is missing.
pub fn refresh(app: &mut App) -> Vec<Effect> {
    let Some(model) = app.model.clone().filter(|_| app.ready()) else { return Vec::new() };
    let (data, seed) = (app.data_id().to_string(), app.plan.seed);
    let basis = FindingsKey { model: model.id.clone(), data, seed };
    let sample = app.current_sample();
    let compare = &mut app.compare;
    if compare.basis.as_ref() != Some(&basis) {
        compare.findings = CompareFindings::default();
        compare.unfit.clear();
        compare.basis = Some(basis);
    }
    if compare.sample != sample {
        compare.findings.forget_sample();
        compare.sample = sample;
    }
    clamp(app);
    match (missing(app), &app.compare.running) {
        (Some(job), Some((_, running))) if same(&job, running) => Vec::new(),
        (Some(job), _) => vec![Effect::Request(Request::Compare(Arc::new(job)))],
        (None, Some(_)) => {
            app.compare.running = None;
            vec![Effect::Request(Request::Cancel)]
        }
        (None, None) => Vec::new(),
    }
}

/// Whether two jobs ask for the same, whatever is known already.
fn same(a: &CompareJob, b: &CompareJob) -> bool {
    let count = |job: &CompareJob| job.many.as_ref().map(|(_, n)| *n);
    a.sample == b.sample
        && count(a) == count(b)
        && (&a.stacks, &a.plans, &a.stances) == (&b.stacks, &b.plans, &b.stances)
}

/// The job that finds what is missing, if anything is.
fn missing(app: &App) -> Option<CompareJob> {
    let (compare, plans, stances) = (&app.compare, plans(app), app.compare.stance_filter.stances());
    let fits = |stack: &DefenceStack| !compare.unfit.contains_key(&stack.text());
    let stacks: Vec<DefenceStack> = stacks(app).into_iter().filter(fits).collect();
    let found = &compare.findings;
    let names: Vec<String> =
        std::iter::once(String::new()).chain(stacks.iter().map(DefenceStack::text)).collect();
    let every = |there: &dyn Fn(&str, &AttackConfig, Stance) -> bool| {
        names.iter().all(|name| {
            plans.iter().all(|plan| stances.iter().all(|stance| there(name, plan, *stance)))
        })
    };
    let known = names.iter().all(|name| found.known(name).is_some());
    let cells = known && every(&|name, plan, stance| found.cell(name, plan, stance).is_some());
    let sample = app.current_sample().filter(|_| !cells);
    let set = match &app.source {
        Some(Source::Set(set)) if parts(app).contains(&TableKind::Many) => Some(set.clone()),
        _ => None,
    };
    let many = set.map(|set| (set.clone(), COUNTS[compare.count].min(set.len())));
    let many = many.filter(|(_, n)| {
        let right = names.iter().all(|name| found.right(name).len() >= *n);
        let held =
            |name: &str, plan: &AttackConfig, stance| found.held(name, plan, stance).len() >= *n;
        !(right && every(&held))
    });
    let seed = app.plan.seed;
    let done = found.clone();
    (sample.is_some() || many.is_some()).then_some(CompareJob {
        sample,
        many,
        stacks,
        plans,
        stances,
        seed,
        done,
    })
}

/// Keeps the cursor where there is something.
fn clamp(app: &mut App) {
    let (rows, columns) = (report(app).rows.len(), app.compare.columns.len());
    let at = &mut app.compare.at;
    *at = (at.0.min(rows.saturating_sub(1)), at.1.min(columns.saturating_sub(1)));
}

/// One more thing was found.
pub fn found(app: &mut App, id: JobId, finding: CompareEvent) {
    if app.compare.running.as_ref().is_some_and(|(running, _)| *running == id) {
        if let Some(words) = finding.words() {
            app.compare.last = words;
        }
        app.compare.findings.take(finding);
    }
}

/// So many seconds are left.
pub fn progress(app: &mut App, id: JobId, left: Option<f64>) {
    if app.compare.running.as_ref().is_some_and(|(running, _)| *running == id) {
        app.compare.left = left;
    }
}

/// A defence does not apply.
pub fn unfit(app: &mut App, id: JobId, stack: String, why: String) {
    if app.compare.running.as_ref().is_some_and(|(running, _)| *running == id) {
        app.compare.unfit.insert(stack, why);
    }
}

/// A job came to its end, whole or not.
pub fn ended(app: &mut App, id: JobId) {
    app.compare.running.take_if(|(running, _)| *running == id);
}

/// Moves the cursor.
pub fn walk(app: &mut App, rows: isize, columns: isize) -> Vec<Effect> {
    let at = &mut app.compare.at;
    *at = (at.0.saturating_add_signed(rows), at.1.saturating_add_signed(columns));
    clamp(app);
    Vec::new()
}

/// Puts the cursor on a cell; on the one it is on already, opens that.
pub fn choose(app: &mut App, part: TableKind, row: usize, column: usize) -> Vec<Effect> {
    if (app.compare.part, app.compare.at) == (part, (row, column)) {
        return explore(app);
    }
    app.compare.part = part;
    app.compare.at = (row, column);
    clamp(app);
    Vec::new()
}

/// Opens the cell under the cursor in Explore: its attack, its defence, its stance, this sample.
pub fn explore(app: &mut App) -> Vec<Effect> {
    let (report, plans) = (report(app), plans(app));
    let (Some(row), Some(plan)) = (report.rows.get(app.compare.at.0), plans.get(app.compare.at.1))
    else {
        return Vec::new();
    };
    app.compare.opened = Some(app.compare.at.1);
    app.epsilon_fixed = plan.epsilon != default_epsilon(app.data_id(), plan.norm);
    app.plan = plan.clone();
    if let Some(stance) = row.stance {
        app.stance = stance;
        let stack = stacks(app).into_iter().find(|stack| stack.text() == row.defence);
        let here = app.defences.iter().position(|entry| entry.stack.text() == row.defence);
        match (here, stack) {
            (Some(at), _) => {
                let entry = &mut app.defences[at];
                (entry.on, entry.stance) = (true, None);
            }
            (None, Some(stack)) => {
                app.defences.push(DefenceEntry { stack, on: true, stance: None })
            }
            (None, None) => {}
        }
    }
    leave(app)
}

/// Shows naive attacks, adaptive ones, or both.
pub fn turn(app: &mut App) -> Vec<Effect> {
    let all = StanceFilter::ALL.map(|(stance_filter, _)| stance_filter);
    let here = all
        .iter()
        .position(|stance_filter| *stance_filter == app.compare.stance_filter)
        .unwrap_or(0);
    app.compare.stance_filter = all[(here + 1) % all.len()];
    refresh(app)
}

/// Goes to the other table.
pub fn switch(app: &mut App) -> Vec<Effect> {
    app.compare.part = match app.compare.part {
        TableKind::Sample => TableKind::Many,
        TableKind::Many => TableKind::Sample,
    };
    refresh(app)
}

/// Over more samples; after the most, over the fewest again.
pub fn more(app: &mut App) -> Vec<Effect> {
    app.compare.part = TableKind::Many;
    app.compare.count = (app.compare.count + 1) % COUNTS.len();
    refresh(app)
}

/// Takes the defence under the cursor out.
pub fn drop_row(app: &mut App) -> Vec<Effect> {
    let report = report(app);
    let Some(row) = report.rows.get(app.compare.at.0).filter(|row| row.stance.is_some()) else {
        app.say("the bare network stays: the others are compared with it".into(), false);
        return Vec::new();
    };
    app.compare.own.retain(|stack| stack.text() != row.defence);
    let defence_list = app.defences.iter_mut().filter(|entry| entry.stack.text() == row.defence);
    defence_list.for_each(|entry| entry.on = false);
    refresh(app)
}

/// Whether an attack in a norm is among the columns.
pub fn has(app: &App, attack: &AttackSpec, norm: Norm) -> bool {
    app.compare.columns.iter().any(|column| column.attack == attack && column.norm == norm)
}

/// Takes an attack in a norm in, or out.
pub fn toggle(app: &mut App, attack: &'static AttackSpec, norm: Norm) -> Vec<Effect> {
    let columns = &mut app.compare.columns;
    let here = columns.iter().position(|c| *c.attack == *attack && c.norm == norm);
    match here {
        Some(_) if columns.len() == 1 => {
            app.say("one attack has to stay".into(), false);
            return Vec::new();
        }
        Some(at) => drop(columns.remove(at)),
        // As it stood among those to begin with, else at its defaults.
        None => {
            let known = default_attacks("", 0).into_iter();
            let mut known = known.filter(|plan| *plan.attack == *attack && plan.norm == norm);
            columns.push(known.next().unwrap_or_else(|| default_attack(attack, norm, "", 0)));
        }
    }
    app.compare.opened = None;
    refresh(app)
}
