//! What an evaluation has done so far, in memory and in its state file.

use crate::attack::{Plan, Verdict};
use crate::data::{atomically, read_bounded};
use crate::error::{Error, Result};
use crate::experiment::evaluate::{Evaluation, State};
use crate::experiment::report::{Cost, VERSION};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What came of one attack on one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fate {
    /// The answer to the attacked picture.
    pub label: usize,
    /// Whether the goal was reached within what bounds the attack, and within ε.
    pub success: bool,
    /// Whether the goal was reached, however far away.
    pub reached: bool,
    /// How far the picture went, in the attack's norm.
    pub distance: f32,
    /// How often the attack asked about it.
    pub queries: u64,
    /// For an attack of several stages: the one that reached the goal.
    pub stage: Option<String>,
    /// Of a randomised defence's answers to the attacked picture, the share that is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<f32>,
}

/// What one attack has done so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Entry {
    /// By the sample's number in the data set.
    pub fates: BTreeMap<usize, Fate>,
    /// The names of its stages, if it has any.
    pub stages: Vec<String>,
    /// What else it tells.
    pub notes: Vec<String>,
    /// What it has cost.
    pub cost: Cost,
}

impl Entry {
    /// Adds what came of the samples with these numbers; `truths`, where the answers are shares of a
    /// vote.
    pub fn add(
        &mut self,
        samples: impl Iterator<Item = usize>,
        verdict: Verdict,
        truths: Option<&[usize]>,
        stages: &[&str],
        cost: Cost,
    ) {
        let labels = verdict.scores.labels();
        for (row, sample) in samples.enumerate() {
            let fate = Fate {
                label: labels[row],
                success: verdict.success[row],
                reached: verdict.reached[row],
                distance: verdict.distance[row],
                queries: verdict.queries[row],
                stage: verdict.stages.get(row).copied().flatten().map(str::to_string),
                held: truths.map(|truths| verdict.scores.row(row)[truths[row]].exp()),
            };
            self.fates.insert(sample, fate);
        }
        if !stages.is_empty() {
            self.stages = stages.iter().map(|stage| stage.to_string()).collect();
        }
        self.notes.extend(verdict.notes);
        self.notes.sort();
        self.notes.dedup();
        self.cost.forward += cost.forward;
        self.cost.backward += cost.backward;
        self.cost.seconds += cost.seconds;
    }
}

/// The state file's content.
#[derive(Serialize, Deserialize)]
struct Page {
    evaluation: Value,
    attacks: Vec<Entry>,
}

/// What every attack of an evaluation has done so far.
pub(super) struct Ledger {
    /// One for each plan.
    pub entries: Vec<Entry>,
    state: Option<State>,
    evaluation: Value,
}

/// No state larger than this is read, in bytes.
const LARGEST: u64 = 1 << 30;

impl Ledger {
    /// Empty, or as the task's state file has it.
    ///
    /// # Errors
    /// Failure, where the file is damaged; usage, where it is another evaluation's.
    pub fn open(task: &Evaluation) -> Result<Self> {
        let entries = vec![Entry::default(); task.plans.len()];
        let state = task.state.clone();
        let mut ledger = Self { entries, evaluation: identity(task), state };
        let Some(State { path, .. }) = &ledger.state else { return Ok(ledger) };
        if !path.exists() {
            return Ok(ledger);
        }
        let bytes = read_bounded(path, "read the state", LARGEST)?;
        let page: Page = serde_json::from_slice(&bytes).map_err(|e| {
            let what = format!("not a state of an evaluation: {e}");
            Error::failure(what, path.display(), "remove it to begin anew")
        })?;
        same(&page.evaluation, &ledger.evaluation, path)?;
        if page.attacks.len() == ledger.entries.len() {
            ledger.entries = page.attacks;
        }
        Ok(ledger)
    }

