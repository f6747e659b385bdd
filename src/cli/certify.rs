//! `certify`: what randomised smoothing proves, beside what an attack finds.

use super::CommandContext;
use super::args::AttackMethodArgs;
use super::commands::CertifyArgs;
use super::evaluate::{between, percent};
use super::output::{Output, Style};
use super::resolve::ModelLoader;
use super::{load, progress, resolve};
use crate::attack::Flow;
use crate::defence::{DefenceStack, Pipeline};
use crate::error::{Error, Result};
use crate::experiment::{self, Certification, CertifyReport, EvaluationStatus, Provenance};
use std::sync::Arc;

/// Runs the command.
pub fn run(args: &CertifyArgs, context: &mut CommandContext) -> Result<()> {
    if !(args.alpha > 0.0 && args.alpha < 0.5) {
        let what = format!("bad value '{}'", args.alpha);
        return Err(Error::usage(what, "--alpha", "give a number between 0 and 0.5"));
    }
    // So many votes decide whether the attack has changed the prediction.
    let stack =
        DefenceStack::parse(&format!("smoothing:sigma={}:alpha={}", args.sigma, args.alpha))
            .map_err(|error| Error { place: "--sigma".into(), ..error })?;
    let (given, config) = (args.dataset.as_deref(), &context.config);
    let (name, dataset) = resolve::whole(args.model.as_deref(), given, config)?;
    let samples = resolve::count(Some(args.n_samples), args.sample, &dataset)?;
    let chosen = context.device();
    let model = load(&name, &chosen.device)?;
    let seed = context.config.seed;
    let mut method = AttackMethodArgs { attack: Some(args.attack.clone()), ..Default::default() };
    method.manner.norm = Some("l2".into());
    let plan = resolve::plan(&method, &dataset.id, &model.labels, seed)?;
    let pipeline = Pipeline::build(&stack, model.clone(), seed, &mut ModelLoader::new(&chosen))?;
    let task = Certification {
        model,
        pipeline: Arc::new(pipeline),
        dataset,
        first: args.sample,
        samples,
        n0: args.n0.into(),
        n: args.n.into(),
        alpha: args.alpha,
        plan,
        draws: args.eot.into(),
        device: chosen.info,
    };
    let bar = progress::TimedBar::new();
    let report = experiment::certify_dataset(&task, &mut |status: &EvaluationStatus| {
        bar.set(status.done, status.total, status.left);
        bar.message(status.attack.map_or("certifying".into(), |attack| {
            format!("{attack}, {} still right", status.robust)
        }));
        Flow::Continue
    })?;
    bar.clear();
    match args.list.json {
        true => {
            let provenance = Provenance::new(task.sources(), &report.device, report.seed);
            context.out.json(&provenance.beside(&report))
        }
        false => print(&report, &task, &mut context.out),
    }
}

fn print(report: &CertifyReport, task: &Certification, out: &mut Output) -> Result<()> {
    let class = |label: usize| task.model.labels.get(label).map_or("", String::as_str).to_string();
    let head = ["sample", "truth", "answer", "votes", "p ≥", "certified L2", "broken at L2"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    let most = report.tried.last().copied().unwrap_or_default();
    for row in &report.rows {
        let c = row.certificate;
        let right = c.label == Some(row.truth);
        rows.push(vec![
            format!("{} #{}", report.dataset, row.index),
            class(row.truth),
            c.label.map_or("abstains".into(), class),
            format!("{} of {}", c.hits, c.n),
            format!("{:.4}", c.least),
            format!("{:.3}", c.radius),
            match row.broken_at {
                Some(epsilon) => format!("{epsilon}"),
                None if right => format!("not up to {most}"),
                None => "–".into(),
            },
        ]);
    }
    out.table(&rows)?;
    if report.rows.len() > 1 {
        let head = ["within L2", "certified", "95 % interval", "not broken", "95 % interval"];
        let mut rows = vec![head.map(str::to_string).to_vec()];
        let shares = |radius: String, a: experiment::Share, b: experiment::Share| {
            let cells = [percent(a.value), between(a.interval), percent(b.value)];
            let [a, b, c] = cells;
            vec![radius, a, b, c]
        };
        for within in &report.within {
            let mut row = shares(within.radius.to_string(), within.certified, within.empirical);
            row.push(between(within.empirical.interval));
            rows.push(row);
        }
        out.line("")?;
        out.table(&rows)?;
        out.line(&format!(
            "right while clean {} ({}), abstains {}",
            percent(report.clean.value),
            between(report.clean.interval),
            percent(report.abstained.value)
        ))?;
    }
    let text = format!(
        "{} answers, {}, certified by n = {} (n₀ = {}) at α = {}; {} {} with EOT over {} draws, judged by \
         the vote; seed {}, n={}  {} {}  {:.1} s",
        report.network,
        report.defence,
        report.n,
        report.n0,
        report.alpha,
        report.attack,
        report.parameters,
        report.draws,
        report.seed,
        report.rows.len(),
        report.device.kind,
        report.device.name,
        report.cost.seconds
    );
    out.line(&out.paint(Style::Faint, &text))
}
