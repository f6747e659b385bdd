//! The search for the least ε that works: what was tried, and what was found.

use super::app::{App, Effect};
use super::dialogs::Overlay;
use super::update::set_epsilon;
use crate::attack::Bound;
use crate::engine::{JobId, Request, RunJob};
use crate::experiment::{MinimumEpsilon, distance_text};
use std::sync::Arc;

/// A search, going on or over.
#[derive(Clone, Debug)]
pub struct EpsilonSearch {
    /// Its number.
    pub id: JobId,
    /// What is searched for.
    pub job: Arc<RunJob>,
    /// On which model.
    pub model: String,
    /// Every ε tried so far, and whether the attack reached its goal.
    pub tried: Vec<(f64, bool)>,
    /// The ε that is tried now.
    pub trying: Option<f64>,
    /// What was found.
    pub found: Option<Arc<MinimumEpsilon>>,
}

impl EpsilonSearch {
    /// A search that was asked for.
    pub fn new(id: JobId, job: Arc<RunJob>, model: String) -> Self {
        Self { id, job, model, tried: Vec::new(), trying: None, found: None }
    }

    /// The largest ε that held below the least one that fooled.
    pub fn between(&self) -> Option<(f64, f64)> {
        let fooled = self.tried.iter().filter(|(_, fooled)| *fooled).map(|(epsilon, _)| *epsilon);
        let above = fooled.fold(f64::INFINITY, f64::min);
        let held = self.tried.iter().filter(|(epsilon, fooled)| !fooled && *epsilon < above);
        let below = held.map(|(epsilon, _)| *epsilon).fold(0.0, f64::max);
        (self.found.is_none() && above.is_finite()).then_some((below, above))
    }

    /// What came of it, in words.
    pub fn sentence(&self) -> Option<String> {
        let least = self.found.as_ref()?;
        let (report, attack) = (&least.report, self.job.plan.attack.name);
        let norm = report.norm;
        if !report.attacked {
            return Some(report.sentence());
        }
        Some(match least.epsilon {
            Some(epsilon) => format!(
                "{} becomes {} at {norm} ε = {}: the least with which {attack} works",
                report.clean.name,
                report.adversarial.name,
                distance_text(norm, epsilon)
            ),
            None => format!("{} holds against {attack} at every {norm} ε", report.clean.name),
        })
    }
}

/// Begins the search, or shows what came of the one before where nothing but ε has changed.
pub fn search(app: &mut App) -> Vec<Effect> {
    let Some(job) = app.wanted().filter(|_| app.ready()) else { return Vec::new() };
    let name = job.plan.attack.name;
    if job.plan.attack.bound == Bound::Own {
        app.say(format!("{name} is bounded by its own parameters, not by ε"), false);
        return Vec::new();
    }
    let current = app.model.as_ref().map(|model| model.id.clone());
    let same = |search: &EpsilonSearch| {
        current.as_ref() == Some(&search.model) && job.differs_only_in_epsilon(&search.job)
    };
    let known = app.epsilon_search.as_ref().is_some_and(same);
    app.overlays.push(Overlay::EpsilonSearch);
    // One that is going on is shown again.
    match known {
        true => Vec::new(),
        false => {
            app.epsilon_search = None;
            vec![Effect::Request(Request::MinimumEpsilon(Arc::new(job)))]
        }
    }
}

/// One more ε was tried.
pub fn tried(app: &mut App, id: JobId, epsilon: f64, success: Option<bool>) {
    let Some(search) = app.epsilon_search.as_mut().filter(|search| search.id == id) else { return };
    search.trying = match success {
        None => Some(epsilon),
        Some(success) => {
            search.tried.push((epsilon, success));
            None
        }
    };
}

/// The search is over.
pub fn found(app: &mut App, id: JobId, least: Arc<MinimumEpsilon>) -> Vec<Effect> {
    let Some(search) = app.epsilon_search.as_mut().filter(|search| search.id == id) else {
        return Vec::new();
    };
    search.trying = None;
    search.found = Some(least);
    let sentence = search.sentence();
    if !matches!(app.overlays.last(), Some(Overlay::EpsilonSearch))
        && let Some(sentence) = sentence
    {
        app.say(sentence, false);
    }
    app.refresh()
}

/// Takes the ε that was found.
pub fn accept(app: &mut App) -> Vec<Effect> {
    let epsilon = app.epsilon_search.as_ref().and_then(|search| search.found.as_ref()?.epsilon);
    app.overlays.pop();
    epsilon.map_or_else(Vec::new, |epsilon| set_epsilon(app, epsilon))
}
