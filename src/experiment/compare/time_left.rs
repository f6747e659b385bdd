//! How long a comparison still takes, from what its cells have taken so far. A cell that was never
//! measured is expected to take what its attack took on the undefended network, and what the
//! defence adds to each of its passes.

use crate::attack::AttackConfig;
use crate::defence::Stance;
use crate::experiment::compare::{CompareEvent, Comparison, UNDEFENDED};
use crate::experiment::passes::parts;

/// One cell of a table, or the clean predictions of a row.
#[derive(Clone, Debug)]
struct CellTimes {
    /// The row: 0 for the undefended network.
    row: usize,
    /// The column; none for the clean predictions.
    column: Option<usize>,
    stance: Stance,
    /// Whether it counts over many samples.
    many: bool,
    /// Samples to do in all, and done so far.
    samples: f64,
    done: f64,
    seconds: f64,
}

/// What is known of a row's defence.
#[derive(Clone, Debug)]
struct DefenceTimes {
    defence: String,
    /// For each stance, the draws that an attack averages over.
    draws: Vec<(Stance, f64)>,
    /// How long single predictions took, in seconds.
    laps: Vec<f64>,
}

/// An estimate of the time left for a comparison. The caller reports every event with the seconds
/// since the work began; it reads no clock itself.
#[derive(Clone, Debug)]
pub struct ComparisonTimeLeft {
    rows: Vec<DefenceTimes>,
    plans: Vec<AttackConfig>,
    cells: Vec<CellTimes>,
    seconds: f64,
}

impl ComparisonTimeLeft {
    /// Of a comparison on one sample, if `one`, and then on `n`.
    pub fn new(task: &Comparison, one: bool, n: usize) -> Self {
        let draws = |pipeline: &crate::defence::Pipeline| {
            let of = |stance: Stance| match pipeline.averages(stance) {
                true => (stance, task.draws as f64),
                false => (stance, 1.0),
            };
            Stance::ALL.into_iter().map(of).collect()
        };
        let bare = DefenceTimes { defence: UNDEFENDED.into(), draws: Vec::new(), laps: Vec::new() };
        let row = |pipeline: &std::sync::Arc<crate::defence::Pipeline>| DefenceTimes {
            defence: pipeline.stack.text(),
            draws: draws(pipeline),
            laps: Vec::new(),
        };
        let rows: Vec<DefenceTimes> =
            std::iter::once(bare).chain(task.pipelines.iter().map(row)).collect();
        let mut cells = Vec::new();
        for (many, samples) in [(false, usize::from(one)), (true, n)] {
            for (at, row) in rows.iter().enumerate() {
                let mut add = |column: Option<usize>, stance, known: usize| {
                    let samples = samples.saturating_sub(known) as f64;
                    let (done, seconds) = (0.0, 0.0);
                    cells.push(CellTimes { row: at, column, stance, many, samples, done, seconds });
                };
                let name = &row.defence;
                let known = match many {
                    true => task.done.right(name).len(),
                    false => usize::from(task.done.known(name).is_some()),
                };
                add(None, Stance::Naive, known);
                let stances = if at == 0 { &[Stance::Naive][..] } else { &task.stances };
                for stance in stances {
                    for (column, plan) in task.plans.iter().enumerate() {
                        let known = match many {
                            true => task.done.held(name, plan, *stance).len(),
                            false => usize::from(task.done.cell(name, plan, *stance).is_some()),
                        };
                        add(Some(column), *stance, known);
                    }
                }
            }
        }
        Self { rows, plans: task.plans.clone(), cells, seconds: 0.0 }
    }

