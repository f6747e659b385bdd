//! The rows of the registries as JSON objects: what the lists print with `--json`.

use crate::attack::AttackSpec;
use crate::dashboard::KeyRow;
use crate::defence::DefenceSpec;
use crate::experiment::LessonSpec;
use crate::metrics::checks::Check;
use crate::parameter::Param;
use serde_json::{Value, json};

pub fn attack_json(attack: &AttackSpec) -> Value {
    json!({
        "id": attack.id,
        "name": attack.name,
        "family": attack.family,
        "knowledge": attack.knowledge(),
        "extent": attack.bound,
        "norms": attack.norms,
        "targeted": attack.targeted,
        "random": attack.random,
        "crowd": attack.universal,
        "parameters": parameters(attack.params),
        "summary": attack.summary,
        "about": attack.about,
        "paper": attack.paper,
    })
}

pub fn defence_json(defence: &DefenceSpec, gradient: &str) -> Value {
    json!({
        "id": defence.id,
        "name": defence.name,
        "family": defence.family,
        "gradient": gradient,
        "randomised": defence.randomised,
        "parameters": parameters(defence.params),
        "summary": defence.summary,
        "about": defence.about,
        "paper": defence.paper,
    })
}

pub fn check_json(check: &Check) -> Value {
    json!({
        "id": check.id,
        "name": check.name,
        "looks_for": check.watches,
        "rule": check.rule,
        "helps": check.remedy,
        "queries_model": check.probe.is_some(),
        "source": check.source,
    })
}

pub fn lesson_json(lesson: &LessonSpec) -> Value {
    json!({
        "id": lesson.id,
        "title": lesson.title,
        "about": lesson.about,
        "paper": lesson.paper,
        "claim": lesson.claim,
    })
}

pub fn key_json(row: &KeyRow) -> Value {
    json!({ "group": row.group, "keys": row.keys, "action": row.action, "place": row.place })
}

fn parameters(params: &[Param]) -> Vec<Value> {
    let one = |p: &Param| json!({ "id": p.id, "default": p.default(), "allowed": p.allowed(), "help": p.help });
    params.iter().map(one).collect()
}
