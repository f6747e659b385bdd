//! `roc`: the ROC curve of a detector.

use super::CommandContext;
use super::args::SampleRangeArgs;
use super::commands::RocArgs;
use super::evaluate::{between, percent};
use super::output::{Output, Style, note};
use super::resolve::ModelLoader;
use super::{load, progress, resolve};
use crate::attack::Flow;
use crate::defence::{DefenceStack, Pipeline, Stance};
use crate::error::Result;
use crate::experiment::{
    self, EvaluatedDefence, Evaluation, EvaluationStatus, Provenance, RocPoint, RocReport, Share,
};
use std::sync::Arc;

/// Runs the command.
pub fn run(args: &RocArgs, context: &mut CommandContext) -> Result<()> {
    let stack = DefenceStack::parse_among(&args.defence, &context.config.hybrids)?;
    let stance = Stance::parse(&args.stance)?;
    let SampleRangeArgs { dataset, n, from, batch_size } = &args.samples;
    let (name, dataset) =
        resolve::whole(args.model.as_deref(), dataset.as_deref(), &context.config)?;
    let n = resolve::count(*n, *from, &dataset)?;
    let chosen = context.device();
    let model = load(&name, &chosen.device)?;
    let seed = context.config.seed;
    let plan = resolve::plan(&args.method, &dataset.id, &model.labels, seed)?;
    let pipeline = Pipeline::build(&stack, model.clone(), seed, &mut ModelLoader::new(&chosen))?;
    let pipeline = Arc::new(pipeline);
    let task = Evaluation {
        first: *from,
        batch_size: *batch_size as usize,
        defence: Some(EvaluatedDefence { pipeline, stance, draws: args.eot.into() }),
        ..Evaluation::new(model, dataset, n, plan, chosen.info)
    };
    let bar = progress::TimedBar::new();
    let report = experiment::roc(&task, &mut |status: &EvaluationStatus| {
        bar.set(status.done, status.total, status.left);
        bar.message(format!("{} still right", status.robust));
        Flow::Continue
    })?;
    bar.clear();
    report.hints.iter().for_each(|hint| note(hint));
    match args.list.json {
        true => {
            let provenance = Provenance::new(task.sources(), &report.device, report.seed);
            context.out.json(&provenance.beside(&report))
        }
        false => print(&report, &task, &mut context.out),
    }
}

/// Rows and columns of the curve.
const SIZE: [usize; 2] = [12, 48];

/// The curve as braille dots, two columns and four rows a character, highest first.
fn braille(points: &[RocPoint]) -> Vec<String> {
    const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let [rows, columns] = SIZE;
    let (high, wide) = (4 * rows - 1, 2 * columns - 1);
    let mut cells = vec![vec![0_u8; columns]; rows];
    let mut dot = |x: usize, y: usize| cells[(high - y) / 4][x / 2] |= DOTS[(high - y) % 4][x % 2];
    let at = |p: &RocPoint| ((p.fpr * wide as f64) as usize, (p.tpr * high as f64) as usize);
    for pair in points.windows(2) {
        let ((x, y), (to, up)) = (at(&pair[0]), at(&pair[1]));
        (y..=up).for_each(|y| dot(x, y));
        (x..=to).for_each(|x| dot(x, up));
    }
    let glyph = |cell: &u8| char::from_u32(0x2800 + u32::from(*cell)).unwrap_or(' ');
    cells.iter().map(|row| row.iter().map(glyph).collect()).collect()
}

fn print(report: &RocReport, task: &Evaluation, out: &mut Output) -> Result<()> {
    out.line(
        &out.paint(Style::Strong, "adversarial images refused, against clean images refused"),
    )?;
    for (at, line) in braille(&report.points).iter().enumerate() {
        let mark = match at {
            0 => "100 %",
            _ if at + 1 == SIZE[0] => "  0 %",
            _ => "     ",
        };
        out.line(&format!("{} {}", out.paint(Style::Faint, mark), line.trim_end()))?;
    }
    let gap = " ".repeat(SIZE[1] - 8);
    out.line(&out.paint(Style::Faint, &format!("      0 %{gap}100 %")))?;
    let row = |name: &str, share: &Share| {
        let of = format!("{} of {}", share.hits, share.n);
        vec![name.to_string(), percent(share.value), between(share.interval), of]
    };
    out.table(&[
        ["at the threshold", "share", "95 % interval", ""].map(str::to_string).to_vec(),
        row("fresh clean ones refused", &report.false_positives),
        row("answers turned", &report.turned),
        row("turned and refused", &report.detected),
        row("turned and not refused", &report.evaded),
    ])?;
    match report.auc.is_nan() {
        true => out.line("no answer was turned: there is no curve to take the area of")?,
        false => out.line(&format!("area under the curve {:.3}", report.auc))?,
    }
    out.line(&format!("threshold {:.4}: {}", report.threshold, report.basis))?;
    if report.stance == Stance::Naive {
        out.line("naive: the attack does not know the defence; this is not robustness")?;
    }
    if report.left_out > 0 {
        let left = report.left_out;
        out.line(&format!(
            "{left} samples are of the target class already: left out of those attacked"
        ))?;
    }
    let values = task.model.card.input.shape.iter().product();
    let draws = report.draws.map_or(String::new(), |draws| format!(" ({draws} draws)"));
    let last = report.first + (report.n + report.left_out).saturating_sub(1);
    let text = format!(
        "{} before {}  {}{draws}  {}  on {} #{}…#{last} n={}  {} {}  {:.1} s",
        report.defence,
        report.model,
        report.stance,
        resolve::describe(&task.plans[0], values),
        report.dataset,
        report.first,
        report.n,
        report.device.kind,
        report.device.name,
        report.cost.seconds
    );
    out.line(&out.paint(Style::Faint, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_detector_goes_up_and_then_along() {
        let (points, area) = experiment::roc_curve(&[0.1, 0.2], &[0.8, 0.9]);
        assert_eq!(area, 1.0);
        let lines = braille(&points);
        assert_eq!((lines.len(), lines[0].chars().count()), (SIZE[0], SIZE[1]));
        assert!(lines[0].chars().all(|c| c != '\u{2800}'));
        assert!(
            lines[5].chars().skip(1).all(|c| c == '\u{2800}') && !lines[5].starts_with('\u{2800}')
        );
    }
}
