//! The run that the settings ask for, and what was asked of the engine.

use super::epsilon_search::EpsilonSearch;
use super::rejudge::bounds;
use super::run::Run;
use super::state::{Refresh, Session};
use crate::engine::{JobId, Request, RunJob};
use std::sync::Arc;

impl Session {
    /// The run that the settings ask for.
    pub fn wanted(&self) -> Option<RunJob> {
        Some(RunJob {
            sample: self.current_sample()?,
            plan: self.plan.clone(),
            surrogate: self.surrogate.clone(),
            defences: self.active_defences().map(|entry| entry.stack.clone()).collect(),
            draws: self.draws,
        })
    }

    /// Asks for the run that the settings ask for, once everything is there; where only ε has changed
    /// and only judges what is there, judges that anew.
    pub fn request_run(&mut self, why: Refresh) {
        let model = self.model.as_ref().map(|model| &model.id);
        let whole = self.shown.as_ref().filter(|run| !run.cut && Some(&run.model) == model);
        let same = whole.is_some_and(|run| self.wanted().as_ref() == Some(&run.job));
        if why == Refresh::IfMissing && same {
            return;
        }
        if let Some(job) = self.wanted().filter(|_| self.ready())
            && !self.rejudge_at_epsilon(&job)
        {
            self.request(Request::Run(Arc::new(job)));
        }
    }

    /// Where only ε differs from what is there or on its way, and ε only judges it: judges that at
    /// the new ε. False where the attack has to run.
    fn rejudge_at_epsilon(&mut self, job: &RunJob) -> bool {
        if bounds(job.plan.attack.bound) || !self.sent.is_empty() {
            return false;
        }
        let model = self.model_id().to_string();
        let same = |run: &&mut Run| run.model == model && job.differs_only_in_epsilon(&run.job);
        let run = match (&mut self.current, &mut self.shown) {
            (Some(current), _) => Some(current).filter(same),
            (None, Some(shown)) => Some(shown).filter(same),
            _ => None,
        };
        let epsilon = job.plan.epsilon;
        run.map(|run| run.judge(epsilon)).is_some()
    }

    /// An ε that was found for what the settings say, and whether a search over ε found it (else
    /// the attack itself did).
    pub fn found_epsilon(&self) -> Option<(f64, bool)> {
        let job = self.wanted()?;
        let model = &self.model.as_ref()?.id;
        let same = |of: &RunJob, on: &String| model == on && job.differs_only_in_epsilon(of);
        let search = self.epsilon_search.as_ref().filter(|search| same(&search.job, &search.model));
        let least = search.and_then(|search| search.found.as_ref()?.epsilon);
        let shown = self.shown.as_ref().filter(|run| same(&run.job, &run.model));
        let found = shown.and_then(Run::found);
        found.map(|epsilon| (epsilon, false)).or(least.map(|epsilon| (epsilon, true)))
    }

    /// Notes that a request was sent under this number.
    pub fn on_sent(&mut self, id: JobId, request: &Request) {
        match request {
            Request::Run(job) => {
                self.sent.push((id, RunJob::clone(job)));
                let since = self.awaited.map_or(self.now, |(_, since)| since);
                self.awaited = Some((id, since));
            }
            Request::Checks(_) => {
                self.pending_checks.iter_mut().for_each(|checks| checks.id = Some(id));
            }
            Request::FindMistake(_) => self.mistake_search = Some((id, 0)),
            Request::Data(name) | Request::Model(name) => self.loading.push((id, name.clone())),
            Request::MinimumEpsilon(job) => {
                let model = self.model_id().to_string();
                self.epsilon_search = Some(EpsilonSearch::new(id, job.clone(), model));
            }
            // Jobs of single screens.
            Request::Race(_)
            | Request::Transfer(_)
            | Request::DefenceMetrics(_)
            | Request::Compare(_)
            | Request::Lesson(_)
            | Request::Cancel => {}
        }
    }
}
