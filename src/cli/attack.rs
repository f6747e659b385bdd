//! `attack` on one sample or one image file.

use super::CommandContext;
use super::commands::AttackArgs;
use super::output::{Output, Style, note};
use super::resolve::ModelLoader;
use super::{checks, load, progress, resolve};
use crate::attack::{Bound, Flow, Norm, StepEvent};
use crate::data::{Image, save_npy, save_png};
use crate::defence::{DefenceStack, EOT_DRAWS, Pipeline};
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::{
    self, DefendedAttack, Experiment, FinishedAttack, MinimumEpsilon, Norms, Prediction,
    Provenance, Report, SavedImages, Sources, hints,
};
use crate::model;
use crate::printable::printable;
use crate::show;
use std::io::IsTerminal;
use std::path::Path;

/// What `--save` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Png,
    Npy,
}

/// Runs the command.
pub fn run(args: &AttackArgs, context: &mut CommandContext) -> Result<()> {
    // Mistakes in the flags are reported before anything is computed.
    let save = args.save.as_deref().map(|path| Ok((path, format(path)?))).transpose()?;
    if let Some((path, _)) = save {
        resolve::target(path, args.pick.image.as_deref(), args.force)?;
    }
    let defences = resolve::stacks(&args.defence, &context.config)?;
    let name = resolve::model_name(args.model.as_deref(), &args.pick, &context.config);
    let (card, _) = model::find_card(&name)?;
    let sample = resolve::sample(&args.pick, &card)?;
    let chosen = context.device();
    let model = load(&name, &chosen.device)?;
    let data = match sample.dataset.as_str() {
        "file" => &model.card.data,
        id => id,
    };
    let plan = resolve::command(&args.method, data, &model, context.config.seed)?;
    resolve::doubt(hints::of_epsilon(&plan, model.card.input.shape.iter().product()));
    let surrogate = resolve::surrogate(args.surrogate.as_deref(), &model, &chosen)?;
    let mut models = ModelLoader::new(&chosen);
    let experiment = Experiment { model, surrogate, sample, plan, device: chosen.info.clone() };
    // The networks of the defences; the other sources are added where the result is printed.
    let mut origin = Sources::default();
    let (mut report, mut least) = match args.least {
        true => {
            let least = least(&experiment, args.lamps)?;
            (least.report.clone(), Some(least))
        }
        false => (attack(&experiment, &defences, args.lamps, &mut models, &mut origin)?, None),
    };
    if let Some((path, format)) = save {
        report.saved = Some(store(&report, path, format)?);
        if let Some(least) = &mut least {
            least.report.saved.clone_from(&report.saved);
        }
    }
    if !args.list.json {
        return print(&report, least.as_ref(), args.lamps, context);
    }
    let mut whole = experiment.sources()?;
    whole.join(origin);
    let provenance = Provenance::new(whole, &report.device, report.seed);
    match &least {
        Some(least) => context.out.json(&provenance.beside(least)),
        None => context.out.json(&provenance.beside(&report)),
    }
}

/// The search for the least ε, one step of the bar a run.
fn least(experiment: &Experiment, everything: bool) -> Result<MinimumEpsilon> {
    let bar = progress::bar(0, "steps");
    let (mut runs, mut begun) = (0, false);
    let mut watch = |step: &StepEvent<'_>| {
        let first = (step.restart, step.iteration) == (0, 0);
        if first && !begun {
            runs += 1;
            bar.set_message(format!("run {runs}"));
        }
        begun = first;
        bar.set_length((step.restarts * (step.iterations + 1)) as u64);
        bar.set_position((step.restart * (step.iterations + 1) + step.iteration + 1) as u64);
        Flow::Continue
    };
    let mut least = experiment::minimum_epsilon(experiment, &mut watch)?;
    let scene = FinishedAttack { experiment, report: &least.report, row: None };
    least.report.checks = checks::ask(&scene, everything, &mut watch)?;
    bar.finish_and_clear();
    Ok(least)
}

fn format(path: &Path) -> Result<Format> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    match extension.to_str() {
        Some("png") => Ok(Format::Png),
        Some("npy") => Ok(Format::Npy),
        _ => Err(Error::usage(
            format!("cannot tell how to save '{}'", path.display()),
            "--save",
            "end the name in .png or .npy",
        )),
    }
}

