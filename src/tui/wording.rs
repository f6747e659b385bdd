//! Results and settings in words.

use crate::attack::{AttackConfig, TargetChoice};
use crate::defence::{DefenceStack, Stance};
use crate::experiment::Outcome;
use crate::metrics::checks::CheckStatus;
use crate::tui::session::{Run, Session};
use crate::tui::theme::Theme;
use crate::tui::widgets::text::first_name;
use ratatui::style::Style;

/// What the attack aims at.
pub fn aim(session: &Session, aim: TargetChoice) -> String {
    match aim {
        TargetChoice::Untargeted => "any wrong answer".into(),
        TargetChoice::SecondMostLikely => "second likeliest".into(),
        TargetChoice::LeastLikely => "least likely".into(),
        TargetChoice::Next => "next class".into(),
        TargetChoice::Class(class) => {
            let labels = session.model.as_ref().map(|m| &m.labels);
            let name = labels.and_then(|l| l.get(class));
            name.map_or_else(|| format!("class {class}"), |n| first_name(n).to_string())
        }
    }
}

/// "12 s left", or that nobody knows.
pub fn time_left(seconds: Option<f64>) -> String {
    match seconds.map(|seconds| seconds.max(0.0).round() as u64) {
        Some(s @ ..60) => format!("{s} s left"),
        Some(s @ ..3600) => format!("{} min {} s left", s / 60, s % 60),
        Some(s) => format!("{} h {} min left", s / 3600, s / 60 % 60),
        None => "time left unknown".into(),
    }
}

/// The attack in short: "PGD L∞".
pub fn attack(plan: &AttackConfig) -> String {
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

/// A defence of a run, as far as it is known.
#[derive(Clone, Copy)]
struct DefenceOutcomes<'a> {
    defence: &'a str,
    /// How the attack ended that does not know it, and whether the answer is the truth.
    naive: Option<(Outcome, bool)>,
    /// How the attack ended that knows it.
    adaptive: Option<Outcome>,
}

impl DefenceOutcomes<'_> {
    fn was_wrong(&self) -> bool {
        let naive = self.naive.map(|(outcome, _)| outcome);
        [naive, self.adaptive].contains(&Some(Outcome::Wrong))
    }

    /// Whether it answers the truth where the bare network is fooled.
    fn restores(&self) -> bool {
        !self.was_wrong() && self.naive == Some((Outcome::Right, true))
    }

    /// Whether it refuses to answer where the bare network is fooled.
    fn refuses(&self) -> bool {
        let refusal = matches!(self.naive, Some((Outcome::Detected | Outcome::Abstained, _)));
        !self.was_wrong() && refusal
    }

    fn is_broken(&self) -> bool {
        self.adaptive == Some(Outcome::Fooled)
    }

    fn withstands(&self) -> bool {
        self.adaptive.is_some_and(Outcome::holds)
    }
}

/// What the defences add: "median brings back 7, but adaptive PGD breaks it".
fn defence_clause(run: &Run) -> Option<String> {
    let report = run.report.as_ref().filter(|report| report.outcome() == Outcome::Fooled)?;
    let mut all: Vec<DefenceOutcomes<'_>> = Vec::new();
    for row in &run.rows {
        let at = all.iter().position(|shown| shown.defence == row.defence).unwrap_or(all.len());
        if at == all.len() {
            all.push(DefenceOutcomes { defence: &row.defence, naive: None, adaptive: None });
        }
        match row.stance {
            Stance::Naive => {
                all[at].naive = Some((row.outcome, row.adversarial.label == report.label));
            }
            Stance::Adaptive => all[at].adaptive = Some(row.outcome),
            _ => {}
        }
    }
    clause(&all, first_name(&report.label_name), report.plan.attack.name, run.done)
}

