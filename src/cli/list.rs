//! The lists of what is at hand: models, data sets and their samples, devices.

use super::CommandContext;
use super::args::ListArgs;
use crate::data::{DATASETS, Dataset};
use crate::engine::{self, DeviceChoice};
use crate::error::Result;
use crate::experiment::VERSION;
use crate::model::{self, Card};
use crate::printable::percent;
use serde_json::{Value, json};

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_string).to_vec()
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
        accuracy.map_or("—".into(), |a| format!("{} (n={})", percent(a.clean, 1), a.clean_n));
    let robust = accuracy.and_then(|a| a.robust.first()).map_or("—".into(), |r| {
        let share = percent(r.accuracy, 1);
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