/// The attack, then each defence under every stance; beside each what the checks want to know. The
/// defences' networks join the origin.
fn attack(
    experiment: &Experiment,
    defences: &[DefenceStack],
    everything: bool,
    models: &mut ModelLoader,
    origin: &mut Sources,
) -> Result<Report> {
    let bar = progress::bar(0, "steps");
    let mut watch = |step: &StepEvent<'_>| {
        let per_restart = step.iterations + 1;
        bar.set_length((step.restarts * per_restart) as u64);
        bar.set_position((step.restart * per_restart + step.iteration + 1) as u64);
        Flow::Continue
    };
    let mut report = experiment::attack_sample(experiment, &mut watch)?;
    let scene = FinishedAttack { experiment, report: &report, row: None };
    report.checks = checks::ask(&scene, everything, &mut watch)?;
    let seed = experiment.plan.seed;
    for stack in defences {
        bar.set_message(stack.to_string());
        let pipeline = match Pipeline::build(stack, experiment.model.clone(), seed, models) {
            Ok(pipeline) => pipeline,
            Err(error) if defences.len() > 1 && error.kind == ErrorKind::Usage => {
                note(&format!("left out: {error}"));
                continue;
            }
            Err(error) => return Err(error),
        };
        let surrogate = experiment.surrogate.clone();
        let surrogate =
            surrogate.map(|model| Pipeline::build(stack, model, seed, models)).transpose()?;
        surrogate.iter().chain([&pipeline]).for_each(|pipeline| origin.pipeline(pipeline));
        let known = experiment::defence_baseline(&pipeline, &report.original)?;
        for stance in pipeline.stances() {
            let against = DefendedAttack {
                pipeline: &pipeline,
                surrogate: surrogate.as_ref(),
                stance,
                draws: EOT_DRAWS,
            };
            let mut row = experiment::defend(experiment, &report, against, &known, &mut watch)?;
            let scene = FinishedAttack { experiment, report: &report, row: Some((against, &row)) };
            row.checks = checks::ask(&scene, everything, &mut watch)?;
            report.defences.push(row);
        }
    }
    bar.finish_and_clear();
    Ok(report)
}

/// Saves the adversarial image; gives what is in the file.
fn store(report: &Report, path: &Path, format: Format) -> Result<SavedImages> {
    let (norms, reached) = match format {
        Format::Npy => {
            save_npy(&report.picture.shape(), report.picture.pixels(), path)?;
            (report.norms, report.reached)
        }
        Format::Png => {
            let eight = report.in_8_bits();
            save_png(&eight.picture, path)?;
            if report.reached && !report.similarity.survives_8_bit {
                note(
                    "a PNG has 8 bits a channel, and this attack does not survive them: save .npy",
                );
            }
            (eight.norms(), report.similarity.survives_8_bit)
        }
    };
    Ok(SavedImages { file: printable(&path.display().to_string()), norms, reached })
}

/// The perturbation as a image: grey where nothing changed, scaled so that the largest change is
/// black or white; and by how much it was amplified.
fn perturbation(report: &Report) -> (Image, f32) {
    let pairs = report.original.pixels().iter().zip(report.picture.pixels());
    let deltas: Vec<f32> = pairs.map(|(before, after)| after - before).collect();
    let largest = deltas.iter().fold(0.0_f32, |top, d| top.max(d.abs()));
    let gain = if largest > 0.0 { 0.5 / largest } else { 1.0 };
    let pixels: Vec<f32> = deltas.iter().map(|d| 0.5 + d * gain).collect();
    (Image::new(report.original.shape(), pixels), gain)
}

