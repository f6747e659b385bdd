//! What the engine says, brought into the session; updates of jobs that are no longer wanted change
//! nothing.

use super::effect::Message;
use super::rejudge::bounds;
use super::run::{Playback, Run, Source, fits};
use super::state::Session;
use crate::engine::{JobId, Update};
use crate::experiment::Report;
use std::sync::Arc;

impl Session {
    /// Takes an update in; hands back what screens may want.
    pub fn on_update(&mut self, update: Update) -> Option<Update> {
        match update {
            Update::Device { device, note } => {
                // Where the header has no room for the reason, the messages have.
                let text =
                    |why: &String| format!("computing on {} ({}): {why}", device.kind, device.name);
                let notes = note.iter().map(text).map(|text| Message { text, failure: false });
                self.messages.extend(notes);
                self.device = Some((device, note));
            }
            Update::Data(set) => {
                self.loading.retain(|(_, name)| *name != set.id);
                if set.id == self.data_wanted {
                    self.take_source(Source::Set(set));
                    self.match_model();
                }
            }
            Update::Model(info) => self.take_model(info),
            Update::Started(id) => self.begin(id),
            Update::Clean(id, clean) => match self.running(id) {
                Some(run) => run.clean = Some(clean),
                None => return Some(Update::Clean(id, clean)),
            },
            Update::Step(id, point, expected) => {
                if let Some(run) = self.running(id) {
                    run.history.push(point, expected);
                }
            }
            Update::Finished(id, report) => self.finish(id, report),
            Update::Defended(id, row) => {
                if let Some(run) = self.shown_run(id) {
                    let judged = run.report.as_ref().filter(|r| !bounds(r.extent));
                    let row = judged.map_or(row.clone(), |report| Arc::new(report.judge(&row)));
                    run.rows.push(row);
                }
            }
            Update::DefenceNotApplicable(id, stack, why) => match self.shown_run(id) {
                Some(run) => drop(run.unfit.insert(stack, why)),
                None => return Some(Update::DefenceNotApplicable(id, stack, why)),
            },
            Update::CheckEvidence(id, defence, found) => self.take_evidence(id, defence, &found),
            Update::MistakeSearch(id, looked) => {
                let search = self.mistake_search.as_mut().filter(|(search, _)| *search == id);
                search.into_iter().for_each(|search| search.1 = looked);
            }
            Update::MistakeFound(id, found) => self.mistake_found(id, found),
            Update::Notice(text) => self.say(text, false),
            Update::Done(id) => {
                self.shown_run(id).into_iter().for_each(|run| run.done = true);
                self.forget(id);
                self.checks_after(id);
                return Some(Update::Done(id));
            }
            Update::Cancelled(id) => {
                self.give_up(id);
                return Some(Update::Cancelled(id));
            }
            Update::Failed(id, error) => {
                if !error.is_cancelled() {
                    self.say(error.to_string(), true);
                }
                self.give_up(id);
                self.loading_failed(id);
                return Some(Update::Failed(id, error));
            }
            other => return Some(other),
        }
        None
    }

    fn running(&mut self, id: JobId) -> Option<&mut Run> {
        self.current.as_mut().filter(|run| run.id == id)
    }

    fn shown_run(&mut self, id: JobId) -> Option<&mut Run> {
        self.shown.as_mut().filter(|run| run.id == id)
    }

    /// A run begins; those asked for before it never will.
    fn begin(&mut self, id: JobId) {
        if let Some(at) = self.sent.iter().position(|(sent, _)| *sent == id) {
            let (_, job) = self.sent.swap_remove(at);
            self.sent.retain(|(sent, _)| *sent > id);
            self.current = Some(Run::new(id, job, self.model_id().to_string()));
        }
    }

    /// A run has its result: it becomes the one on show.
    fn finish(&mut self, id: JobId, report: Arc<Report>) {
        let Some(mut run) = self.current.take_if(|run| run.id == id) else { return };
        run.report = Some(report);
        // ε may have moved on meanwhile.
        run.judge(run.job.plan.epsilon);
        if let Some(old) = self.shown.take() {
            let same = old.model == run.model && old.job.sample == run.job.sample;
            if same {
                let mut rows = old.rows;
                // New rows first: the search takes the first that fits.
                rows.extend(old.old_rows);
                rows.truncate(4 * run.job.defences.len().max(1));
                run.old_rows = rows;
            }
        }
        self.shown = Some(run);
        self.playback = Playback::default();
        match self.awaited {
            Some((awaited, _)) if awaited <= id => self.awaited = None,
            // Something newer is on its way, but a fresh result has just come: be patient again.
            Some((awaited, _)) => self.awaited = Some((awaited, self.now)),
            None => {}
        }
    }

    /// The search for a misclassified sample is over.
    fn mistake_found(&mut self, id: JobId, found: Option<usize>) {
        if self.mistake_search.is_none_or(|(search, _)| search != id) {
            return;
        }
        self.mistake_search = None;
        match found {
            Some(index) => {
                self.mistakes.insert(index);
                self.sample = index;
                self.settings_changed();
            }
            None => self.say("the model gets every other sample listed here right", false),
        }
    }

    /// Nothing more will come of a job.
    fn forget(&mut self, id: JobId) {
        self.awaited.take_if(|(awaited, _)| *awaited == id);
        self.sent.retain(|(sent, _)| *sent > id);
    }

    /// A job ended without having come to its end.
    fn give_up(&mut self, id: JobId) {
        self.current.take_if(|run| run.id == id);
        if let Some(run) = self.shown_run(id) {
            (run.done, run.cut) = (true, !run.done);
        }
        self.mistake_search.take_if(|(search, _)| *search == id);
        self.pending_checks.take_if(|checks| checks.id.is_none_or(|asked| asked == id));
        self.forget(id);
    }

    /// A data set or model could not be loaded: what was there before stays the current one.
    fn loading_failed(&mut self, id: JobId) {
        let Some(at) = self.loading.iter().position(|(load, _)| *load == id) else { return };
        let (_, name) = self.loading.swap_remove(at);
        if name == self.data_wanted
            && let Some(source) = &self.source
        {
            self.data_wanted = source.id().to_string();
        }
        if name == self.model_wanted
            && let Some(model) = &self.model
        {
            self.model_wanted = model.id.clone();
            // The data may have been changed for the model that did not come.
            let data = model.card.data.clone();
            if !data.is_empty() && !fits(&model.card, self.data_id()) {
                self.load_data(data);
            }
        }
    }
}
