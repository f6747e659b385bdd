//! `models NAME`: the layers of a network, what each costs, and which engine runs them.

use super::CommandContext;
use super::args::ListArgs;
use super::output::Style;
use crate::error::Result;
use crate::experiment::VERSION;
use crate::model::Model;
use burn_tensor::Device;
use serde_json::json;

/// Lists the layers of the model `name`.
pub fn run(name: &str, list: &ListArgs, context: &mut CommandContext) -> Result<()> {
    let model = Model::load(name, &Device::flex())?;
    let layers = model.card.layer_summaries()?;
    let off = model.network.off_cpu_engine();
    let engine = if off.is_some() { "burn" } else { "cpu" };
    let parameters = model.parameters();
    let macs = layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.macs));
    if list.json {
        return context.out.json(&json!({
            "version": VERSION,
            "model": model.card,
            "engine": engine,
            "off_cpu_engine": off,
            "parameters": parameters,
            "macs": macs,
            "layers": layers,
        }));
    }
    let out = &mut context.out;
    let head = out.paint(Style::Strong, model.card.shown());
    out.line(&format!("{head} ({name})\n"))?;
    let cells = ["layer", "op", "tensors", "output", "parameters", "MACs"];
    let mut rows = vec![cells.map(String::from).to_vec()];
    rows.extend(layers.iter().map(|layer| {
        let output: Vec<String> = layer.output.iter().map(usize::to_string).collect();
        let count = |n: u64| if n == 0 { "—".to_string() } else { n.to_string() };
        vec![
            layer.place.clone(),
            layer.op.to_string(),
            layer.param.clone(),
            output.join("×"),
            count(layer.parameters),
            count(layer.macs),
        ]
    }));
    out.table(&rows)?;
    let engine = match off {
        Some(why) => format!("burn, because {why}"),
        None => "the CPU engine".into(),
    };
    out.line(&format!(
        "\n{parameters} parameters, {macs} multiply-accumulate operations an image\non the CPU it is run by {engine}"
    ))
}