fn print(
    report: &Report,
    least: Option<&MinimumEpsilon>,
    everything: bool,
    context: &mut CommandContext,
) -> Result<()> {
    let wanted = context.config.demands("graphics") || std::io::stdout().is_terminal();
    if wanted && !context.out.is_closed() {
        let (perturbation, gain) = perturbation(report);
        let title = format!("perturbation ×{gain:.3}");
        let pictures = [
            ("original", report.original.clone()),
            (title.as_str(), perturbation),
            ("adversarial", report.picture.clone()),
        ];
        show::print(&pictures, context.config.graphics)?;
    }
    let out = &mut context.out;
    let outcome = report.outcome();
    let style = if outcome.holds() { Style::Holds } else { Style::Fooled };
    out.line(&out.paint(style, &format!("{} {}", outcome.glyph(), report.sentence())))?;
    let answer = |p: &Prediction| p.text(1);
    let truth = if report.label_is_truth { "truth" } else { "model's own answer" };
    let seen = &report.similarity;
    let yes = |survives: bool| match (report.reached, survives) {
        (false, _) => "—",
        (true, true) => "yes",
        (true, false) => "no",
    };
    let norms =
        |n: &Norms| format!("L0 {}  L1 {:.3}  L2 {:.4}  L∞ {:.4}", n.l0, n.l1, n.l2, n.linf);
    let surrogate = report.surrogate.as_ref();
    let crafted = surrogate.map_or(String::new(), |name| format!(" (crafted on {name})"));
    let lines = [
        ("sample", format!("{}, {truth}: {}", report.sample.name, report.label_name)),
        (
            "model",
            format!("{} on {}: {}{crafted}", report.model, report.device.kind, report.device.name),
        ),
        ("attack", resolve::describe(&report.plan, report.original.pixels().len())),
        ("before", answer(&report.clean)),
        ("after", answer(&report.adversarial)),
        ("size", norms(&report.norms)),
        (
            "likeness",
            format!(
                "PSNR {:.1} dB  SSIM {:.4}  changed {:.1} %",
                seen.psnr,
                seen.ssim,
                seen.changed * 100.0
            ),
        ),
        (
            "survives",
            format!("8 bits {}  JPEG {}", yes(seen.survives_8_bit), yes(seen.survives_jpeg)),
        ),
        (
            "cost",
            format!(
                "{} queries, {} forward, {} backward, {:.3} s",
                report.queries, report.cost.forward, report.cost.backward, report.cost.seconds
            ),
        ),
    ];
    let size = |size: f64| experiment::distance_text(report.norm, size);
    let mut more = Vec::new();
    if report.attacked && report.extent != Bound::Own {
        more.push(("distance", format!("{} {}", report.norm, size(report.distance.into()))));
    }
    more.extend(report.stage.map(|stage| ("broken by", stage.to_string())));
    more.extend(report.notes.iter().map(|note| ("note", note.clone())));
    more.extend(report.saved.iter().map(|saved| {
        let goal = if saved.reached { "reaches its goal" } else { "does not reach its goal" };
        ("saved", format!("{}: {}, {goal}", saved.file, norms(&saved.norms)))
    }));
    if let Some(least) = least {
        let none = || "none: it never reached its goal".to_string();
        more.push(("least ε", least.epsilon.map_or_else(none, size)));
        let digits = if report.norm == Norm::L0 { 0 } else { 4 };
        let one = |(epsilon, worked): &(f64, bool)| {
            format!("{} {epsilon:.digits$}", if *worked { "✗" } else { "✓" })
        };
        let tried: Vec<_> = least.tried.iter().map(one).collect();
        more.push(("tried", tried.join("  ")));
    }
    for (key, value) in lines.into_iter().chain(more) {
        out.line(&format!("{}{value}", out.paint(Style::Faint, &format!("{key:<10}"))))?;
    }
    print_defences(report, out)?;
    checks::of_report(report, everything, out)
}

fn print_defences(report: &Report, out: &mut Output) -> Result<()> {
    let rows = &report.defences;
    if rows.is_empty() {
        return Ok(());
    }
    let head =
        ["defence", "stance", "clean", "attacked", "outcome", "held", "distance", "extra ms"];
    let mut table = vec![head.map(str::to_string).to_vec()];
    for row in rows {
        let answer = |p: &Prediction| p.text(0);
        let beyond = if row.is_beyond() { ", fooled beyond ε" } else { "" };
        table.push(vec![
            row.name.clone(),
            row.stance.to_string(),
            answer(&row.clean),
            answer(&row.adversarial),
            format!("{} {}{beyond}", row.outcome.glyph(), row.outcome.word()),
            row.held.map_or("–".into(), |held| format!("{} of {}", held.hits, held.n)),
            experiment::distance_text(report.norm, row.distance.into()),
            format!("{:.2}", row.extra_ms),
        ]);
    }
    out.line("")?;
    out.table(&table)?;
    out.line("naive: the attack does not know the defence; this is not robustness")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides_how_a_picture_is_saved() {
        assert_eq!(format(Path::new("a/b.PNG")), Ok(Format::Png));
        assert_eq!(format(Path::new("b.npy")), Ok(Format::Npy));
        for bad in ["b", "b.jpg", ".png"] {
            assert!(format(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
