//! `transfer`: what is crafted on one model, tried on others.

use super::CommandContext;
use super::commands::TransferArgs;
use super::evaluate::percent;
use super::output::{Output, Style, note};
use super::{load, progress, resolve};
use crate::error::Result;
use crate::experiment::{self, Provenance, Transfer, TransferReport};
use crate::model::{self, Card};

/// Runs the command.
pub fn run(args: &TransferArgs, context: &mut CommandContext) -> Result<()> {
    let first = args.models.first().map(String::as_str);
    let (_, dataset) = resolve::whole(first, args.dataset.as_deref(), &context.config)?;
    let names: Vec<String> = match args.models.as_slice() {
        [] => {
            // All that were ever trained for it would be too many to read.
            let usual = |c: &Card| matches!(c.defence.as_deref(), None | Some("pgd-at"));
            let fits = |c: &Card| c.data == dataset.id && usual(c);
            let built_in = model::catalogue().into_iter().filter(fits);
            built_in.map(|card| card.name).collect()
        }
        some => some.to_vec(),
    };
    let n = resolve::count(args.n, 0, &dataset)?;
    let chosen = context.device();
    let models = names.iter().map(|name| load(name, &chosen.device));
    let models = models.collect::<Result<Vec<_>>>()?;
    let seed = context.config.seed;
    let labels = models.first().map(|model| model.labels.clone()).unwrap_or_default();
    let plan = resolve::plan(&args.method, &dataset.id, &labels, seed)?;
    let batch_size = args.batch_size as usize;
    let task = Transfer { models, dataset, n, plan, batch_size, device: chosen.info };
    let bar = progress::bar(0, "samples");
    let report = experiment::transfer(&task, &mut progress::follow(&bar))?;
    bar.finish_and_clear();
    report.hints.iter().for_each(|hint| note(hint));
    match args.list.json {
        true => {
            let provenance = Provenance::new(task.sources(), &report.device, report.seed);
            context.out.json(&provenance.beside(&report))
        }
        false => print(&report, &task, &mut context.out),
    }
}

fn print(report: &TransferReport, task: &Transfer, out: &mut Output) -> Result<()> {
    let mut rows = vec![vec!["crafted on".to_string()]];
    rows[0].extend(report.models.iter().map(|name| format!("→ {name}")));
    for (name, cells) in report.models.iter().zip(&report.success) {
        let mut row = vec![name.clone()];
        row.extend(cells.iter().map(|cell| {
            let [low, high] = cell.interval.map(|end| format!("{:.0}", end * 100.0));
            format!("{} ({low}…{high}, n={})", percent(cell.value), cell.n)
        }));
        rows.push(row);
    }
    out.table(&rows)?;
    out.line("success rate with 95 % interval, on the samples that both models answer rightly")?;
    if report.left_out > 0 {
        let left = report.left_out;
        out.line(&format!("{left} samples are of the target class already: left out"))?;
    }
    let values = task.models[0].card.input.shape.iter().product();
    out.line(&out.paint(
        Style::Faint,
        &format!(
            "{}  on {} n={}  {} {}  {:.1} s",
            resolve::describe(&task.plan, values),
            report.dataset,
            report.n,
            report.device.kind,
            report.device.name,
            report.cost.seconds
        ),
    ))
}
