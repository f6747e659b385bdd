//! The state of an evaluation: the outcome of each attack on each sample so far, in memory and in
//! the file of `--state`, from which an interrupted evaluation goes on.

use crate::attack::{AttackConfig, JudgedOutput, Note};
use crate::data::{FileLock, read_bounded, sha256, write_atomically};
use crate::error::{Error, Result};
use crate::experiment::evaluation::Evaluation;
use crate::experiment::provenance::Sources;
use crate::experiment::types::{AttackCost, class, read_class};
use crate::model::ModelIdentity;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The outcome of one attack on one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleOutcome {
    /// The prediction for the adversarial image; `null` where the network gives no number.
    #[serde(serialize_with = "class", deserialize_with = "read_class")]
    pub label: usize,
    /// Whether the goal was reached within what bounds the attack, and within ε.
    pub success: bool,
    /// Whether the goal was reached, however far away.
    pub reached: bool,
    /// How far the image went, in the attack's norm.
    pub distance: f32,
    /// How many queries $1 made about it.
    pub queries: u64,
    /// For an attack of several stages: the one that reached the goal.
    pub stage: Option<String>,
    /// Of a randomised defence's predictions to the adversarial image, the share that is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<f32>,
    /// Whether the goal was not reached, and at least every other gradient that the attack saw was
    /// zero or not a number, so that the image stood still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stood: bool,
    /// Whether the goal was not reached, and nearly all values of the gradients that the attack saw
    /// were zero or next to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub faint: bool,
}

/// The outcomes of one attack so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct AttackState {
    /// By the sample's number in the data set.
    pub fates: BTreeMap<usize, SampleOutcome>,
    /// The names of its stages, if it has any.
    pub stages: Vec<String>,
    /// Notes of the attack, counted over the samples so far.
    pub notes: Vec<Note>,
    /// How many predictions during the attack had a logit that is infinite or not a number.
    #[serde(default)]
    pub non_finite: u64,
    /// What it has cost.
    pub cost: AttackCost,
}

impl AttackState {
    /// Adds the result of the samples with these numbers; `truths`, where the answers are shares of
    /// a vote.
    pub fn add(
        &mut self,
        samples: impl Iterator<Item = usize>,
        verdict: JudgedOutput,
        truths: Option<&[usize]>,
        stages: &[&str],
        cost: AttackCost,
    ) {
        let labels = verdict.logits.labels();
        for (row, sample) in samples.enumerate() {
            let fate = SampleOutcome {
                label: labels[row],
                success: verdict.success[row],
                reached: verdict.reached[row],
                distance: verdict.distance[row],
                queries: verdict.queries[row],
                stage: verdict.stages.get(row).copied().flatten().map(str::to_string),
                stood: verdict.stalled(row),
                faint: !verdict.reached[row] && verdict.gradient_stats[row].mostly_zero(),
                held: truths.map(|truths| verdict.logits.row(row)[truths[row]].exp()),
            };
            self.fates.insert(sample, fate);
        }
        if !stages.is_empty() {
            self.stages = stages.iter().map(std::string::ToString::to_string).collect();
        }
        Note::add_up(&mut self.notes, verdict.notes);
        self.cost.forward += cost.forward;
        self.cost.backward += cost.backward;
        self.cost.seconds += cost.seconds;
    }
}

impl AttackState {
    /// A note where gradients of zero or not a number left images unchanged.
    pub fn standstill(&self) -> Option<String> {
        let stood = self.fates.values().filter(|fate| fate.stood).count();
        let n = self.fates.len();
        let told = || {
            format!(
                "{stood} of {n} pictures stood still: their gradients were zero or not a number"
            )
        };
        (stood > 0).then(told)
    }
}

/// The state file's content, behind its checksum.
#[derive(Serialize, Deserialize)]
struct StateFile {
    evaluation: Value,
    attacks: Vec<AttackState>,
}

/// Version of the state file's layout.
const FORMAT: u32 = 2;

/// No state is larger than this.
const MOST: u64 = 256 << 20;

/// The outcomes of all attacks of an evaluation so far.
pub(super) struct EvaluationState {
    /// One for each plan.
    pub entries: Vec<AttackState>,
    state: Option<(PathBuf, FileLock)>,
    evaluation: Value,
}

impl EvaluationState {
    /// Empty, or as the task's state file has it; that belongs to this ledger alone as long as it
    /// lives.
    ///
    /// # Errors
    /// Failure, where the file is damaged or another run is at work on it; usage, where it is
    /// another evaluation's.
    pub fn open(task: &Evaluation) -> Result<Self> {
        let mut entries = vec![AttackState::default(); task.plans.len()];
        let Some(path) = &task.state else {
            return Ok(Self { entries, state: None, evaluation: Value::Null });
        };
        plain(path)?;
        let lock = FileLock::take(path)?;
        let evaluation = identity(task);
        if path.exists() {
            let page = read(path)?;
            same(&page.evaluation, &evaluation, path)?;
            if page.attacks.len() != entries.len() {
                return Err(damaged("the state does not hold every attack", path));
            }
            entries = page.attacks;
        }
        Ok(Self { entries, state: Some((path.clone(), lock)), evaluation })
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
        let Some((path, _)) = &self.state else { return Ok(()) };
        let page = StateFile { evaluation: self.evaluation.clone(), attacks: self.entries.clone() };
        let text = serde_json::to_vec(&page)
            .map_err(|e| Error::failure(format!("cannot write JSON: {e}"), path.display(), ""))?;
        write_atomically(path, |file| file.write_all(&sealed(&text)))
    }
}