/// What the defences make of a fooled network, in words: who restores the truth and whether that
/// holds against who knows it, who refuses, and who was wrong before. Only of a defence that was
/// right before it is said that it does not bring back the truth.
fn clause(all: &[DefenceOutcomes<'_>], truth: &str, attack: &str, done: bool) -> Option<String> {
    let of = |wanted: &dyn Fn(&DefenceOutcomes<'_>) -> bool| -> Vec<&str> {
        all.iter().filter(|shown| wanted(shown)).map(|shown| shown.defence).collect()
    };
    let verb = |ids: &[&str], verb: &str| {
        format!("{} {verb}{}", list(ids), if ids.len() == 1 { "s" } else { "" })
    };
    let them = |ids: &[&str]| if ids.len() == 1 { "it" } else { "them" };
    let restore = of(&|shown| shown.restores());
    let broken = of(&|shown| shown.restores() && shown.is_broken());
    let held = of(&|shown| shown.restores() && shown.withstands());
    let refuse = of(&|shown| shown.refuses());
    let passed = of(&|shown| shown.refuses() && shown.is_broken());
    let wrong = of(&|shown| shown.was_wrong());
    let mut parts = Vec::new();
    if !broken.is_empty() {
        let (who, it) = (verb(&broken, "bring"), them(&broken));
        parts.push(format!("{who} back {truth}, but adaptive {attack} breaks {it}"));
    }
    match (broken.is_empty(), held.is_empty()) {
        (_, false) if broken.is_empty() => {
            parts.push(format!("{} against adaptive {attack} too", verb(&held, "hold")));
        }
        (_, false) => parts.push(verb(&held, "hold")),
        (true, true) if !restore.is_empty() => {
            parts.push(format!("{} back {truth}", verb(&restore, "bring")));
        }
        _ => {}
    }
    match passed.is_empty() {
        true if refuse.is_empty() => {}
        true => parts.push(format!("{} the picture", verb(&refuse, "refuse"))),
        false => {
            let (who, it) = (verb(&passed, "refuse"), them(&passed));
            parts.push(format!("{who} the picture, but adaptive {attack} gets past {it}"));
        }
    }
    if !wrong.is_empty() {
        let was = if wrong.len() == 1 { "was" } else { "were" };
        parts.push(format!("{} {was} wrong before the attack", list(&wrong)));
    }
    let lost = |shown: &DefenceOutcomes<'_>| {
        let answered = shown.naive.is_some() && !shown.was_wrong();
        answered && !shown.restores() && !shown.refuses()
    };
    if done && restore.is_empty() && all.iter().any(lost) {
        let other = if parts.is_empty() { "" } else { "other " };
        parts.push(format!("no {other}defence brings back {truth}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The names of defences in a row.
fn list(ids: &[&str]) -> String {
    let name = |id: &&str| DefenceStack::parse(id).map_or(id.to_string(), |stack| stack.short());
    let names: Vec<String> = ids.iter().map(name).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// The device in words, with the reason if there is one.
pub fn device(session: &Session) -> (String, Option<String>) {
    match &session.device {
        Some((device, note)) => (format!("{}: {}", device.kind, device.name), note.clone()),
        None => ("choosing a device …".into(), None),
    }
}

/// The style of the status of an evaluation check.
pub fn check_style(theme: &Theme, status: CheckStatus) -> Style {
    match status {
        CheckStatus::Red => theme.fooled,
        CheckStatus::Amber => theme.accent,
        CheckStatus::Green => theme.right,
        CheckStatus::Unlit => theme.dim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Outcome; 5] =
        [Outcome::Right, Outcome::Fooled, Outcome::Wrong, Outcome::Detected, Outcome::Abstained];

    /// Everything that can become of a defence. What was wrong before is so under every stance.
    fn fates(defence: &str) -> Vec<DefenceOutcomes<'_>> {
        let mut out = vec![DefenceOutcomes { defence, naive: None, adaptive: None }];
        for (naive, truth) in ALL.iter().flat_map(|naive| [(*naive, true), (*naive, false)]) {
            let adaptive = ALL.into_iter().map(Some).chain([None]);
            for adaptive in adaptive {
                let fate = DefenceOutcomes { defence, naive: Some((naive, truth)), adaptive };
                let wrong = [Some(naive), adaptive].contains(&Some(Outcome::Wrong));
                let both = naive == Outcome::Wrong && adaptive.is_none_or(|a| a == Outcome::Wrong);
                if !wrong || both {
                    out.push(fate);
                }
            }
        }
        out
    }

    #[test]
    fn the_sentence_is_true_of_every_defence() {
        let mut told = 0;
        for one in fates("median") {
            for other in fates("jpeg") {
                for done in [false, true] {
                    let all = [one, other];
                    let Some(text) = clause(&all, "7", "PGD", done) else { continue };
                    told += 1;
                    let case = format!(
                        "{:?} {:?} | {:?} {:?}: {text}",
                        one.naive, one.adaptive, other.naive, other.adaptive
                    );
                    let wrong = all.iter().any(DefenceOutcomes::was_wrong);
                    assert_eq!(text.contains("wrong before the attack"), wrong, "{case}");
                    // Nobody who was wrong before is said to have failed to bring it back.
                    assert!(!(wrong && text.contains("no defence")), "{case}");
                    if text.contains("defence brings back") {
                        assert!(done && !all.iter().any(DefenceOutcomes::restores), "{case}");
                        let lost = |s: &DefenceOutcomes<'_>| {
                            matches!(s.naive, Some((Outcome::Fooled, _) | (Outcome::Right, false)))
                        };
                        assert!(all.iter().any(lost), "{case}");
                    }
                    let clauses = |shown: &DefenceOutcomes<'_>| {
                        let name = list(&[shown.defence]);
                        let of = text.split("; ").filter(|part| part.contains(&name));
                        of.map(str::to_string).collect::<Vec<_>>().join("; ")
                    };
                    for shown in &all {
                        let of = clauses(shown);
                        let says = |words: &str| of.contains(words);
                        if says("bring") || says("hold") {
                            assert!(shown.restores(), "{case}");
                        }
                        if says("refuse") {
                            assert!(shown.refuses(), "{case}");
                        }
                        if says("breaks") || says("gets past") {
                            assert!(shown.is_broken(), "{case}");
                        }
                        assert_eq!(says("wrong before"), shown.was_wrong(), "{case}");
                    }
                }
            }
        }
        assert!(told > 500, "{told}");
    }

    #[test]
    fn sentences_read_well() {
        use Outcome::{Detected, Fooled, Right, Wrong};
        let of = |defence, naive, adaptive| DefenceOutcomes {
            defence,
            naive: Some((naive, naive == Right)),
            adaptive: Some(adaptive),
        };
        let say = |all: &[DefenceOutcomes<'_>]| clause(all, "7", "PGD", true).unwrap_or_default();
        for (all, words) in [
            (vec![of("median", Fooled, Fooled)], "no defence brings back 7"),
            (
                vec![of("median", Wrong, Wrong), of("jpeg", Fooled, Fooled)],
                "median was wrong before the attack; no other defence brings back 7",
            ),
            (vec![of("median", Wrong, Wrong)], "median was wrong before the attack"),
            (
                vec![of("median", Right, Fooled), of("blur", Right, Right)],
                "median brings back 7, but adaptive PGD breaks it; blur holds",
            ),
            (vec![of("median", Right, Right)], "median holds against adaptive PGD too"),
            (
                vec![of("squeeze", Detected, Fooled), of("median", Fooled, Fooled)],
                "feature squeezing refuses the picture, but adaptive PGD gets past it; no other \
                 defence brings back 7",
            ),
        ] {
            assert_eq!(say(&all).to_lowercase(), words.to_lowercase());
        }
    }
}
