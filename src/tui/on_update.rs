//! What the worker says, brought into the state.

use super::app::{App, Effect, Message, Playback, Run, Source, fits, model_for};
use super::defence_metrics::{self, MetricReport};
use super::dialogs::Overlay;
use super::{checks, compare, epsilon_search, learn, race, rejudge, transfer_matrix};
use crate::attack::TargetChoice;
use crate::data::DATASETS;
use crate::engine::{JobId, ModelInfo, Request, Update};
use crate::model::Card;
use std::sync::Arc;

/// Brings an update into the state; stale ones change nothing.
pub fn on_update(app: &mut App, update: Update) -> Vec<Effect> {
    match update {
        Update::Device { device, note } => {
            // Where the header has no room for the reason, the messages have.
            let text =
                |why: &String| format!("computing on {} ({}): {why}", device.kind, device.name);
            app.messages.extend(note.iter().map(text).map(|text| Message { text, failure: false }));
            app.device = Some((device, note));
            Vec::new()
        }
        Update::Data(set) => {
            app.loading.retain(|(_, name)| *name != set.id);
            match set.id == app.data_wanted {
                true => {
                    app.take_source(Source::Set(set));
                    match_model(app)
                }
                false => Vec::new(),
            }
        }
        Update::Model(info) => take_model(app, info),
        Update::Started(id) => {
            begin(app, id);
            Vec::new()
        }
        Update::Clean(id, clean) => {
            race::clean(app, id, &clean);
            if let Some(run) = running(app, id) {
                run.clean = Some(clean);
            }
            Vec::new()
        }
        Update::Step(id, point, expected) => {
            if let Some(run) = running(app, id) {
                run.history.push(point, expected);
            }
            Vec::new()
        }
        Update::Finished(id, report) => {
            finish(app, id, report);
            Vec::new()
        }
        Update::Defended(id, row) => {
            if let Some(run) = app.shown.as_mut().filter(|run| run.id == id) {
                let judged = run.report.as_ref().filter(|r| !rejudge::bounds(r.extent));
                run.rows.push(judged.map_or(row.clone(), |report| Arc::new(report.judge(&row))));
            }
            Vec::new()
        }
        Update::DefenceNotApplicable(id, stack, why) => {
            if let Some(run) = app.shown.as_mut().filter(|run| run.id == id) {
                run.unfit.insert(stack, why);
            } else {
                compare::unfit(app, id, stack, why);
            }
            Vec::new()
        }
        Update::Done(id) => {
            if let Some(run) = app.shown.as_mut().filter(|run| run.id == id) {
                run.done = true;
            }
            if let Some(race) = app.race.as_mut().filter(|race| race.id == id) {
                race.done = true;
            }
            compare::ended(app, id);
            forget(app, id);
            checks::done(app, id)
        }
        Update::CheckEvidence(id, whose, found) => {
            checks::told(app, id, whose, &found);
            Vec::new()
        }
        Update::EpsilonTried(id, epsilon, success) => {
            epsilon_search::tried(app, id, epsilon, success);
            Vec::new()
        }
        Update::MinimumEpsilon(id, found) => epsilon_search::found(app, id, found),
        Update::LaneStep(id, lane, point, expected) => {
            race::step(app, id, lane, point, expected);
            Vec::new()
        }
        Update::LaneFinished(id, lane, report, worked) => {
            race::ended(app, id, lane, report, worked);
            Vec::new()
        }
        Update::TransferCell(id, row, column, report) => {
            transfer_matrix::cell(app, id, row, column, report);
            Vec::new()
        }
        Update::Progress(id, done, all, left) => {
            transfer_matrix::progress(app, id, done, all);
            defence_metrics::progress(app, id, 100 * done / all.max(1), left);
            compare::progress(app, id, left);
            Vec::new()
        }
        Update::TransferRates(id, report) => {
            transfer_matrix::transferred(app, id, report);
            Vec::new()
        }
        Update::Certified(id, report) => {
            defence_metrics::found(app, id, MetricReport::Certificate(report));
            Vec::new()
        }
        Update::RocTraced(id, report) => {
            defence_metrics::found(app, id, MetricReport::Curve(report));
            Vec::new()
        }
        Update::CompareFinding(id, finding) => {
            compare::found(app, id, finding);
            Vec::new()
        }
        Update::LessonProgress(id, side, share) => {
            learn::progress(app, id, side, share);
            Vec::new()
        }
        Update::LessonSide(id, report) => {
            learn::side(app, id, report);
            Vec::new()
        }
        Update::Lesson(id, report) => {
            learn::done(app, id, report);
            Vec::new()
        }
        Update::Cancelled(id) => {
            give_up(app, id);
            Vec::new()
        }
        Update::MistakeSearch(id, looked) => {
            if let Some(search) = app.searching.as_mut().filter(|(search, _)| *search == id) {
                search.1 = looked;
            }
            Vec::new()
        }
        Update::MistakeFound(id, found) => {
            if app.searching.is_none_or(|(search, _)| search != id) {
                return Vec::new();
            }
            app.searching = None;
            match found {
                Some(index) => {
                    app.mistakes.insert(index);
                    app.sample = index;
                    app.rerun()
                }
                None => {
                    app.say("the model gets every other sample listed here right".into(), false);
                    Vec::new()
                }
            }
        }
        Update::Failed(id, error) => {
            if !error.is_cancelled() {
                app.say(error.to_string(), true);
            }
            fail(app, id)
        }
        Update::Notice(text) => {
            app.say(text, false);
            Vec::new()
        }
    }
}

fn running(app: &mut App, id: JobId) -> Option<&mut Run> {
    app.current.as_mut().filter(|run| run.id == id)
}