    /// Whether one of the first `before` attacks has broken this sample.
    pub fn broken(&self, before: usize, sample: usize) -> bool {
        let fates = self.entries[..before].iter().filter_map(|entry| entry.fates.get(&sample));
        fates.into_iter().any(|fate| fate.success)
    }

    /// Writes the state file, whole or not at all; nothing where there is none.
    ///
    /// # Errors
    /// Failure, where it cannot be written.
    pub fn save(&self) -> Result<()> {
        let Some(State { path, .. }) = &self.state else { return Ok(()) };
        let page = Page { evaluation: self.evaluation.clone(), attacks: self.entries.clone() };
        let text = serde_json::to_vec(&page)
            .map_err(|e| Error::failure(format!("cannot write JSON: {e}"), path.display(), ""))?;
        atomically(path, |file| file.write_all(&text))
    }
}

/// Everything that the numbers depend on.
fn identity(task: &Evaluation) -> Value {
    let attack = |plan: &Plan| {
        json!({
            "attack": plan.attack.id,
            "norm": plan.norm,
            "epsilon": plan.epsilon,
            "target": plan.aim,
            "parameters": plan.resolved(),
            "seed": plan.seed,
        })
    };
    json!({
        "version": VERSION,
        "program": env!("CARGO_PKG_VERSION"),
        "model": task.model.card.name,
        "weights": task.state.as_ref().map(|state| &state.weights),
        "defence": task.defence.as_ref().map(|d| {
            let (stance, draws) = (d.stance, d.draws);
            json!({ "stack": d.pipeline.stack.text(), "stance": stance, "draws": draws })
        }),
        "dataset": task.dataset.id,
        "first": task.first,
        "n": task.range().len(),
        "batch_size": task.batch_size,
        "every": task.every,
        "device": task.device.kind,
        "attacks": task.plans.iter().map(attack).collect::<Vec<_>>(),
    })
}

/// Checks that the state found is this evaluation's.
fn same(found: &Value, wanted: &Value, path: &Path) -> Result<()> {
    // Numbers may change in the last place on their way through a file: ours go the same way.
    let text = wanted.to_string();
    let wanted = serde_json::from_str(&text).unwrap_or_default();
    match difference("", found, &wanted) {
        None => Ok(()),
        Some((what, found, wanted)) => Err(Error::usage(
            format!("the state is another evaluation's: its{what} is {found}, not {wanted}"),
            path.display(),
            "give the same flags, or another file",
        )),
    }
}

/// The first place where two values differ, and what stands there.
fn difference(place: &str, a: &Value, b: &Value) -> Option<(String, Value, Value)> {
    let nothing = &Value::Null;
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = b.keys().chain(a.keys());
            let mut found = keys.map(|key| {
                let [a, b] = [a, b].map(|map| map.get(key).unwrap_or(nothing));
                difference(&format!("{place} {key}"), a, b)
            });
            found.find_map(|found| found)
        }
        (Value::Array(a), Value::Array(b)) => (0..a.len().max(b.len())).find_map(|i| {
            let [a, b] = [a, b].map(|list| list.get(i).unwrap_or(nothing));
            difference(&format!("{place} [{i}]"), a, b)
        }),
        _ => (a != b).then(|| (place.to_string(), a.clone(), b.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let wanted = json!({ "n": 5, "attacks": [{ "epsilon": 0.1 }, { "epsilon": 0.3 }] });
        let check = |found: Value| same(&found, &wanted, Path::new("s.json"));
        assert!(check(wanted.clone()).is_ok());
        let found = json!({ "n": 5, "attacks": [{ "epsilon": 0.1 }, { "epsilon": 0.2 }] });
        let told = check(found).unwrap_err().to_string();
        assert!(told.contains("its attacks [1] epsilon is 0.2, not 0.3"), "{told}");
        assert!(check(json!({ "n": 5 })).unwrap_err().to_string().contains("attacks is null"));
        assert!(check(json!([])).is_err());
    }
}
