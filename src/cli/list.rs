//! The lists: models, data sets and samples, attacks, defences, devices.

use super::CommandContext;
use super::args::ListArgs;
use super::output::Style;
use crate::attack::{self, ATTACKS, AttackSpec, Bound, Knowledge};
use crate::data::{DATASETS, Dataset};
use crate::defence::{BackwardRule, DEFENCES, DefenceConfig, DefenceSpec};
use crate::engine::{self, DeviceChoice};
use crate::error::Result;
use crate::experiment::VERSION;
use crate::model::{self, Card};
use crate::parameter::Param;
use serde_json::{Value, json};

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_string).to_vec()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `models`
pub fn models(list: &ListArgs, context: &mut CommandContext) -> Result<()> {
    let cards = model::catalogue();
    if list.json {
        return context.out.json(&json!({ "version": VERSION, "models": cards }));
    }
    let mut rows = vec![row(["model", "data", "input", "classes", "clean", "robust", "title"])];
    rows.extend(cards.iter().map(model_row));
    context.out.table(&rows)
}

fn model_row(card: &Card) -> Vec<String> {
    let [c, h, w] = card.input.shape;
    let accuracy = card.accuracy.as_ref();
    let clean =
        accuracy.map_or("—".into(), |a| format!("{} (n={})", percent(a.clean), a.clean_n));
    let robust = accuracy.and_then(|a| a.robust.first()).map_or("—".into(), |r| {
        let share = percent(r.accuracy);
        format!("{share} ({} {} ε={} n={})", r.attack, r.norm, r.epsilon, r.n)
    });
    vec![
        card.name.clone(),
        card.data.clone(),
        format!("{c}×{h}×{w}"),
        card.num_classes.to_string(),
        clean,
        robust,
        card.shown().to_string(),
    ]
}

/// `samples`
pub fn samples(dataset: Option<&str>, list: &ListArgs, context: &mut CommandContext) -> Result<()> {
    let Some(id) = dataset else {
        if list.json {
            let sets: Vec<Value> = DATASETS
                .iter()
                .map(|d| json!({ "id": d.id, "title": d.title, "n": d.len, "about": d.about }))
                .collect();
            return context.out.json(&json!({ "version": VERSION, "datasets": sets }));
        }
        let mut rows = vec![row(["data set", "samples", "what it is"])];
        rows.extend(DATASETS.iter().map(|d| row([d.id, &d.len.to_string(), d.about])));
        return context.out.table(&rows);
    };
    let data = Dataset::load(id)?;
    let class = |index: usize| {
        let label = data.label(index);
        (label, label.and_then(|label| data.labels.get(label)).map_or("", String::as_str))
    };
    if list.json {
        let samples: Vec<Value> = (0..data.len())
            .map(|index| {
                let (label, name) = class(index);
                json!({ "index": index, "label": label, "label_name": name })
            })
            .collect();
        let object = json!({ "version": VERSION, "dataset": data.id, "samples": samples });
        return context.out.json(&object);
    }
    let mut rows = vec![row(["sample", "label", "class"])];
    rows.extend((0..data.len()).map(|index| {
        let (label, name) = class(index);
        row([&index.to_string(), &label.map_or("—".into(), |label| label.to_string()), name])
    }));
    context.out.table(&rows)
}

