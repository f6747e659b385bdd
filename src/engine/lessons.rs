//! Lessons (published defences and what broke them) on the worker.

use super::protocol::{JobId, LessonJob, Update};
use super::worker::Worker;
use crate::attack::Flow;
use crate::error::Result;
use crate::experiment::{LessonTask, run_lesson};
use std::sync::Arc;

impl Worker {
    /// Measures a lesson, one side after the other.
    pub(super) fn lesson(&mut self, id: JobId, job: &LessonJob) -> Result<()> {
        let stop = self.stop_check(None);
        let (sink, also) = (self.sink(), self.sink());
        self.send(Update::Started(id));
        let device = self.device_info();
        let LessonJob { lesson, n, seed } = *job;
        let task = LessonTask { lesson, n, seed, models: self, device };
        let watch = &mut |side: usize, status: &crate::experiment::EvaluationStatus| {
            let share = if status.total > 0.0 { status.done / status.total } else { 0.0 };
            sink(Update::LessonProgress(id, side, share));
            if stop() { Flow::Stop } else { Flow::Continue }
        };
        let report = run_lesson(task, watch, &mut |_, side| {
            also(Update::LessonSide(id, Arc::new(side.clone())));
        })?;
        self.send(Update::Lesson(id, Arc::new(report)));
        Ok(())
    }
}
