//! `evaluate`: clean and robust accuracy over many samples.

use super::CommandContext;
use super::args::SampleRangeArgs;
use super::commands::EvaluateArgs;
use super::ctrl_c::CtrlC;
use super::output::{Output, Style, note};
use super::resolve::ModelLoader;
use super::{checks, load, progress, resolve};
use crate::attack::{Bound, Flow};
use crate::defence::{DefenceStack, Pipeline, Stance};
use crate::error::Result;
use crate::experiment::{
    self, AttackRow, EvaluatedDefence, Evaluation, EvaluationReport, EvaluationStatus, Provenance,
    Share, hints,
};
use crate::metrics::checks::check_dataset;
use std::sync::Arc;

/// Runs the command.
pub fn run(args: &EvaluateArgs, context: &mut CommandContext) -> Result<()> {
    let SampleRangeArgs { dataset, n, from, batch_size } = &args.samples;
    let (name, dataset) =
        resolve::whole(args.model.as_deref(), dataset.as_deref(), &context.config)?;
    let n = resolve::count(*n, *from, &dataset)?;
    let chosen = context.device();
    let model = load(&name, &chosen.device)?;
    let seed = context.config.seed;
    let plans = resolve::plans(&args.attack, &args.manner, &dataset.id, &model, seed)?;
    if let Some(other) = plans.iter().find(|plan| plan.norm != plans[0].norm) {
        let (a, b) = (plans[0].norm, other.norm);
        note(&format!(
            "the attacks are in different norms ({a} and {b}): the worst case mixes them"
        ));
    }
    let defence = args.defence.as_deref().map(|text| {
        let stack = DefenceStack::parse_among(text, &context.config.hybrids)?;
        let mut models = ModelLoader::new(&chosen);
        let pipeline = Arc::new(Pipeline::build(&stack, model.clone(), seed, &mut models)?);
        Ok(EvaluatedDefence {
            pipeline,
            stance: Stance::parse(&args.stance)?,
            draws: args.eot.into(),
        })
    });
    let evaluation = Evaluation {
        model,
        defence: defence.transpose()?,
        dataset,
        first: *from,
        n,
        plans,
        every: args.every,
        batch_size: *batch_size as usize,
        device: chosen.info,
        state: args.state.clone(),
    };
    let values = evaluation.model.card.input.shape.iter().product();
    resolve::doubt(evaluation.plans.iter().filter_map(|plan| hints::of_epsilon(plan, values)));
    let mut report = work(&evaluation)?;
    let both = report.samples.iter().map(|sample| (sample.clean, sample.label));
    let (predicted, labels): (Vec<_>, Vec<_>) = both.unzip();
    resolve::doubt(hints::of_labels(&predicted, &labels));
    if args.lamps {
        let bar = progress::bar(LOOKED as u64, "samples probed by the checks");
        experiment::probe_robust_samples(&evaluation, &mut report, LOOKED, &mut |looked| {
            bar.set_position(looked as u64);
            Flow::Continue
        })?;
        bar.finish_and_clear();
    }
    match args.list.json {
        true => {
            let provenance = Provenance::new(evaluation.sources(), &report.device, seed);
            context.out.json(&provenance.beside(&report))
        }
        false => {
            print(&report, &evaluation, &mut context.out)?;
            checks::of_many(check_dataset(&report.checks), args.lamps, &mut context.out)
        }
    }
}

/// Runs the evaluation with its bar; with a state file, Ctrl-C saves the state and ends it.
fn work(evaluation: &Evaluation) -> Result<EvaluationReport> {
    let bar = progress::TimedBar::new();
    // Without a state nothing is worth waiting for: an interrupt ends the program as ever.
    let interrupt = evaluation.state.as_ref().map(|path| (CtrlC::watch(), path));
    let watch = &mut |status: &EvaluationStatus| {
        bar.set(status.done, status.total, status.left);
        bar.message(match (status.attack, status.stage) {
            (None, _) => "clean images".to_string(),
            (Some(attack), None) => format!("{attack}, {} still robust", status.robust),
            (Some(attack), Some(stage)) => {
                format!("{attack} ({stage}), {} still robust", status.robust)
            }
        });
        let asked = interrupt.as_ref().is_some_and(|(interrupt, _)| interrupt.asked());
        if asked { Flow::Stop } else { Flow::Continue }
    };
    let report = experiment::evaluate(evaluation, watch);
    match (&report, &interrupt) {
        (Err(error), Some((_, path))) if error.is_cancelled() => {
            bar.abandon();
            note(&format!("stopped; the same command goes on from '{}'", path.display()));
        }
        _ => bar.clear(),
    }
    match interrupt {
        Some((interrupt, _)) => interrupt.told(report),
        None => report,
    }
}