/// A run begins; those asked for before it never will.
fn begin(app: &mut App, id: JobId) {
    let found = app.sent.iter().position(|(sent, _)| *sent == id);
    if let Some(at) = found {
        let (_, job) = app.sent.swap_remove(at);
        app.sent.retain(|(sent, _)| *sent > id);
        let model = app.model.as_ref().map_or_else(String::new, |m| m.id.clone());
        app.current = Some(Run::new(id, job, model));
    }
}

/// A run has its result: it becomes the one that is shown.
fn finish(app: &mut App, id: JobId, report: Arc<crate::experiment::Report>) {
    let Some(mut run) = app.current.take_if(|run| run.id == id) else { return };
    run.report = Some(report);
    // ε may have moved on meanwhile.
    run.judge(run.job.plan.epsilon);
    if let Some(old) = app.shown.take() {
        let same = old.model == run.model && old.job.sample == run.job.sample;
        if same {
            let mut rows = old.rows;
            // New rows first: the search takes the first that fits.
            rows.extend(old.old_rows);
            rows.truncate(4 * run.job.defences.len().max(1));
            run.old_rows = rows;
        }
    }
    app.shown = Some(run);
    app.playback = Playback::default();
    match app.awaited {
        Some((awaited, _)) if awaited <= id => app.awaited = None,
        // Something newer is on its way, but a fresh result has just come: be patient again.
        Some((awaited, _)) => app.awaited = Some((awaited, app.now)),
        None => {}
    }
}

/// Nothing more will come of a job.
fn forget(app: &mut App, id: JobId) {
    if app.awaited.is_some_and(|(awaited, _)| awaited == id) {
        app.awaited = None;
    }
    app.sent.retain(|(sent, _)| *sent > id);
}

/// A job ended without having come to its end.
fn give_up(app: &mut App, id: JobId) {
    if app.current.as_ref().is_some_and(|run| run.id == id) {
        app.current = None;
    }
    if let Some(run) = app.shown.as_mut().filter(|run| run.id == id) {
        (run.done, run.cut) = (true, !run.done);
    }
    if app.epsilon_search.as_ref().is_some_and(|search| search.id == id && search.found.is_none()) {
        app.epsilon_search = None;
        app.overlays.retain(|overlay| !matches!(overlay, Overlay::EpsilonSearch));
    }
    if let Some(race) = app.race.as_mut().filter(|race| race.id == id) {
        race.done = true;
    }
    if app.matrix.as_ref().is_some_and(|matrix| matrix.id == id && !matrix.done()) {
        app.matrix = None;
        app.overlays.retain(|overlay| !matches!(overlay, Overlay::TransferMatrix));
    }
    if app.searching.is_some_and(|(search, _)| search == id) {
        app.searching = None;
    }
    defence_metrics::give_up(app, id);
    learn::give_up(app, id);
    compare::ended(app, id);
    checks::give_up(app, id);
    forget(app, id);
}

/// A job failed: what was there before stays the current one.
fn fail(app: &mut App, id: JobId) -> Vec<Effect> {
    give_up(app, id);
    let Some(at) = app.loading.iter().position(|(load, _)| *load == id) else { return Vec::new() };
    let (_, name) = app.loading.swap_remove(at);
    if name == app.data_wanted
        && let Some(source) = &app.source
    {
        app.data_wanted = source.id().to_string();
    }
    if name == app.model_wanted
        && let Some(model) = &app.model
    {
        app.model_wanted = model.id.clone();
        // The data may have been changed for the model that did not come.
        let data = model.card.data.clone();
        if !data.is_empty() && !fits(&model.card, app.data_id()) {
            return app.load_data(data);
        }
    }
    Vec::new()
}

fn take_model(app: &mut App, info: Arc<ModelInfo>) -> Vec<Effect> {
    app.loading.retain(|(_, name)| *name != info.id);
    if info.id != app.model_wanted {
        return Vec::new();
    }
    let classes = info.labels.len();
    let data = info.card.data.clone();
    let embedded = app.cards.iter().any(|card| card.name == info.id);
    app.model = Some(info);
    app.mistakes.clear();
    if app.surrogate.as_ref().is_some_and(|name| !transfer_matrix::others(app).contains(name)) {
        app.surrogate = None;
    }
    if matches!(app.plan.target, TargetChoice::Class(class) if class >= classes) {
        app.plan.target = TargetChoice::Untargeted;
    }
    let known = DATASETS.iter().any(|row| row.id == data);
    if !embedded && !app.data_fixed && known && data != app.data_wanted {
        return app.load_data(data);
    }
    app.rerun()
}

/// After a change of the data: takes a model that fits, or runs.
pub fn match_model(app: &mut App) -> Vec<Effect> {
    let data = app.data_id().to_string();
    let embedded = app.cards.iter().find(|card| card.name == app.model_wanted);
    let loaded =
        app.model.as_ref().filter(|model| model.id == app.model_wanted).map(|model| &model.card);
    // A card that names no data set takes whatever comes.
    let stranger = |card: &&Card| !card.data.is_empty() && !fits(card, &data);
    if embedded.or(loaded).is_some_and(|card| stranger(&card)) {
        app.model_wanted = model_for(&app.cards, &data);
        return vec![Effect::Request(Request::Model(app.model_wanted.clone()))];
    }
    app.rerun()
}

/// After a change of the model: takes data that fit it.
pub fn match_data(app: &mut App) -> Vec<Effect> {
    let card = app.cards.iter().find(|card| card.name == app.model_wanted);
    let wanted = card.filter(|card| !fits(card, app.data_id())).map(|card| card.data.clone());
    let mut effects = match wanted.filter(|data| !data.is_empty()) {
        Some(data) => app.load_data(data),
        None => Vec::new(),
    };
    effects.push(Effect::Request(Request::Model(app.model_wanted.clone())));
    effects
}
