//! `evaluate`: clean and robust accuracy over many samples.

use super::Context;
use super::args::EvaluateArgs;
use super::output::Style;
use super::{plan, progress};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::{self, Evaluation, EvaluationReport};
use crate::model::{self, Model};

/// So many samples where nobody says otherwise: an interval of about ±7 points.
const DEFAULT_N: usize = 200;

/// Runs the command.
pub fn run(args: &EvaluateArgs, context: &mut Context) -> Result<()> {
    let pick = super::args::Pick { dataset: args.dataset.clone(), ..Default::default() };
    let name = plan::model_name(args.model.as_deref(), &pick, &context.config);
    let (card, _) = model::find_card(&name)?;
    let dataset = Dataset::load(plan::dataset_id(args.dataset.as_deref(), &card)?)?;
    let n = args.n.unwrap_or(DEFAULT_N.min(dataset.len()));
    if n == 0 || n > dataset.len() {
        return Err(Error::usage(
            format!("'{}' has {} samples, not {n}", dataset.id, dataset.len()),
            "--n",
            format!("give 1..{}", dataset.len()),
        ));
    }
    let chosen = context.device();
    let model = Model::load(&name, &chosen.device)?;
    let plan = plan::command(&args.method, &dataset.id, &model, context.config.seed)?;
    let batch_size = args.batch_size as usize;
    let evaluation = Evaluation { model, dataset, n, plan, batch_size, device: chosen.info };
    let bar = progress::bar(n as u64, "samples");
    let report = experiment::evaluate(&evaluation, &mut progress::follow(&bar))?;
    bar.finish_and_clear();
    match args.list.json {
        true => context.out.json(&report),
        false => print(&report, context),
    }
}

fn print(report: &EvaluationReport, context: &mut Context) -> Result<()> {
    let out = &mut context.out;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let between = |[low, high]: [f64; 2]| format!("{} … {}", percent(low), percent(high));
    let rows = [
        ["accuracy", "share", "95 % interval"].map(str::to_string).to_vec(),
        vec!["clean".into(), percent(report.clean_accuracy), between(report.clean_interval)],
        vec!["robust".into(), percent(report.robust_accuracy), between(report.interval)],
    ];
    out.table(&rows)?;
    out.line("robust against this one attack: an upper bound, which a stronger attack may lower")?;
    let eps = experiment::epsilon_text(report.epsilon);
    out.line(&out.paint(
        Style::Faint,
        &format!(
            "{} on {} n={}: {} {} ε = {eps}  {}  seed {}  {} {}  {:.1} s",
            report.model,
            report.dataset,
            report.n,
            report.attack,
            report.norm,
            report.parameters,
            report.seed,
            report.device.kind,
            report.device.name,
            report.cost.seconds
        ),
    ))
}
