//! The evaluation checks under a result.

use super::output::{Output, Style};
use crate::attack::Observer;
use crate::error::Result;
use crate::experiment::{self, FinishedAttack, Report};
use crate::metrics::checks::{CheckResult, CheckStatus, Evidence, Remedy, run_checks};

/// Runs the probes of a finished attack: the cheap ones, or all.
///
/// # Errors
/// Device failures; those of a defence's stages.
pub fn ask(
    finished: &FinishedAttack<'_>,
    everything: bool,
    observer: &mut dyn Observer,
) -> Result<Evidence> {
    let mut evidence = finished.evidence().clone();
    let mut told = |found: &Evidence| evidence = found.clone();
    match everything {
        true => experiment::run_probes(finished, &[], observer, &mut told)?,
        false => drop(experiment::run_auto_checks(finished, observer, &mut told)?),
    }
    Ok(evidence)
}

/// The checks of a report and of its defences: those that warn, or all of them.
///
/// # Errors
/// As [`Output::line`].
pub fn of_report(report: &Report, all: bool, out: &mut Output) -> Result<()> {
    let cure = |cure: &Remedy| match cure {
        // Every stance has a row already.
        Remedy::Stance(stance) => format!("see the {stance} row"),
        Remedy::Draws(draws) => format!("evaluate --eot {draws}"),
        cure => cure.flag(),
    };
    let mut shown: Vec<(String, CheckResult)> = Vec::new();
    let several = !report.defences.is_empty();
    let name = if several { "no defence" } else { "" };
    shown.extend(run_checks(&report.checks).into_iter().map(|verdict| (name.to_string(), verdict)));
    for row in &report.defences {
        let name = format!("{}, {}", row.name, row.stance);
        shown.extend(run_checks(&row.checks).into_iter().map(|verdict| (name.clone(), verdict)));
    }
    print(&shown, all, &cure, out)
}

/// The checks of an evaluation.
///
/// # Errors
/// As [`Output::line`].
pub fn of_many(verdicts: Vec<CheckResult>, all: bool, out: &mut Output) -> Result<()> {
    let shown: Vec<_> = verdicts.into_iter().map(|verdict| (String::new(), verdict)).collect();
    print(&shown, all, &Remedy::flag, out)
}

fn style(colour: CheckStatus) -> Style {
    match colour {
        CheckStatus::Red => Style::Fooled,
        CheckStatus::Amber => Style::Warns,
        CheckStatus::Green => Style::Holds,
        CheckStatus::Unlit => Style::Faint,
    }
}

/// How many show what, then a line for each that warns (or each there is), the worst first.
fn print(
    shown: &[(String, CheckResult)],
    all: bool,
    cure: &dyn Fn(&Remedy) -> String,
    out: &mut Output,
) -> Result<()> {
    let count = |colour| shown.iter().filter(|(_, verdict)| verdict.status == colour).count();
    let counts = CheckStatus::ALL.map(|colour| {
        out.paint(style(colour), &format!("{} {} {}", colour.glyph(), count(colour), colour.id()))
    });
    let hint = if all { "" } else { "  (--lamps runs and shows them all)" };
    out.line("")?;
    let head = out.paint(Style::Faint, &format!("{:<10}", "checks"));
    out.line(&format!("{head}{}{}", counts.join("  "), out.paint(Style::Faint, hint)))?;
    let mut lines: Vec<_> =
        shown.iter().filter(|(_, verdict)| all || verdict.status.warns()).collect();
    lines.sort_by_key(|(_, verdict)| std::cmp::Reverse(verdict.status));
    let name = |verdict: &CheckResult| {
        let check = verdict.check;
        let name = if verdict.status.warns() { check.watches } else { check.name };
        format!("{} {name}", verdict.status.glyph())
    };
    let wide = |text: &str| text.chars().count();
    let names = lines.iter().map(|(_, verdict)| wide(&name(verdict))).max().unwrap_or(0);
    let whose = lines.iter().map(|(of, _)| wide(of)).max().unwrap_or(0);
    for (of, verdict) in lines {
        let check = out.paint(style(verdict.status), &format!("{:names$}", name(verdict)));
        let of = if whose > 0 { format!("  {of:whose$}") } else { String::new() };
        let cure = verdict.remedy.as_ref().map(|c| format!("  → {}", cure(c))).unwrap_or_default();
        let line = format!("{check}{of}  {}{}", verdict.reason, out.paint(Style::Strong, &cure));
        out.line(&line)?;
    }
    Ok(())
}
