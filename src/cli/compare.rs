//! `compare`: defences × attacks.

use super::CommandContext;
use super::commands::CompareArgs;
use super::output::{Output, Style, note};
use super::resolve::{self, ModelLoader};
use super::{load, progress};
use crate::attack::{AttackConfig, Flow, Norm};
use crate::data::{Dataset, Sample, write_atomically};
use crate::defence::{DefenceStack, Pipeline, Stance};
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::compare::{
    CompareEvent, CompareFindings, CompareReport, Comparison, ComparisonTimeLeft, DefenceOrder,
    Format, LEGEND, ROBUST_NOTE, ReportSettings, TEST_NOTE, compare_many, compare_one,
    default_attacks, parse_attack,
};
use crate::experiment::{SampleRef, hints};
use crate::model::{self, Model};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Runs the command.
pub fn run(args: &CompareArgs, context: &mut CommandContext) -> Result<()> {
    // Mistakes in the flags are reported before anything is computed.
    let save = args.save.as_deref().map(|path| Ok((path, Format::of(path, "--save")?)));
    let save = save.transpose()?;
    if let Some((path, _)) = save {
        resolve::target(path, args.pick.image.as_deref(), args.force)?;
    }
    let stacks = stacks(args, context)?;
    let name = resolve::model_name(args.model.as_deref(), &args.pick, &context.config);
    let (card, _) = model::find_card(&name)?;
    let one = args.n.is_none() || args.pick.sample.is_some() || args.pick.image.is_some();
    let sample = one.then(|| resolve::sample(&args.pick, &card)).transpose()?;
    resolve::doubt(sample.iter().flat_map(|sample| hints::of_picture(&card, sample)));
    let set = match (args.n, &args.pick.image) {
        (Some(_), _) | (None, None) => {
            Some(resolve::dataset_id(args.pick.dataset.as_deref(), &card)?)
        }
        _ => None,
    };
    let many = match args.n {
        Some(_) => {
            let dataset = Dataset::load(set.unwrap_or_default())?;
            Some((dataset.clone(), resolve::count(args.n, 0, &dataset)?))
        }
        None => None,
    };
    let data = set.unwrap_or(&card.data).to_string();
    let plans = plans(args, &data, context.config.seed)?;
    let stances = match args.stance.as_str() {
        "both" => vec![Stance::Naive, Stance::Adaptive],
        one => vec![Stance::parse(one)?],
    };
    let chosen = context.device();
    let model = load(&name, &chosen.device)?;
    let values = model.card.input.shape.iter().product();
    resolve::doubt(plans.iter().filter_map(|plan| hints::of_epsilon(plan, values)));
    let seed = context.config.seed;
    let (mut models, mut unfit, mut pipelines) =
        (ModelLoader::new(&chosen), BTreeMap::new(), Vec::new());
    for stack in &stacks {
        match Pipeline::build(stack, model.clone(), seed, &mut models) {
            Ok(pipeline) => pipelines.push(Arc::new(pipeline)),
            Err(error) if stacks.len() > 1 && error.kind == ErrorKind::Usage => {
                note(&format!("left out: {error}"));
                unfit.insert(stack.text(), error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    let frame = ReportSettings {
        model: model.card.name.clone(),
        values: model.card.input.shape.iter().product(),
        dataset: data,
        sample: sample.as_ref().map(|sample| named(sample, &model)),
        n: many.as_ref().map(|(_, n)| *n),
        seed,
        draws: args.eot.into(),
        device: chosen.info.clone(),
        stacks,
        plans: plans.clone(),
        stances: stances.clone(),
        unfit,
    };
    let (draws, device) = (args.eot.into(), chosen.info);
    let done = CompareFindings::default();
    let task = Comparison { model, pipelines, plans, stances, draws, device, done };
    let mut report = work(&task, sample.as_ref(), many.as_ref())?.report(&frame);
    report.sort(DefenceOrder::of(&args.sort).unwrap_or_default());
    if let Some((path, format)) = save {
        store(&report, path, format)?;
    }
    let format = if args.list.json { "json" } else { args.format.as_str() };
    match Format::ALL.iter().find(|(name, _)| *name == format) {
        Some((_, format)) => context.out.text(&report.text(*format)?),
        None => print(&report, &mut context.out),
    }
}

/// The defences: as given, else one of each kind and a hybrid.
fn stacks(args: &CompareArgs, context: &CommandContext) -> Result<Vec<DefenceStack>> {
    match args.defence.as_slice() {
        [] => {
            let customary = DefenceStack::all().into_iter().filter(DefenceStack::is_customary);
            Ok(customary.chain(DefenceStack::hybrid()).collect())
        }
        some => resolve::stacks(some, &context.config),
    }
}

/// The attacks with their ε.
fn plans(args: &CompareArgs, data: &str, seed: u64) -> Result<Vec<AttackConfig>> {
    let mut plans = match args.attack.as_slice() {
        [] => default_attacks(data, seed),
        some => some.iter().map(|text| parse_attack(text, data, seed)).collect::<Result<_>>()?,
    };
    for text in &args.eps {
        let (norm, size) = match text.split_once('=') {
            Some((norm, size)) => {
                let place = |error| Error { place: "--eps".into(), ..error };
                (Some(Norm::parse(norm.trim()).map_err(place)?), size)
            }
            None => (plans.first().map(|plan| plan.norm), text.as_str()),
        };
        let epsilon = resolve::epsilon(size)?;
        let of = plans.iter_mut().filter(|plan| Some(plan.norm) == norm);
        of.for_each(|plan| plan.epsilon = epsilon);
    }
    Ok(plans)
}

/// The sample and the name of its class.
fn named(sample: &Sample, model: &Model) -> (SampleRef, Option<String>) {
    let of = SampleRef {
        dataset: sample.dataset.clone(),
        index: sample.index,
        name: sample.name.clone(),
    };
    let same = model.card.data == sample.dataset || model.card.data.is_empty();
    let label = sample.label.filter(|_| same).and_then(|label| model.labels.get(label));
    (of, label.cloned())
}

/// The comparison with its bar.
fn work(
    task: &Comparison,
    sample: Option<&Sample>,
    many: Option<&(Arc<Dataset>, usize)>,
) -> Result<CompareFindings> {
    let (bar, begin) = (progress::TimedBar::new(), Instant::now());
    let mut forecast = ComparisonTimeLeft::new(task, sample.is_some(), many.map_or(0, |(_, n)| *n));
    let mut findings = CompareFindings::default();
    let mut tell = |finding: CompareEvent| {
        forecast.take(&finding, begin.elapsed().as_secs_f64());
        let (done, all) = forecast.done();
        bar.set(done as f64, all as f64, forecast.left());
        finding.words().into_iter().for_each(|words| bar.message(words));
        findings.take(finding);
    };
    let set = many.map(|(dataset, _)| &**dataset);
    tell(CompareEvent::Origin(task.sources(sample, set)?));
    let mut ask = || Flow::Continue;
    if let Some(sample) = sample {
        compare_one(task, sample, &mut ask, &mut tell)?;
    }
    if let Some((dataset, n)) = many {
        compare_many(task, dataset, *n, &mut ask, &mut tell)?;
    }
    bar.clear();
    Ok(findings)
}

fn store(report: &CompareReport, path: &Path, format: Format) -> Result<()> {
    let text = report.text(format)?;
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}

fn print(report: &CompareReport, out: &mut Output) -> Result<()> {
    if report.sample.is_some() {
        out.table(&report.sample_table())?;
        out.line(&out.paint(Style::Faint, LEGEND))?;
    }
    if report.n.is_some() {
        if report.sample.is_some() {
            out.line("")?;
        }
        out.table(&report.many_table())?;
        let words = format!("robust accuracy with its 95 % interval: {ROBUST_NOTE}");
        out.line(&out.paint(Style::Faint, &words))?;
        out.line(&out.paint(Style::Faint, TEST_NOTE))?;
    }
    out.line("")?;
    for words in &report.words {
        out.line(words)?;
    }
    if report.rows.iter().any(|row| row.stance == Some(Stance::Naive)) {
        out.line("naive: the attack does not know the defence; this is not robustness")?;
    }
    let device = &report.device;
    let caption = format!("{} · {} {}", report.caption(), device.kind, device.name);
    out.line(&out.paint(Style::Faint, &caption))
}
