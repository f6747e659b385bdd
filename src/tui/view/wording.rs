//! Results and settings in words.

use crate::attack::{Aim, Norm, Plan};
use crate::defence::{Stack, Stance};
use crate::experiment::Outcome;
use crate::tui::app::{App, Run};
use crate::tui::widgets::text::first_name;

/// ε, in L∞ also in 255ths: "0.3000 (76.5/255)".
pub fn epsilon(norm: Norm, epsilon: f64) -> String {
    crate::experiment::size_text(norm, epsilon)
}

/// ε in few columns: "8/255" or "0.3".
pub fn epsilon_short(norm: Norm, epsilon: f64) -> String {
    crate::experiment::size_short(norm, epsilon)
}

/// What the attack aims at.
pub fn aim(app: &App, aim: Aim) -> String {
    match aim {
        Aim::Untargeted => "any wrong answer".into(),
        Aim::SecondMostLikely => "second likeliest".into(),
        Aim::LeastLikely => "least likely".into(),
        Aim::Next => "next class".into(),
        Aim::Class(class) => {
            let labels = app.model.as_ref().map(|m| &m.labels);
            let name = labels.and_then(|l| l.get(class));
            name.map_or_else(|| format!("class {class}"), |n| first_name(n).to_string())
        }
    }
}

/// The attack in short: "PGD L∞".
pub fn attack(plan: &Plan) -> String {
    format!("{} {}", plan.attack.name, plan.norm)
}

/// The result in words, the longest first; the last is the shortest.
pub fn sentences(run: &Run) -> Vec<String> {
    let Some(report) = &run.report else { return Vec::new() };
    let crafted = match &report.surrogate {
        Some(surrogate) => format!(", crafted on {surrogate}"),
        None => String::new(),
    };
    let sentence = format!("{}{crafted}", report.sentence());
    // ε stands on the slider too, where there is no room for saying it again.
    let brief = format!("{}{crafted}", report.brief());
    // The strip shows the defences too; what the attack tells stands nowhere else.
    let (clause, notes) = (defence_clause(run), report.notes.join("; "));
    let notes = Some(notes).filter(|notes| !notes.is_empty());
    let mut out = Vec::new();
    for (clause, notes) in [(&clause, &notes), (&None, &notes), (&clause, &None), (&None, &None)] {
        for head in [&sentence, &brief] {
            let parts: Vec<&str> = [Some(head), clause.as_ref(), notes.as_ref()]
                .into_iter()
                .flatten()
                .map(|s| &**s)
                .collect();
            out.push(parts.join("; "));
        }
    }
    out.dedup();
    out
}

/// What the defences add: "median brings back 7, but adaptive PGD breaks it".
fn defence_clause(run: &Run) -> Option<String> {
    let report = run.report.as_ref()?;
    if !report.success || !report.attacked || run.rows.is_empty() {
        return None;
    }
    let of = |stance: Stance, outcome: Outcome| -> Vec<&str> {
        let rows = run.rows.iter().filter(|row| row.stance == stance && row.outcome == outcome);
        rows.map(|row| row.defence.as_str()).collect()
    };
    let naive = of(Stance::Naive, Outcome::Right);
    let truth = first_name(&report.label_name);
    let attack = report.plan.attack.name;
    if naive.is_empty() {
        return run.done.then(|| format!("no defence brings back {truth}"));
    }
    let [mut held, mut broken] = [Outcome::Right, Outcome::Fooled].map(|o| of(Stance::Adaptive, o));
    held.retain(|id| naive.contains(id));
    broken.retain(|id| naive.contains(id));
    let (s, them) = if broken.len() == 1 { ("s", "it") } else { ("", "them") };
    let but =
        format!("{} bring{s} back {truth}, but adaptive {attack} breaks {them}", list(&broken));
    let hold = format!("{} hold{}", list(&held), if held.len() == 1 { "s" } else { "" });
    Some(match (held.is_empty(), broken.is_empty()) {
        (true, true) => format!(
            "{} bring{} back {truth}",
            list(&naive),
            if naive.len() == 1 { "s" } else { "" }
        ),
        (true, false) => but,
        (false, true) => format!("{hold} against adaptive {attack} too"),
        (false, false) => format!("{but}; {hold}"),
    })
}

/// The names of defences in a row.
fn list(ids: &[&str]) -> String {
    let name = |id: &&str| Stack::parse(id).map_or(id.to_string(), |stack| stack.short());
    let names: Vec<String> = ids.iter().map(name).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// The device in words, with the reason if there is one.
pub fn device(app: &App) -> (String, Option<String>) {
    match &app.device {
        Some((device, note)) => (format!("{}: {}", device.kind, device.name), note.clone()),
        None => ("choosing a device …".into(), None),
    }
}
