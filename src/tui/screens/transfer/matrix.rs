//! A transfer matrix.

use crate::engine::{JobId, TransferJob};
use crate::experiment::{Report, TransferReport};
use std::sync::Arc;

/// A transfer matrix, being measured or there.
#[derive(Clone, Debug)]
pub struct TransferMatrix {
    /// The job's number.
    pub id: JobId,
    /// What was asked for.
    pub job: Arc<TransferJob>,
    /// For one sample: what came of each pair, by surrogate and attacked model.
    pub cells: Vec<Vec<Option<Arc<Report>>>>,
    /// For several samples: the rates.
    pub report: Option<Arc<TransferReport>>,
    /// How many samples are done, of how many.
    pub progress: (usize, usize),
}

impl TransferMatrix {
    /// A matrix that was asked for.
    pub fn new(id: JobId, job: Arc<TransferJob>) -> Self {
        let count = job.models.len();
        let cells = vec![vec![None; count]; count];
        Self { id, job, cells, report: None, progress: (0, 0) }
    }

    /// Whether everything is measured.
    pub fn is_done(&self) -> bool {
        self.report.is_some() || self.cells.iter().flatten().all(Option::is_some)
    }
}
