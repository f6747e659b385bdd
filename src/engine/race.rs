//! A race: several attacks on one sample, taking turns. Each has a thread of its own, but only one
//! works at a time; after each step the one with the fewest queries goes on, so that all lanes have
//! about as many queries at any time.

use crate::attack::{AttackConfig, Flow};
use crate::engine::protocol::{JobId, Update};
use crate::engine::worker::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::{self, CleanPrediction, Experiment, TracePoint, TraceRecorder};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who works now.
struct TurnTaking {
    state: Mutex<Turns>,
    passed: Condvar,
}

struct Turns {
    /// The lane that works.
    turn: usize,
    /// How many queries each lane has made; none where it is over.
    queries: Vec<Option<u64>>,
    stopped: bool,
}

impl TurnTaking {
    fn lock(&self) -> MutexGuard<'_, Turns> {
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

    /// Notes how many queries this lane has made (none: it is over), and lets the next one work.
    fn pass(&self, lane: usize, queries: Option<u64>) {
        let mut state = self.lock();
        state.queries[lane] = queries;
        let open =
            state.queries.iter().enumerate().filter_map(|(i, queries)| Some((i, (*queries)?)));
        if let Some((next, _)) = open.min_by_key(|(_, queries)| *queries) {
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

/// Lets the next lane work when its own is over; a panic stops the others.
struct Over<'a>(&'a TurnTaking, usize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
        self.0.pass(self.1, None);
    }
}

/// Runs the attacks, taking turns; each lane's steps and its end go to `sink`.
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
    let state = Turns { turn: 0, queries: vec![Some(0); plans.len()], stopped: false };
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
        let queries = point.queries;
        sink(Update::LaneStep(id, lane, point, expected));
        worked += begun.elapsed();
        turns.pass(lane, Some(queries));
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