/// Robust samples that are probed one by one with `--lamps`.
const LOOKED: usize = 10;

/// So many notes of an attack are printed.
const NOTES: usize = 4;

/// "12.5 %"
pub fn percent(share: f64) -> String {
    crate::printable::percent(share, 1)
}

pub fn between([low, high]: [f64; 2]) -> String {
    format!("{} … {}", percent(low), percent(high))
}

fn print(report: &EvaluationReport, task: &Evaluation, out: &mut Output) -> Result<()> {
    let row = |name: &str, share: f64, interval: [f64; 2]| {
        vec![name.to_string(), percent(share), between(interval)]
    };
    out.table(&[
        ["accuracy", "share", "95 % interval"].map(str::to_string).to_vec(),
        row("clean", report.clean_accuracy, report.clean_interval),
        row("robust", report.robust_accuracy, report.interval),
    ])?;
    out.line(&format!("robust accuracy is {}", report.caveat))?;
    if let Some(defence) = &report.defence {
        let draws =
            defence.draws.map_or(String::new(), |draws| format!(", EOT over {draws} draws"));
        let votes = match defence.votes {
            1 => String::new(),
            votes => format!(", judged by {votes} predictions an image"),
        };
        out.line(&format!(
            "behind {}, attacked {}{draws}{votes}; it adds {:.2} ms an answer",
            defence.stack, defence.stance, defence.extra_ms
        ))?;
    }
    let alone = report.attacks.len() > 1 && report.attacks.iter().all(|a| a.robust_alone.is_some());
    let mut head = vec!["attack", "broke", "robust then", "95 % interval", "distance", "queries"];
    if alone {
        head.insert(2, "robust alone");
    }
    let mut rows = vec![head.into_iter().map(str::to_string).collect::<Vec<_>>()];
    for attack in &report.attacks {
        rows.extend(attack_rows(attack, alone));
    }
    out.line("")?;
    out.table(&rows)?;
    out.line("")?;
    for (attack, plan) in report.attacks.iter().zip(&task.plans) {
        let values = task.model.card.input.shape.iter().product();
        let cost = &attack.cost;
        out.line(&out.paint(
            Style::Faint,
            &format!("{}  {:.1} s", resolve::describe(plan, values), cost.seconds),
        ))?;
        if let Some(held) = attack.held {
            let share = percent(held);
            out.line(&format!(
                "{}: {share} of the predictions for adversarial images are right",
                attack.attack
            ))?;
        }
        for note in attack.notes.iter().take(NOTES) {
            out.line(&format!("{}: {note}", attack.attack))?;
        }
        if let Some(more) = attack.notes.len().checked_sub(NOTES).filter(|more| *more > 0) {
            out.line(&format!("{}: {more} more notes in --json", attack.attack))?;
        }
    }
    if report.left_out > 0 {
        let left = report.left_out;
        out.line(&format!("{left} samples are of the target class already: left out"))?;
    }
    let last = report.first + (report.n + report.left_out).saturating_sub(1);
    out.line(&out.paint(
        Style::Faint,
        &format!(
            "{} on {} n={} (samples {}..{last})  {} {}  {:.1} s",
            report.model,
            report.dataset,
            report.n,
            report.first,
            report.device.kind,
            report.device.name,
            report.cost.seconds
        ),
    ))
}

/// An attack's line, and one for each of its stages.
fn attack_rows(attack: &AttackRow, alone: bool) -> Vec<Vec<String>> {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or("—".to_string(), |value| format!("{value:.digits$}"))
    };
    let robust = |share: &Share| [percent(share.value), between(share.interval)];
    let distance = match attack.extent {
        Bound::Own => "—".to_string(),
        _ => match attack.median_distance {
            Some(distance) => format!("{} {distance:.4}", attack.norm),
            None => "—".to_string(),
        },
    };
    let mut row =
        vec![attack.attack.to_string(), format!("{} of {}", attack.broken.hits, attack.broken.n)];
    if let (true, Some(share)) = (alone, &attack.robust_alone) {
        row.push(percent(share.value));
    }
    row.extend(robust(&attack.robust_after));
    row.extend([distance, number(attack.median_queries, 0)]);
    let stage = |stage: &experiment::StageRow| {
        let mut row = vec![format!("  {}", stage.stage), stage.broken.to_string()];
        if alone {
            row.push(String::new());
        }
        row.extend(robust(&stage.robust_after));
        row
    };
    std::iter::once(row).chain(attack.stages.iter().map(stage)).collect()
}
