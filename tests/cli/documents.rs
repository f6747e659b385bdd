//! Help, manual, completions and README say what the program does.

use crate::{User, root};
use epsiloscope::attack::{ATTACKS, Bound, Knowledge};
use epsiloscope::defence::{BackwardRule, DEFENCES};
use epsiloscope::experiment::LESSONS;
use epsiloscope::metrics::checks::CHECKS;
use std::collections::HashMap;

const COMMANDS: [&str; 16] = [
    "attack",
    "evaluate",
    "compare",
    "roc",
    "certify",
    "transfer",
    "lessons",
    "bench",
    "train",
    "models",
    "samples",
    "attacks",
    "defences",
    "devices",
    "completions",
    "man",
];

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

#[test]
fn the_help_is_as_it_was() {
    let user = User::new();
    let mut text = user.succeeds("--help");
    let begin = text.find("Global options:").unwrap();
    let end = text.find("The dashboard begins with:").unwrap();
    let global = text[begin..end].to_string();
    for command in COMMANDS {
        let help = user.succeeds(&format!("{command} --help"));
        assert!(help.contains(global.trim_end()), "{command} lacks the global options");
        let own = help.replace(global.trim_end(), "(the global options)");
        text.push_str(&format!("\n──── {command} ────\n{own}"));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_readme_has_the_keys() {
    let text = readme();
    let (_, rest) = text.split_once("<!-- keys -->").expect("a start of the keys");
    let (table, _) = rest.split_once("<!-- /keys -->").expect("an end of the keys");
    let keys = epsiloscope::tui::key_table();
    assert!(table.trim() == keys.trim(), "the README's keys should be:\n\n{keys}");
}

/// The README's table of attacks, from the registry.
fn attack_table() -> String {
    let mut text = String::from(
        "| Attack | `--attack` | Knows | Norms | Bounded by | Source |\n|---|---|---|---|---|---|\n",
    );
    let mut family = "";
    for spec in ATTACKS {
        if spec.family != family {
            family = spec.family;
            text.push_str(&format!("| **{family}** | | | | | |\n"));
        }
        let knows = match spec.knowledge() {
            Knowledge::Gradient => "gradients",
            Knowledge::Score => "scores",
            Knowledge::Decision => "labels",
        };
        let bounded = match spec.bound {
            Bound::FixedEpsilon => "ε",
            Bound::MinimumNorm => "nothing: finds the least",
            Bound::Own => "its parameters",
        };
        let norms: Vec<String> = spec.norms.iter().map(ToString::to_string).collect();
        let (name, id, paper) = (spec.name, spec.id, spec.paper);
        let norms = norms.join(" ");
        text.push_str(&format!("| {name} | `{id}` | {knows} | {norms} | {bounded} | {paper} |\n"));
    }
    text
}

#[test]
fn the_readme_lists_the_attacks() {
    let text = readme();
    let (_, rest) = text.split_once("<!-- attacks -->").expect("a start of the attacks");
    let (table, _) = rest.split_once("<!-- /attacks -->").expect("an end of the attacks");
    let wanted = attack_table();
    assert!(table.trim() == wanted.trim(), "the README's attacks should be:\n\n{wanted}");
}

/// What stands between two marks of the README.
fn between(mark: &str) -> String {
    let text = readme();
    let (_, rest) = text.split_once(&format!("<!-- {mark} -->")).expect("a start");
    rest.split_once(&format!("<!-- /{mark} -->")).expect("an end").0.trim().to_string()
}

/// The README's table of defences, from the registry.
fn defence_table() -> String {
    let mut text = String::from(
        "| Defence | `--defence` | Gradient | Random | What it does | Source |\n|---|---|---|---|---|---|\n",
    );
    let mut family = "";
    for spec in DEFENCES {
        if spec.family != family {
            family = spec.family;
            text.push_str(&format!("| **{family}** | | | | | |\n"));
        }
        let gradient = match spec.backward {
            BackwardRule::Exact => "exact",
            BackwardRule::StraightThrough => "straight-through",
        };
        let random = if spec.randomised { "yes" } else { "" };
        let (name, id, what, paper) = (spec.name, spec.id, spec.summary, spec.paper);
        text.push_str(&format!("| {name} | `{id}` | {gradient} | {random} | {what} | {paper} |\n"));
    }
    text
}

#[test]
fn the_readme_lists_the_defences_and_the_lessons() {
    let wanted = defence_table();
    assert!(between("defences") == wanted.trim(), "the README's defences should be:\n\n{wanted}");
    let mut wanted = String::from("| Lesson | What it teaches | Source |\n|---|---|---|\n");
    for lesson in LESSONS {
        let (id, title, paper) = (lesson.id, lesson.title, lesson.paper);
        wanted.push_str(&format!("| `{id}` | {title} | {paper} |\n"));
    }
    assert!(between("lessons") == wanted.trim(), "the README's lessons should be:\n\n{wanted}");
}

#[test]
fn the_readme_lists_the_lamps() {
    let mut wanted = String::from(
        "| Lamp | What it watches for | When it lights | Asks | Source |\n|---|---|---|---|---|\n",
    );
    for lamp in CHECKS {
        let asks = if lamp.probe.is_some() { "yes" } else { "" };
        let (id, watches, rule, source) = (lamp.id, lamp.watches, lamp.rule, lamp.source);
        wanted.push_str(&format!("| `{id}` | {watches} | {rule} | {asks} | {source} |\n"));
    }
    assert!(between("lamps") == wanted.trim(), "the README's lamps should be:\n\n{wanted}");
}

/// Every command line in the README's shell blocks.
fn readme_commands() -> Vec<String> {
    let text = readme();
    let blocks = text.split("```sh").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("epsiloscope "));
    lines
        .map(|line| line.split(['|', '>', '#']).next().unwrap_or_default().trim().to_string())
        .collect()
}

#[test]
fn the_readme_names_what_there_is() {
    let user = User::new();
    let commands = readme_commands();
    assert!(commands.len() > 10, "{commands:?}");
    let mut help: HashMap<String, String> = HashMap::new();
    for line in &commands {
        let name = line.split(' ').next().unwrap();
        assert!(COMMANDS.contains(&name), "{line}");
        let text =
            help.entry(name.into()).or_insert_with(|| user.succeeds(&format!("{name} --help")));
        for flag in line.split(' ').filter(|word| word.starts_with("--")) {
            assert!(text.contains(flag), "{line}: {flag}");
        }
    }
    for command in COMMANDS {
        assert!(
            readme().contains(&format!("epsiloscope {command}")),
            "the README does not show '{command}'"
        );
    }
}

#[test]
fn the_readme_points_at_files_that_are_there() {
    let text = readme();
    for (at, _) in text.match_indices("](") {
        let target = text[at + 2..].split(')').next().unwrap();
        assert!(target.contains("://") || root().join(target).exists(), "{target}");
    }
}

#[test]
fn completions_and_manual_are_made() {
    let user = User::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = user.succeeds(&format!("completions {shell}"));
        assert!(script.contains("evaluate") && script.contains("batch-size"), "{shell}");
    }
    let page = user.succeeds("man");
    assert!(
        page.contains(".TH epsiloscope")
            && page.contains("EXIT STATUS") | page.contains("Exit status"),
        "{page}"
    );
    let page = user.succeeds("man attack");
    assert!(page.contains("epsiloscope\\-attack") && page.contains("inputs"), "{page}");
}
