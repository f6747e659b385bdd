//! The lessons, and what has come out of them.

use crate::engine::{JobId, LessonJob};
use crate::experiment::{LESSONS, LessonReport, LessonSideReport, LessonSpec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many images a lesson can be measured on.
pub const COUNTS: [usize; 5] = [20, 50, 100, 200, 500];

/// The lessons and what has come out of them.
#[derive(Clone, Debug)]
pub struct Learn {
    /// The lesson under the cursor.
    pub at: usize,
    /// Index into [`COUNTS`].
    pub count: usize,
    /// What came out, by lesson.
    pub reports: BTreeMap<&'static str, Arc<LessonReport>>,
    /// The lesson that is being measured.
    pub running: Option<LessonRun>,
    /// Whether the screen is left for a side set up on Explore, which asks for a model first.
    pub is_left: bool,
}

impl Default for Learn {
    fn default() -> Self {
        let (reports, running) = (BTreeMap::new(), None);
        Self { at: 0, count: 1, reports, running, is_left: false }
    }
}

/// A lesson being measured.
#[derive(Clone, Debug)]
pub struct LessonRun {
    /// Its number.
    pub id: JobId,
    /// What was asked for.
    pub job: Arc<LessonJob>,
    /// The side at work, and how much of it is done, 0..1.
    pub share: (usize, f64),
    /// The sides that are done.
    pub sides: Vec<Arc<LessonSideReport>>,
}

impl Learn {
    /// The lesson under the cursor.
    pub fn lesson(&self) -> &'static LessonSpec {
        &LESSONS[self.at.min(LESSONS.len() - 1)]
    }

    /// The lesson under the cursor, where it is being measured.
    pub fn running(&self) -> Option<&LessonRun> {
        self.running.as_ref().filter(|running| running.job.lesson == self.lesson())
    }

    /// What is known of a side of the lesson under the cursor.
    pub fn side(&self, at: usize) -> Option<&LessonSideReport> {
        match self.running() {
            Some(running) => running.sides.get(at).map(Arc::as_ref),
            None => self.reports.get(self.lesson().id).and_then(|report| report.sides.get(at)),
        }
    }
}
