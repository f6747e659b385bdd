//! What a comparison says, in sentences: each is computed from the numbers, and claims a difference
//! only where the intervals of the two shares do not overlap.

use crate::attack::Extent;
use crate::defence::Stance;
use crate::experiment::compare::report::{Column, CompareReport, CompareRow, holds};
use crate::experiment::evaluation::Share;

/// Every sentence that the numbers bear out, the most telling first.
pub fn words(report: &CompareReport) -> Vec<String> {
    let many = report.rows.iter().any(|row| row.many.is_some());
    let all = match many {
        true => vec![flattered(report), one_ball(report), hybrid(report), price(report)],
        false => vec![sample(report)],
    };
    all.into_iter().flatten().collect()
}

/// A defence in few words: by its name alone where it was saved by one.
fn short(row: &CompareRow) -> &str {
    row.name.split(" (").next().unwrap_or(&row.name)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Whether one share is larger than another beyond doubt.
fn beyond(large: Share, small: Share) -> bool {
    large.interval[0] > small.interval[1]
}

/// The rows of attacks that know what they attack.
fn knowing(report: &CompareReport) -> impl Iterator<Item = &CompareRow> {
    report.rows.iter().filter(|row| matches!(row.stance, None | Some(Stance::Adaptive)))
}

/// The same defence, under the naive stance.
fn naive<'a>(report: &'a CompareReport, row: &CompareRow) -> Option<&'a CompareRow> {
    let same =
        |other: &&CompareRow| other.defence == row.defence && other.stance == Some(Stance::Naive);
    report.rows.iter().find(same).filter(|_| row.stance == Some(Stance::Adaptive))
}

