//! What a comparison shows, in sentences. Each is computed from the numbers, and claims a
//! difference only where McNemar's exact test over the same samples finds one.

use crate::attack::Bound;
use crate::defence::Stance;
use crate::experiment::compare::report::{AttackColumn, CompareReport, CompareRow, PairedTest};
use crate::experiment::types::{Outcome, Share};
use crate::metrics::McNemar;
use crate::printable::percent;

/// A sentence, and what it compares.
type Said = (String, Vec<PairedTest>);

/// Every sentence that the numbers bear out, the most telling first, and what they compare.
pub fn sentences(report: &CompareReport) -> (Vec<String>, Vec<PairedTest>) {
    let many = report.rows.iter().any(|row| row.many.is_some());
    let all = match many {
        true => vec![flattered(report), one_ball(report), hybrid(report), price(report)],
        false => vec![sample(report).map(|words| (words, Vec::new()))],
    };
    let (words, tests): (Vec<String>, Vec<Vec<PairedTest>>) = all.into_iter().flatten().unzip();
    (words, tests.concat())
}

/// A defence in few words: by its name alone where it was saved by one.
fn short(row: &CompareRow) -> &str {
    row.name.split(" (").next().unwrap_or(&row.name)
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
fn flattered(report: &CompareReport) -> Option<Said> {
    let mut found: Vec<(f64, &CompareRow, &AttackColumn, [Share; 2], McNemar)> = Vec::new();
    for row in knowing(report).filter(|row| !row.trained) {
        let Some(other) = naive(report, row) else { continue };
        let (Some(knows), Some(not)) = (&row.many, &other.many) else { continue };
        let gaps = report.attacks.iter().enumerate().filter_map(|(at, column)| {
            let paired = McNemar::new(&not.held[at], &knows.held[at])?;
            let (knows, not) = (knows.attacks[at]?, not.attacks[at]?);
            let gap = not.value - knows.value;
            paired.is_more().then_some((gap, row, column, [not, knows], paired))
        });
        found.extend(gaps.max_by(|a, b| a.0.total_cmp(&b.0)));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (_, row, column, [not, knows], paired) = *found.first()?;
    let others: Vec<&str> = found[1..].iter().map(|(_, row, ..)| short(row)).collect();
    let more = match others.as_slice() {
        [] => String::new(),
        some => format!("; so do {}", some.join(", ")),
    };
    let more = if others.len() == 1 { more.replace("so do", "so does") } else { more };
    let words = format!(
        "{} holds {} against {} that does not know it, {} against one that does ({paired}){more}",
        short(row),
        percent(not.value, 0),
        column.name,
        percent(knows.value, 0),
    );
    let test =
        |(_, row, column, _, paired): &(f64, &CompareRow, &AttackColumn, [Share; 2], McNemar)| {
            let of = |stance| format!("{} × {}, {stance}", row.name, column.name);
            PairedTest { first: of(Stance::Naive), second: of(Stance::Adaptive), paired: *paired }
        };
    Some((words, found.iter().map(test).collect()))
}

/// What attacks have in common that stay in the same ball: "L∞", or a movement's name.
fn ball(column: &AttackColumn) -> String {
    match column.extent {
        Bound::Own => column.name.clone(),
        _ => column.norm.to_string(),
    }
}

/// A ball, what is kept in it against the strongest attack there, and the number of that attack.
type Ball = (String, Share, usize);

/// A defence that holds in one ball and falls outside it.
fn one_ball(report: &CompareReport) -> Option<Said> {
    let shown = |(row, balls): &(&CompareRow, Vec<Ball>)| {
        let (best, worst, tally) = (balls.first()?, balls.last()?, row.many.as_ref()?);
        let paired = McNemar::new(&tally.held[best.2], &tally.held[worst.2])?;
        let shows = best.1.value >= 0.5 && paired.is_more();
        // Where networks were trained to hold, theirs is the lesson, best without other layers.
        let key = (!row.trained, row.layers, worst.1.value - best.1.value);
        shows.then_some((key, paired))
    };
    let rows = knowing(report).map(|row| (row, balls(report, row)));
    let mut found: Vec<_> = rows.filter_map(|found| Some((shown(&found)?, found))).collect();
    found.sort_by(|((a, _), _), ((b, _), _)| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    let ((_, paired), (row, balls)) = found.first()?;
    let why = if row.trained { ": trained for one ball" } else { "" };
    let each = |(ball, share, _): &Ball| format!("{} in {ball}", percent(share.value, 0));
    let list: Vec<String> = balls.iter().map(each).collect();
    let words = format!("{} holds {}{why} ({paired})", short(row), list.join(", "));
    let of = |ball: Option<&Ball>| {
        let column = ball.and_then(|ball| report.attacks.get(ball.2));
        format!("{} × {}", row.name, column.map_or("", |column| &column.name))
    };
    let (first, second) = (of(balls.first()), of(balls.last()));
    Some((words, vec![PairedTest { first, second, paired: *paired }]))
}

/// What a defence keeps in each ball, where the strongest attack in it counts, the most first.
fn balls(report: &CompareReport, row: &CompareRow) -> Vec<Ball> {
    let mut balls: Vec<Ball> = Vec::new();
    let shares = row.many.iter().flat_map(|tally| &tally.attacks);
    for (at, (column, share)) in report.attacks.iter().zip(shares).enumerate() {
        // While one is missing, nothing is said of any.
        let Some(share) = *share else { return Vec::new() };
        match balls.iter_mut().find(|(name, ..)| *name == ball(column)) {
            Some((_, least, which)) if least.value > share.value => (*least, *which) = (share, at),
            Some(_) => {}
            None => balls.push((ball(column), share, at)),
        }
    }
    balls.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    balls
}

/// What the best hybrid gains over the best of its parts, in the worst case.
fn hybrid(report: &CompareReport) -> Option<Said> {
    let worst = |row: &CompareRow| row.many.as_ref().and_then(|tally| tally.worst);
    let held = |row: &CompareRow| row.many.as_ref().map(|tally| tally.held_all.clone());
    let of = |row: &CompareRow| {
        let whole = worst(row)?;
        let part = |other: &&CompareRow| {
            other.layers == 1 && row.defence.split('+').any(|layer| layer == other.defence)
        };
        let parts: Vec<(&CompareRow, Share)> =
            knowing(report).filter(part).filter_map(|part| Some((part, worst(part)?))).collect();
        let (best, share) = parts.into_iter().max_by(|a, b| a.1.value.total_cmp(&b.1.value))?;
        let paired = McNemar::new(&held(row)?, &held(best)?)?;
        let gain = match () {
            () if paired.is_more() => "a gain",
            () if paired.swapped().is_more() => "a loss",
            () => "no significant difference",
        };
        let words = format!(
            "{} keeps {} in the worst case, its best part, {}, {}: {gain} ({paired})",
            short(row),
            percent(whole.value, 0),
            short(best),
            percent(share.value, 0)
        );
        Some((whole.value, words, worst_case(row, best, paired)))
    };
    let mut found: Vec<_> = knowing(report).filter(|row| row.layers > 1).filter_map(of).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().next().map(|(_, words, test)| (words, vec![test]))
}

/// Two rows compared where all attacks count.
fn worst_case(first: &CompareRow, second: &CompareRow, paired: McNemar) -> PairedTest {
    let of = |row: &CompareRow| format!("{} × worst case", row.name);
    PairedTest { first: of(first), second: of(second), paired }
}

/// What the best worst case costs.
fn price(report: &CompareReport) -> Option<Said> {
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
    let paired = row.many.as_ref()?.worst_against_bare?;
    let test = worst_case(row, bare, paired);
    if !paired.is_more() {
        let words = format!(
            "no defence here is significantly better in the worst case than none ({}): the best, \
             {}, keeps {} ({paired})",
            percent(bare_worst.value, 0),
            short(row),
            percent(worst.value, 0)
        );
        return Some((words, vec![test]));
    }
    let points = (bare_clean.value - clean.value) * 100.0;
    let price = match points {
        0.05.. => format!("{points:.1} points of clean accuracy"),
        _ => "no clean accuracy".to_string(),
    };
    let time = extra.map_or(String::new(), |ms| format!(" and {:.1} ms an answer", ms.max(0.0)));
    let words = format!(
        "the best worst case is {}'s, {} ({:.0}–{:.0} %), for {price}{time}; against none: {paired}",
        short(row),
        percent(worst.value, 0),
        worst.interval[0] * 100.0,
        worst.interval[1] * 100.0
    );
    Some((words, vec![test]))
}

/// The one sample: which defence the naive attacks flatter most.
fn sample(report: &CompareReport) -> Option<String> {
    let count = |row: &CompareRow| {
        let all: Option<Vec<bool>> =
            row.cells.iter().map(|cell| Some(cell.as_ref()?.outcome.holds())).collect();
        all.map(|all| all.iter().filter(|holds| **holds).count())
    };
    let (name, all) = (report.sample_name()?, report.attacks.len());
    let first = report.rows.first()?;
    let bare = count(first)?;
    let wrong = first.cells.iter().flatten().any(|cell| cell.outcome == Outcome::Wrong);
    let gaps = knowing(report).filter_map(|row| {
        let (knows, not) = (count(row)?, count(naive(report, row)?)?);
        (not > knows).then(|| (not - knows, row, not, knows))
    });
    let flattered = gaps.max_by_key(|gap| gap.0).map_or(String::new(), |(_, row, not, knows)| {
        let name = short(row);
        format!("; {name} withstands {not} that do not know it, {knows} that do")
    });
    Some(match wrong {
        true => format!("{name}: the bare network is wrong before any attack{flattered}"),
        false => format!("{name}: the bare network withstands {bare} of {all} attacks{flattered}"),
    })
}