/// `attacks`
pub fn attacks(id: Option<&str>, list: &ListArgs, context: &mut CommandContext) -> Result<()> {
    let wanted: Vec<&AttackSpec> = match id {
        Some(id) => vec![attack::find(id)?],
        None => ATTACKS.iter().collect(),
    };
    if list.json {
        let rows: Vec<Value> = wanted.iter().map(|attack| attack_json(attack)).collect();
        return context.out.json(&json!({ "version": VERSION, "attacks": rows }));
    }
    if let (Some(_), [attack]) = (id, wanted.as_slice()) {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_string();
        let facts = [
            ("family", attack.family.to_string()),
            ("knowledge", attack.knowledge().to_string()),
            ("norms", norms(attack)),
            ("bounded by", extent(attack).to_string()),
            ("targeted", yes(attack.targeted)),
            ("random", yes(attack.random)),
            ("paper", attack.paper.to_string()),
        ];
        let head = (attack.id, attack.name, attack.summary, attack.about);
        return explain(head, &facts, attack.params, "--set NAME=VALUE", context);
    }
    for (at, knowledge) in KNOWLEDGE.iter().enumerate() {
        let group: Vec<_> = wanted.iter().filter(|a| a.knowledge() == *knowledge).collect();
        if group.is_empty() {
            continue;
        }
        let out = &mut context.out;
        let gap = if at > 0 { "\n" } else { "" };
        out.line(&format!("{gap}{}", out.paint(Style::Strong, &knowledge.to_string())))?;
        let mut rows = vec![row(["attack", "family", "norms", "what it does"])];
        rows.extend(group.iter().map(|a| row([a.id, a.family, &norms(a), a.summary])));
        out.table(&rows)?;
    }
    context.out.line("\n`epsiloscope attacks ID` explains one")
}

/// What the attacks are grouped by, most knowledge first.
const KNOWLEDGE: [Knowledge; 3] = [Knowledge::Gradient, Knowledge::Score, Knowledge::Decision];

fn extent(attack: &AttackSpec) -> &'static str {
    match attack.bound {
        Bound::FixedEpsilon => "ε",
        Bound::MinimumNorm => "nothing: it looks for the least perturbation",
        Bound::Own => "its own parameters",
    }
}

fn norms(attack: &AttackSpec) -> String {
    let ids: Vec<_> = attack.norms.iter().map(|norm| norm.id()).collect();
    ids.join(", ")
}

fn attack_json(attack: &AttackSpec) -> Value {
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

/// `defences`
pub fn defences(id: Option<&str>, list: &ListArgs, context: &mut CommandContext) -> Result<()> {
    let wanted: Vec<&DefenceSpec> = match id {
        Some(id) => vec![DefenceConfig::parse(id)?.defence],
        None => DEFENCES.iter().collect(),
    };
    if list.json {
        let rows: Vec<Value> = wanted.iter().map(|defence| defence_json(defence)).collect();
        return context.out.json(&json!({ "version": VERSION, "defences": rows }));
    }
    if let (Some(_), [defence]) = (id, wanted.as_slice()) {
        let facts = [
            ("family", defence.family.to_string()),
            ("gradient", passage(defence).to_string()),
            ("randomised", if defence.randomised { "yes" } else { "no" }.to_string()),
            ("networks", networks(defence)),
            ("paper", defence.paper.to_string()),
        ];
        let head = (defence.id, defence.name, defence.summary, defence.about);
        let usage = "--defence ID:VALUE, or ID:NAME=VALUE";
        return explain(head, &facts, defence.params, usage, context);
    }
    let mut families: Vec<&str> = wanted.iter().map(|defence| defence.family).collect();
    families.dedup();
    for (at, family) in families.into_iter().enumerate() {
        let out = &mut context.out;
        let gap = if at > 0 { "\n" } else { "" };
        out.line(&format!("{gap}{}", out.paint(Style::Strong, family)))?;
        let mut rows = vec![row(["defence", "gradient", "random", "what it does"])];
        let random = |d: &DefenceSpec| if d.randomised { "yes" } else { "" };
        let group = wanted.iter().filter(|d| d.family == family);
        rows.extend(group.map(|d| row([d.id, passage(d), random(d), d.summary])));
        out.table(&rows)?;
    }
    context
        .out
        .line("\n`epsiloscope defences ID` explains one; stack them by +: jpeg:75+bits:5+pgd-at")
}

/// The built-in networks that were trained like this, and what is known of them.
fn networks(defence: &DefenceSpec) -> String {
    let trained = |card: &Card| card.defence.as_deref() == Some(defence.id);
    let one = |card: Card| {
        let clean = card.accuracy.as_ref().map(|a| format!("{} clean", percent(a.clean)));
        let bound = card.training.get("lipschitz_bound").and_then(toml::Value::as_float);
        let bound = bound.map(|bound| format!("Lipschitz bound {bound:.1}"));
        let known: Vec<String> = clean.into_iter().chain(bound).collect();
        format!("{} ({})", card.name, known.join(", "))
    };
    let found = model::catalogue().into_iter().filter(trained).map(one);
    found.collect::<Vec<_>>().join(", ")
}

fn passage(defence: &DefenceSpec) -> &'static str {
    match defence.backward {
        BackwardRule::Exact => "exact",
        BackwardRule::StraightThrough => "straight-through",
    }
}

