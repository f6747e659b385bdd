//! A race: two to four attacks on the same sample, side by side.

use super::app::{App, Effect};
use super::history::History;
use crate::attack::{AttackConfig, AttackSpec, Goal, default_epsilon};
use crate::engine::{JobId, RaceJob, Request};
use crate::error::Result;
use crate::experiment::{CleanPrediction, Report, TracePoint};
use std::sync::Arc;
use std::time::Duration;

/// The fewest and the most attacks in a race.
pub const LANES: std::ops::RangeInclusive<usize> = 2..=4;

/// A race, going on or over.
#[derive(Clone, Debug, Default)]
pub struct Race {
    /// Its number, once it was sent.
    pub id: JobId,
    /// One for each attack.
    pub lanes: Vec<Lane>,
    /// The answer to the clean picture.
    pub clean: Option<Arc<CleanPrediction>>,
    /// Whether everything is over.
    pub done: bool,
}

/// One attack in a race.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Which attack, how.
    pub plan: AttackConfig,
    /// Its course.
    pub history: History,
    /// The first point that reached the goal: its number and the queries so far.
    pub first: Option<(usize, u64)>,
    /// What came of it.
    pub ended: Option<Result<Arc<Report>>>,
    /// How long it worked itself.
    pub worked: Duration,
}

impl Lane {
    fn new(plan: AttackConfig) -> Self {
        let (history, worked) = (History::default(), Duration::ZERO);
        Self { plan, history, first: None, ended: None, worked }
    }

    /// What came of it, if it came to its end.
    pub fn report(&self) -> Option<&Report> {
        self.ended.as_ref().and_then(|ended| ended.as_ref().ok()).map(Arc::as_ref)
    }
}

/// The attacks chosen, with the settings of the screen where one of them is on it. All keep to its
/// norm and its ε; those that cannot, to the usual ε of a norm of theirs.
fn plans(app: &App) -> Vec<AttackConfig> {
    let plan = |attack: &&'static AttackSpec| {
        if *attack == app.plan.attack {
            return app.plan.clone();
        }
        let mut plan = AttackConfig::new(attack, app.plan.epsilon);
        plan.seed = app.plan.seed;
        if attack.targeted {
            plan.target = app.plan.target;
        }
        match attack.norms.contains(&app.plan.norm) {
            true => plan.norm = app.plan.norm,
            false => plan.epsilon = default_epsilon(app.data_id(), plan.norm),
        }
        plan
    };
    app.racers.iter().map(plan).collect()
}

/// Asks for the race that the settings ask for.
pub fn start(app: &mut App) -> Vec<Effect> {
    let Some(sample) = app.current_sample().filter(|_| app.ready()) else { return Vec::new() };
    let plans = plans(app);
    let lanes = plans.iter().cloned().map(Lane::new).collect();
    app.race = Some(Race { lanes, ..Race::default() });
    let surrogate = app.surrogate.clone();
    vec![Effect::Request(Request::Race(Arc::new(RaceJob { sample, surrogate, plans })))]
}

/// Puts an attack into the race, or takes it out.
pub fn toggle(app: &mut App, attack: &'static AttackSpec) {
    match app.racers.iter().position(|racer| *racer == attack) {
        Some(at) => drop(app.racers.remove(at)),
        None if app.racers.len() < *LANES.end() => app.racers.push(attack),
        None => app.say(format!("at most {} attacks fit into a race", LANES.end()), false),
    }
}

/// Leaves the race.
pub fn leave(app: &mut App) -> Vec<Effect> {
    let running = app.race.take().is_some_and(|race| !race.done);
    let mut effects = Vec::new();
    if running {
        effects.push(Effect::Request(Request::Cancel));
    }
    effects.extend(app.refresh());
    effects
}

fn of(app: &mut App, id: JobId) -> Option<&mut Race> {
    app.race.as_mut().filter(|race| race.id == id)
}

/// The answer to the clean picture.
pub fn clean(app: &mut App, id: JobId, clean: &Arc<CleanPrediction>) {
    if let Some(race) = of(app, id) {
        race.clean = Some(clean.clone());
    }
}

/// One iteration of a lane.
pub fn step(app: &mut App, id: JobId, lane: usize, point: TracePoint, expected: usize) {
    let Some(race) = of(app, id) else { return };
    let clean = race.clean.clone();
    let Some(lane) = race.lanes.get_mut(lane) else { return };
    let goal = clean.and_then(|clean| lane.plan.target.goal(clean.label, &clean.logits).ok());
    let there = goal.is_some_and(|goal: Goal| goal.reached(point.label));
    if point.picture.is_some() {
        lane.history.forget_picture();
    }
    lane.history.push(point, expected);
    if there && lane.first.is_none() {
        lane.first = lane.history.entries().last().map(|stop| (stop.number, stop.queries));
    }
}

/// A lane is over.
pub fn ended(app: &mut App, id: JobId, lane: usize, report: Result<Arc<Report>>, worked: Duration) {
    if let Some(lane) = of(app, id).and_then(|race| race.lanes.get_mut(lane)) {
        lane.ended = Some(report);
        lane.worked = worked;
    }
}
