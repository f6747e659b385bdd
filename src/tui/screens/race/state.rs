//! A race: its lanes, and what has come of each.

use crate::attack::{AttackConfig, AttackSpec, Goal, default_epsilon};
use crate::engine::{JobId, RaceJob, Request};
use crate::error::Result;
use crate::experiment::{CleanPrediction, Report, TracePoint};
use crate::tui::session::{History, Session};
use std::sync::Arc;
use std::time::Duration;

/// The fewest and the most attacks in a race.
pub const LANES: std::ops::RangeInclusive<usize> = 2..=4;

/// A race, going on or over.
#[derive(Clone, Debug, Default)]
pub struct Race {
    /// The job's number, once it was sent.
    pub id: Option<JobId>,
    /// The attacks chosen, in the order of their lanes.
    pub racers: Vec<&'static AttackSpec>,
    /// One for each attack; empty before the race begins.
    pub lanes: Vec<Lane>,
    /// The prediction on the clean image.
    pub clean: Option<Arc<CleanPrediction>>,
    /// Whether everything is over.
    pub is_done: bool,
    /// Whether it is drawn over queries instead of iterations.
    pub by_queries: bool,
}

/// One attack in a race.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Which attack, how.
    pub plan: AttackConfig,
    /// Its iterations.
    pub history: History,
    /// The first point that reached the goal: its number and the queries so far.
    pub first: Option<(usize, u64)>,
    /// Its result.
    pub result: Option<Result<Arc<Report>>>,
    /// How long it worked itself.
    pub worked: Duration,
}

impl Lane {
    fn new(plan: AttackConfig) -> Self {
        let (history, worked) = (History::default(), Duration::ZERO);
        Self { plan, history, first: None, result: None, worked }
    }

    /// Its report, if it came to its end.
    pub fn report(&self) -> Option<&Report> {
        self.result.as_ref().and_then(|ended| ended.as_ref().ok()).map(Arc::as_ref)
    }
}

impl Race {
    /// The attacks chosen, with the settings of the session where one of them is its attack. All keep
    /// to its norm and its ε; those that cannot, to the usual ε of a norm of theirs.
    pub fn plans(&self, session: &Session) -> Vec<AttackConfig> {
        let plan = |attack: &&'static AttackSpec| {
            if *attack == session.plan.attack {
                return session.plan.clone();
            }
            let mut plan = AttackConfig::new(attack, session.plan.epsilon);
            plan.seed = session.plan.seed;
            if attack.targeted {
                plan.target = session.plan.target;
            }
            match attack.norms.contains(&session.plan.norm) {
                true => plan.norm = session.plan.norm,
                false => plan.epsilon = default_epsilon(session.data_id(), plan.norm),
            }
            plan
        };
        self.racers.iter().map(plan).collect()
    }

    /// Asks for the race that the settings ask for; false where something is not there yet.
    pub fn start(&mut self, session: &mut Session) -> bool {
        let Some(sample) = session.current_sample().filter(|_| session.ready()) else {
            return false;
        };
        let plans = self.plans(session);
        self.lanes = plans.iter().cloned().map(Lane::new).collect();
        (self.id, self.clean, self.is_done) = (None, None, false);
        let surrogate = session.surrogate.clone();
        session.request(Request::Race(Arc::new(RaceJob { sample, surrogate, plans })));
        true
    }

    /// Whether the job of this number is this race.
    pub fn is_mine(&self, id: JobId) -> bool {
        self.id == Some(id)
    }

    /// One iteration of a lane.
    pub fn step(&mut self, lane: usize, point: TracePoint, expected: usize) {
        let clean = self.clean.clone();
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        let goal = clean.and_then(|clean| lane.plan.target.goal(clean.label, &clean.logits).ok());
        let there = goal.is_some_and(|goal: Goal| goal.reached(point.label));
        if point.picture.is_some() {
            lane.history.forget_picture();
        }
        lane.history.push(point, expected);
        if there && lane.first.is_none() {
            let entry = lane.history.entries().last();
            lane.first = entry.map(|entry| (entry.number, entry.queries));
        }
    }
}