fn defence_json(defence: &DefenceSpec) -> Value {
    json!({
        "id": defence.id,
        "name": defence.name,
        "family": defence.family,
        "gradient": passage(defence),
        "randomised": defence.randomised,
        "parameters": parameters(defence.params),
        "summary": defence.summary,
        "about": defence.about,
        "paper": defence.paper,
    })
}

fn parameters(params: &[Param]) -> Vec<Value> {
    let one = |p: &Param| json!({ "id": p.id, "default": p.default(), "allowed": p.allowed(), "help": p.help });
    params.iter().map(one).collect()
}

/// One attack or defence with everything its row says.
fn explain(
    (id, name, summary, about): (&str, &str, &str, &str),
    facts: &[(&str, String)],
    params: &[Param],
    usage: &str,
    context: &mut CommandContext,
) -> Result<()> {
    let out = &mut context.out;
    let head = out.paint(Style::Strong, &format!("{name} ({id})"));
    out.line(&format!("{head}: {summary}\n\n{}\n", wrap(about, 88)))?;
    for (key, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        out.line(&format!("{key:<11} {value}"))?;
    }
    if params.is_empty() {
        return Ok(());
    }
    out.line(&format!("\nParameters ({usage}):"))?;
    let mut rows = vec![row(["name", "default", "allowed", "meaning"])];
    rows.extend(params.iter().map(|p| row([p.id, &p.default().to_string(), &p.allowed(), p.help])));
    out.table(&rows)
}

/// Breaks a paragraph into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let used = lines[last].chars().count();
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(word.to_string());
        } else {
            let gap = if used > 0 { " " } else { "" };
            lines[last].push_str(&format!("{gap}{word}"));
        }
    }
    lines.join("\n")
}

/// `devices`
pub fn devices(list: &ListArgs, context: &mut CommandContext) -> Result<()> {
    let (auto, cpu, adapters) = context.quietly(|| {
        (engine::choose(DeviceChoice::Auto), engine::choose(DeviceChoice::Cpu), engine::adapters())
    });
    if list.json {
        let mut found: Vec<Value> = adapters
            .iter()
            .map(|a| {
                json!({
                    "device": "wgpu", "name": a.name, "backend": a.backend,
                    "type": a.kind, "driver": a.driver, "hardware": a.hardware,
                })
            })
            .collect();
        found.push(json!({ "device": "cpu", "name": cpu.info.name }));
        let object = json!({ "version": VERSION, "auto": auto.info, "devices": found });
        return context.out.json(&object);
    }
    let mut rows = vec![row(["device", "name", "type", "backend", "driver"])];
    rows.extend(adapters.iter().map(|a| row(["wgpu", &a.name, &a.kind, &a.backend, &a.driver])));
    rows.push(row(["cpu", &cpu.info.name, "CPU"]));
    context.out.table(&rows)?;
    if adapters.is_empty() {
        context.out.line("\nNo adapter for wgpu was found (no GPU, or no Vulkan driver).")?;
    }
    let why = auto.note.map_or(String::new(), |note| format!(" ({note})"));
    context.out.line(&format!("\n--device auto takes {}: {}{why}", auto.info.kind, auto.info.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_between_words() {
        assert_eq!(wrap("one two  three", 7), "one two\nthree");
        assert_eq!(wrap("", 7), "");
        assert_eq!(wrap("extraordinary", 7), "extraordinary");
    }
}