/// What a sealed object begins with; the checksum and the rest of the object follow.
const SEAL: &[u8] = b"{\"sha256\":\"";
/// The bytes between the checksum and the rest.
const SEAM: &[u8] = b"\",";
/// Digits of the checksum.
const DIGITS: usize = 64;

/// A JSON object with the SHA-256 of all that follows as its first field: no bit of the text can
/// change without being noticed.
fn sealed(object: &[u8]) -> Vec<u8> {
    let rest = &object[1..];
    [SEAL, sha256(rest).as_bytes(), SEAM, rest].concat()
}

/// Whether it is as [`sealed`] made it.
fn is_whole(text: &[u8]) -> bool {
    let parts = text.strip_prefix(SEAL).and_then(|text| text.split_at_checked(DIGITS));
    let parts = parts.and_then(|(sum, rest)| Some((sum, rest.strip_prefix(SEAM)?)));
    parts.is_some_and(|(sum, rest)| sha256(rest).as_bytes() == sum)
}

/// Checks that a state can be at this path: not in a pipe or on a device.
fn plain(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let what = "the state is not a plain file";
            Err(Error::file(what, path.display(), "name a file, or one that is not there yet"))
        }
        _ => Ok(()),
    }
}

/// Reads a state file.
fn read(path: &Path) -> Result<StateFile> {
    parse(&read_bounded(path, "read the state", MOST)?, path)
}

/// What a state file holds; `path` is named in errors.
fn parse(text: &[u8], path: &Path) -> Result<StateFile> {
    if !is_whole(text) {
        return Err(match text.starts_with(b"{\"evaluation\":") {
            true => damaged("the state has no checksum: an older version wrote it", path),
            false => damaged("the state is damaged: its checksum is not that of its content", path),
        });
    }
    let bad = |e: serde_json::Error| damaged(format!("not a state of an evaluation: {e}"), path);
    serde_json::from_slice(text).map_err(bad)
}

/// A state that is of no use.
fn damaged(what: impl std::fmt::Display, path: &Path) -> Error {
    Error::file(what, path.display(), "remove it to begin anew, or restore a copy of it")
}

/// Everything that the numbers depend on.
fn identity(task: &Evaluation) -> Value {
    let attack = |plan: &AttackConfig| {
        json!({
            "attack": plan.attack.id,
            "norm": plan.norm,
            "epsilon": plan.epsilon,
            "target": plan.target,
            "parameters": plan.resolved(),
            "seed": plan.seed,
        })
    };
    let Sources { models, datasets } = task.sources();
    json!({
        "state": FORMAT,
        "program": env!("CARGO_PKG_VERSION"),
        "models": models,
        "datasets": datasets,
        "defence": task.defence.as_ref().map(|d| {
            let (stance, draws) = (d.stance, d.draws);
            json!({ "stack": d.pipeline.stack.text(), "stance": stance, "draws": draws })
        }),
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
    let other = |what: String, remedy: &str| {
        let what = format!("the state is another evaluation's: {what}");
        Err(Error::usage(what, path.display(), remedy))
    };
    match (changed(found, &wanted), difference("", found, &wanted)) {
        (Some(what), _) => other(what, "bring back the old one, or name another file"),
        (None, Some((what, found, wanted))) => {
            let what = format!("its{what} is {found}, not {wanted}");
            other(what, "give the same flags, or another file")
        }
        (None, None) => Ok(()),
    }
}

/// Of networks of the same names, the first that is no longer the same, and what of it has changed.
fn changed(found: &Value, wanted: &Value) -> Option<String> {
    let models = |value: &Value| -> Option<Vec<ModelIdentity>> {
        serde_json::from_value(value.get("models")?.clone()).ok()
    };
    let (found, wanted) = (models(found)?, models(wanted)?);
    let pairs = found.iter().zip(&wanted).take_while(|(found, wanted)| found.name == wanted.name);
    let (found, wanted) = pairs.into_iter().find(|(found, wanted)| found != wanted)?;
    let what = match found.card_sha256 != wanted.card_sha256 {
        true => "card",
        false => "weights",
    };
    Some(format!("the {what} of '{}' changed since", wanted.name))
}

/// The first place where two values differ, and both values there.
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

    #[test]
    fn what_changed_of_a_network_is_named() {
        let of = |card: &str, weights: &str| {
            let model = json!({ "name": "base", "card_sha256": card, "weights_sha256": weights });
            json!({ "models": [model] })
        };
        let wanted = of("a", "b");
        let told = |found: Value| {
            same(&found, &wanted, Path::new("s.json")).map_err(|error| error.to_string())
        };
        assert!(told(wanted.clone()).is_ok());
        assert!(told(of("c", "b")).unwrap_err().contains("the card of 'base' changed"));
        assert!(told(of("a", "c")).unwrap_err().contains("the weights of 'base' changed"));
        assert!(told(json!({})).unwrap_err().contains("models is null"));
    }

    #[test]
    fn no_bit_of_a_state_changes_unnoticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.json");
        let page =
            StateFile { evaluation: json!({ "n": 3 }), attacks: vec![AttackState::default()] };
        let text = sealed(&serde_json::to_vec(&page).unwrap());
        let told = |text: &[u8]| parse(text, &path).err().map(|error| error.to_string());
        assert_eq!(told(&text), None);
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let told = told(&flipped).unwrap_or_default();
            assert!(told.contains("damaged") && told.contains("remove it"), "bit {bit}: {told}");
        }
        for length in 0..text.len() {
            assert!(told(&text[..length]).is_some(), "{length}");
        }
        assert!(told(&[&text[..], b"\n"].concat()).is_some());
        let old = serde_json::to_vec(&page).unwrap();
        assert!(told(&old).unwrap().contains("older version"));
        assert!(plain(folder.path()).is_err());
    }
}