/// A defence that holds only against attacks that do not know it. Of a network trained for it, a
/// naive attack tells no more than how attacks transfer.
fn flattered(report: &CompareReport) -> Option<String> {
    let mut found: Vec<(f64, &CompareRow, &Column, [Share; 2])> = Vec::new();
    for row in knowing(report).filter(|row| !row.trained) {
        let Some(other) = naive(report, row) else { continue };
        let (Some(knows), Some(not)) = (&row.many, &other.many) else { continue };
        let pairs = knows.attacks.iter().zip(&not.attacks).zip(&report.attacks);
        let gaps = pairs.filter_map(|((knows, not), column)| {
            let (knows, not) = ((*knows)?, (*not)?);
            beyond(not, knows).then_some((not.value - knows.value, row, column, [not, knows]))
        });
        found.extend(gaps.max_by(|a, b| a.0.total_cmp(&b.0)));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (_, row, column, [not, knows]) = *found.first()?;
    let others: Vec<&str> = found[1..].iter().map(|(_, row, ..)| short(row)).collect();
    let more = match others.as_slice() {
        [] => String::new(),
        some => format!("; so do {}", some.join(", ")),
    };
    let more = if others.len() == 1 { more.replace("so do", "so does") } else { more };
    Some(format!(
        "{} holds {} against {} that does not know it, {} against one that does{more}",
        short(row),
        percent(not.value),
        column.name,
        percent(knows.value),
    ))
}

/// What attacks have in common that stay in the same ball: "L∞", or a movement's name.
fn ball(column: &Column) -> String {
    match column.extent {
        Extent::Own => column.name.clone(),
        _ => column.norm.to_string(),
    }
}

/// A defence that holds in one ball and falls outside it.
fn one_ball(report: &CompareReport) -> Option<String> {
    let shown = |(row, balls): &(&CompareRow, Vec<(String, Share)>)| {
        let (best, worst) = (balls.first()?.1, balls.last()?.1);
        let shows = best.value >= 0.5 && beyond(best, worst);
        // Where networks were trained to hold, theirs is the lesson, best without other layers.
        shows.then_some((!row.trained, row.layers, worst.value - best.value))
    };
    let rows = knowing(report).map(|row| (row, balls(report, row)));
    let mut found: Vec<_> = rows.filter_map(|found| Some((shown(&found)?, found))).collect();
    found.sort_by(|(a, _), (b, _)| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    let (_, (row, balls)) = found.first()?;
    let why = if row.trained { ": trained for one ball" } else { "" };
    let each = |(ball, share): &(String, Share)| format!("{} in {ball}", percent(share.value));
    let balls: Vec<String> = balls.iter().map(each).collect();
    Some(format!("{} holds {}{why}", short(row), balls.join(", ")))
}

/// What a defence keeps in each ball, where the strongest attack in it counts, the most first.
fn balls(report: &CompareReport, row: &CompareRow) -> Vec<(String, Share)> {
    let mut balls: Vec<(String, Share)> = Vec::new();
    let shares = row.many.iter().flat_map(|tally| &tally.attacks);
    for (column, share) in report.attacks.iter().zip(shares) {
        // While one is missing, nothing is said of any.
        let Some(share) = *share else { return Vec::new() };
        match balls.iter_mut().find(|(name, _)| *name == ball(column)) {
            Some((_, least)) if least.value > share.value => *least = share,
            Some(_) => {}
            None => balls.push((ball(column), share)),
        }
    }
    balls.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    balls
}

/// What the best hybrid gains over the best of its parts, in the worst case.
fn hybrid(report: &CompareReport) -> Option<String> {
    let worst = |row: &CompareRow| row.many.as_ref().and_then(|tally| tally.worst);
    let of = |row: &CompareRow| {
        let whole = worst(row)?;
        let part = |other: &&CompareRow| {
            other.layers == 1 && row.defence.split('+').any(|layer| layer == other.defence)
        };
        let parts: Vec<(&CompareRow, Share)> =
            knowing(report).filter(part).filter_map(|part| Some((part, worst(part)?))).collect();
        let (best, share) = parts.into_iter().max_by(|a, b| a.1.value.total_cmp(&b.1.value))?;
        let gain = match () {
            () if beyond(whole, share) => "a gain",
            () if beyond(share, whole) => "a loss",
            () => "no difference beyond the intervals",
        };
        let words = format!(
            "{} keeps {} in the worst case, its best part, {}, {}: {gain}",
            short(row),
            percent(whole.value),
            short(best),
            percent(share.value)
        );
        Some((whole.value, words))
    };
    let mut found: Vec<_> = knowing(report).filter(|row| row.layers > 1).filter_map(of).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().next().map(|(_, words)| words)
}

/// What the best worst case costs.
fn price(report: &CompareReport) -> Option<String> {
    let tallies = |row: &'_ CompareRow| {
        let tally = row.many.as_ref()?;
        Some((tally.clean, tally.worst?, row.extra_ms))
    };
    let bare = report.rows.iter().find(|row| row.stance.is_none())?;
    let (bare_clean, bare_worst, _) = tallies(bare)?;
    let rows = knowing(report).filter(|row| row.stance.is_some() && row.unfit.is_none());
    // Before all of them are there, none is the best.
    let found: Option<Vec<_>> = rows.map(|row| Some((row, tallies(row)?))).collect();
    let found = found?.into_iter();
    let (row, (clean, worst, extra)) = found.max_by(|a, b| a.1.1.value.total_cmp(&b.1.1.value))?;
    if !beyond(worst, bare_worst) {
        return Some(format!(
            "no defence here is better in the worst case than none ({}) beyond the intervals",
            percent(bare_worst.value)
        ));
    }
    let points = (bare_clean.value - clean.value) * 100.0;
    let price = match points {
        0.05.. => format!("{points:.1} points of clean accuracy"),
        _ => "no clean accuracy".to_string(),
    };
    let time = extra.map_or(String::new(), |ms| format!(" and {:.1} ms an answer", ms.max(0.0)));
    Some(format!(
        "the best worst case is {}'s, {} ({:.0}–{:.0} %), for {price}{time}",
        short(row),
        percent(worst.value),
        worst.interval[0] * 100.0,
        worst.interval[1] * 100.0
    ))
}

/// The one sample: which defence the naive attacks flatter most.
fn sample(report: &CompareReport) -> Option<String> {
    let count = |row: &CompareRow| {
        let all: Option<Vec<bool>> =
            row.cells.iter().map(|cell| Some(holds(cell.as_ref()?.outcome))).collect();
        all.map(|all| all.iter().filter(|holds| **holds).count())
    };
    let (name, all) = (report.sample_name()?, report.attacks.len());
    let bare = count(report.rows.first()?)?;
    let gaps = knowing(report).filter_map(|row| {
        let (knows, not) = (count(row)?, count(naive(report, row)?)?);
        (not > knows).then(|| (not - knows, row, not, knows))
    });
    let flattered = gaps.max_by_key(|gap| gap.0).map_or(String::new(), |(_, row, not, knows)| {
        let name = short(row);
        format!("; {name} withstands {not} that do not know it, {knows} that do")
    });
    Some(format!("{name}: the bare network withstands {bare} of {all} attacks{flattered}"))
}
