//! A race: several attacks on one sample at the same time. Each has its thread, but only one works
//! at a time; after each step that one goes on which has asked the model least, so that all of them
//! have paid the same wherever one looks.

use crate::attack::{AttackConfig, Flow};
use crate::engine::protocol::{JobId, Update};
use crate::engine::worker::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::{self, CleanPrediction, Experiment, TracePoint, TraceRecorder};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who works now.
struct TurnTaking {
    state: Mutex<State>,
    passed: Condvar,
}

struct State {
    /// The lane that works.
    turn: usize,
    /// How often each lane has asked the model; none where it is over.
    asked: Vec<Option<u64>>,
    stopped: bool,
}

impl TurnTaking {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this lane's turn.
    fn wait(&self, lane: usize) -> Flow {
        let mut state = self.lock();
        while state.turn != lane && !state.stopped {
            state = self.passed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped { Flow::Stop } else { Flow::Continue }
    }

    /// Notes what this lane has asked so far (none: it is over), and lets the next one work.
    fn pass(&self, lane: usize, asked: Option<u64>) {
        let mut state = self.lock();
        state.asked[lane] = asked;
        let open = state.asked.iter().enumerate().filter_map(|(i, asked)| Some((i, (*asked)?)));
        if let Some((next, _)) = open.min_by_key(|(_, asked)| *asked) {
            state.turn = next;
        }
        self.passed.notify_all();
    }

    fn stop(&self) -> Flow {
        self.lock().stopped = true;
        self.passed.notify_all();
        Flow::Stop
    }
}

/// Passes the turns on when its lane is over; a panic stops the others.
struct Over<'a>(&'a TurnTaking, usize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
        self.0.pass(self.1, None);
    }
}

/// Lets the plans run against each other; each lane's steps and its end go to `sink`.
///
/// # Errors
/// Cancelled, when `stop` says so; device failures. A plan that cannot run ends its own lane only.
pub fn race(
    id: JobId,
    base: &Experiment,
    plans: &[AttackConfig],
    sink: &Sink,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<()> {
    let clean = experiment::predict_clean(base)?;
    sink(Update::Clean(id, Arc::new(clean.clone())));
    let state = State { turn: 0, asked: vec![Some(0); plans.len()], stopped: false };
    let turns = &TurnTaking { state: Mutex::new(state), passed: Condvar::new() };
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let lanes = plans.iter().enumerate().map(|(lane, plan)| {
            let experiment = Experiment { plan: plan.clone(), ..base.clone() };
            let clean = clean.clone();
            scope.spawn(move || {
                let _over = Over(turns, lane);
                run(id, lane, &experiment, clean, turns, sink, stop)
            })
        });
        let lanes: Vec<_> = lanes.collect();
        let ended = lanes.into_iter().map(|lane| match lane.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ended.collect()
    });
    results.into_iter().collect()
}

/// One lane.
fn run(
    id: JobId,
    lane: usize,
    experiment: &Experiment,
    clean: CleanPrediction,
    turns: &TurnTaking,
    sink: &Sink,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<()> {
    if turns.wait(lane) == Flow::Stop {
        return Err(Error::cancelled());
    }
    let (mut begun, mut worked) = (Instant::now(), Duration::ZERO);
    let mut step = |point: Option<TracePoint>, expected: usize| {
        if stop() {
            return turns.stop();
        }
        let Some(point) = point else { return Flow::Continue };
        let asked = point.queries;
        sink(Update::LaneStep(id, lane, point, expected));
        worked += begun.elapsed();
        turns.pass(lane, Some(asked));
        let flow = turns.wait(lane);
        begun = Instant::now();
        flow
    };
    let (picture, norm) = (clean.picture.clone(), experiment.plan.norm);
    let network = &experiment.model.network;
    let mut recorder = TraceRecorder::new(picture, norm, network, &mut step);
    let ended = experiment::attack_sample_from(experiment, clean, &mut recorder);
    worked += begun.elapsed();
    match ended {
        Ok(report) => sink(Update::LaneFinished(id, lane, Ok(Arc::new(report)), worked)),
        Err(error) if error.is_cancelled() || error.kind == ErrorKind::Device => return Err(error),
        Err(error) => sink(Update::LaneFinished(id, lane, Err(error), worked)),
    }
    Ok(())
}