    /// Something was found, so many seconds after the work began: the time since what was found
    /// before went into it.
    pub fn take(&mut self, finding: &CompareEvent, seconds: f64) {
        let more = (seconds - self.seconds).max(0.0);
        self.seconds = seconds;
        let naive = Stance::Naive;
        let (name, plan, stance, many, samples) = match finding {
            CompareEvent::Origin(_) | CompareEvent::Lost(..) => return,
            CompareEvent::Clean(name, _) => (name, None, naive, false, 1),
            CompareEvent::Cell(plan, row) => (&row.defence, Some(plan), row.stance, false, 1),
            CompareEvent::Right(name, right, _) => (name, None, naive, true, right.len()),
            CompareEvent::Held(name, plan, stance, held) => {
                (name, Some(plan), *stance, true, held.len())
            }
        };
        let Some(row) = self.rows.iter().position(|row| row.defence == *name) else { return };
        match finding {
            CompareEvent::Clean(_, known) => self.rows[row].laps.push(known.ms / 1e3),
            CompareEvent::Right(_, _, laps) => {
                self.rows[row].laps.extend(laps.iter().map(|l| l / 1e3));
            }
            _ => {}
        }
        let column = plan.map(|plan| self.plans.iter().position(|other| other == plan));
        let here = |cell: &&mut CellTimes| {
            let place = (cell.row, cell.column.map(Some), cell.stance, cell.many);
            place == (row, column, if row == 0 { naive } else { stance }, many)
        };
        if let Some(cell) = self.cells.iter_mut().find(here) {
            cell.done += samples as f64;
            cell.seconds += more;
        }
    }

    /// How much is done, in samples of cells, and of how much.
    pub fn done(&self) -> (usize, usize) {
        let cells = || self.cells.iter().filter(|cell| cell.column.is_some());
        let sum = |of: fn(&CellTimes) -> f64| cells().map(of).sum::<f64>() as usize;
        (sum(|cell| cell.done), sum(|cell| cell.samples))
    }

    /// The seconds that are left; none where it is unknown.
    pub fn left(&self) -> Option<f64> {
        let left = |cell: &CellTimes| (cell.samples - cell.done).max(0.0);
        let open = self.cells.iter().filter(|cell| left(cell) > 0.0);
        open.map(|cell| Some(left(cell) * self.price(cell)?)).sum()
    }

    /// The seconds of a sample in a cell.
    fn price(&self, cell: &CellTimes) -> Option<f64> {
        if cell.done > 0.0 {
            return Some(cell.seconds / cell.done);
        }
        match (cell.row, cell.column, cell.stance) {
            // Predicting without attacking takes next to nothing beside the attacks.
            (_, None, _) => Some(0.0),
            (0, Some(_), _) => None,
            (row, Some(_), Stance::Naive) => {
                let clean =
                    |c: &&CellTimes| c.row == row && c.column.is_none() && c.many == cell.many;
                let clean = self.cells.iter().find(clean).filter(|clean| clean.done > 0.0);
                Some(clean.map_or(0.0, |clean| clean.seconds / clean.done))
            }
            _ => Some(self.foreseen(cell)? * self.bias(cell)),
        }
    }

    /// What a sample should take in a cell whose attack knows the defence.
    fn foreseen(&self, cell: &CellTimes) -> Option<f64> {
        let bare = |c: &&CellTimes| c.row == 0 && c.column == cell.column && c.many == cell.many;
        let bare = self.cells.iter().find(bare).filter(|bare| bare.done > 0.0)?;
        let bare = bare.seconds / bare.done;
        let row = &self.rows[cell.row];
        let draws = row.draws.iter().find(|(stance, _)| *stance == cell.stance);
        let draws = draws.map_or(1.0, |(_, draws)| *draws);
        let median = |laps: &[f64]| crate::metrics::median(laps.iter().copied());
        let (own, other) = (median(&row.laps)?, median(&self.rows[0].laps)?);
        let passes = parts(&self.plans[cell.column?]).into_iter().flatten();
        let passes: f64 = passes.map(|passes| passes.forward).sum();
        Some(draws * (bare + passes * (own - other).max(0.0)))
    }

    /// By how much cells of a defence took longer than foreseen: of this one, else of all.
    fn bias(&self, cell: &CellTimes) -> f64 {
        let ratio = |own: bool| {
            let known = self.cells.iter().filter(|other| {
                let like = other.many == cell.many && other.stance != Stance::Naive;
                like && other.done > 0.0 && (!own || other.row == cell.row)
            });
            let sums =
                known.filter_map(|other| Some((other.seconds, self.foreseen(other)? * other.done)));
            let (took, foreseen) = sums.fold((0.0, 0.0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
            (foreseen > 0.0).then(|| took / foreseen)
        };
        ratio(true).or_else(|| ratio(false)).unwrap_or(1.0)
    }
}
