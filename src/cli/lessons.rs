//! `lessons`: published lessons, measured here and now.

use super::CommandContext;
use super::args::ListFormat;
use super::commands::LessonsArgs;
use super::evaluate::percent;
use super::output::{Output, Style};
use super::resolve::ModelLoader;
use super::{catalogue, progress};
use crate::attack::Flow;
use crate::error::{Error, Result};
use crate::experiment::{
    self, LESSONS, LessonReport, LessonSpec, LessonTask, Provenance, Sources, VERSION,
};
use serde_json::json;

/// Runs the command.
pub fn run(args: &LessonsArgs, context: &mut CommandContext) -> Result<()> {
    let wanted: Vec<&'static LessonSpec> = match args.id.as_deref() {
        None => return catalogue::lessons(&args.list, context),
        Some(_) if args.list.format() == ListFormat::Md => {
            return Err(Error::usage(
                "a measured lesson is printed as text or as JSON",
                "--format md",
                "take --format json, or leave the lesson out: the list can be Markdown",
            ));
        }
        Some("all") => LESSONS.iter().collect(),
        Some(id) => vec![LessonSpec::find(id)?],
    };
    let json = args.list.format() == ListFormat::Json;
    let chosen = context.device();
    let mut models = ModelLoader::new(&chosen);
    let (mut reports, mut origin) = (Vec::new(), Sources::default());
    for lesson in wanted {
        let bar = progress::TimedBar::new();
        let task = LessonTask {
            lesson,
            n: args.n as usize,
            seed: context.config.seed,
            models: &mut models,
            device: chosen.info.clone(),
        };
        let sides = lesson.sides.len() as f64;
        let watch = &mut |side: usize, status: &experiment::EvaluationStatus| {
            let share = if status.total > 0.0 { status.done / status.total } else { 0.0 };
            // What a side takes that has not begun, it is unknown.
            let left = status.left.filter(|_| side + 1 == lesson.sides.len());
            bar.set(side as f64 + share, sides, left);
            bar.message(format!("{}: {}", lesson.id, lesson.sides[side].label));
            Flow::Continue
        };
        let report = experiment::run_lesson(task, watch, &mut |_, _| {})?;
        bar.clear();
        if !json {
            print(lesson, &report, &mut context.out)?;
        }
        origin.join(report.origin.clone());
        reports.push(report);
    }
    match json {
        true => {
            let provenance = Provenance::new(origin, &chosen.info, context.config.seed);
            let lessons = json!({ "version": VERSION, "lessons": reports });
            context.out.json(&provenance.beside(&lessons))
        }
        false => Ok(()),
    }
}

fn print(lesson: &LessonSpec, report: &LessonReport, out: &mut Output) -> Result<()> {
    out.line(&out.paint(Style::Strong, lesson.title))?;
    let head = ["side", "defence", "stance", "attack", "clean", "robust", "95 % interval"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    for (side, made) in report.sides.iter().zip(lesson.sides) {
        let [low, high] = side.robust.interval.map(percent);
        rows.push(vec![
            side.label.to_string(),
            side.defence.clone().unwrap_or_else(|| "none".into()),
            side.stance.to_string(),
            made.attack_text(),
            percent(side.clean.value),
            percent(side.robust.value),
            format!("{low} … {high}"),
        ]);
    }
    out.table(&rows)?;
    let (style, word) = match report.shown {
        true => (Style::Holds, "✓ shown"),
        false => (Style::Fooled, "✗ not shown: no significant difference"),
    };
    for contrast in &report.contrasts {
        let (more, less) = (contrast.more, contrast.less);
        out.line(&format!("'{more}' against '{less}': {}", contrast.contrast))?;
    }
    let model = &report.sides[0].evaluation;
    out.line(&format!(
        "{} on {} n={} seed {}  ({})\n",
        out.paint(style, word),
        model.model,
        report.n,
        report.seed,
        lesson.paper
    ))
}
