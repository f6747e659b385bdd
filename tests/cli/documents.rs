//! Help, lists, manual, completions and README say what the program does.

use crate::{User, root};
use epsiloscope::attack::ATTACKS;
use epsiloscope::defence::DEFENCES;
use epsiloscope::experiment::LESSONS;
use epsiloscope::metrics::checks::CHECKS;
use std::collections::HashMap;

const COMMANDS: [&str; 18] = [
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
    "checks",
    "keys",
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
fn the_lists_are_the_registries() {
    let user = User::new();
    let attacks = ATTACKS.iter().map(|spec| (spec.id, vec![spec.name, spec.paper]));
    let defences = DEFENCES.iter().map(|spec| (spec.id, vec![spec.name, spec.summary, spec.paper]));
    let checks =
        CHECKS.iter().map(|check| (check.id, vec![check.watches, check.rule, check.source]));
    let lessons = LESSONS.iter().map(|lesson| (lesson.id, vec![lesson.title, lesson.paper]));
    /// The texts of a row, after its name.
    type Row<'a> = (&'a str, Vec<&'a str>);
    let lists: [(&str, Vec<Row<'_>>); 4] = [
        ("attacks", attacks.collect()),
        ("defences", defences.collect()),
        ("checks", checks.collect()),
        ("lessons", lessons.collect()),
    ];
    let manual = user.succeeds("man");
    for (command, rows) in lists {
        let text = user.succeeds(command);
        let json = user.json(&format!("{command} --format json"));
        assert_eq!(json, user.json(&format!("{command} --json")), "{command}");
        let ids: Vec<_> = rows.iter().map(|(id, _)| *id).collect();
        let found = json[command].as_array().unwrap().iter();
        assert_eq!(found.map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
        let markdown = user.succeeds(&format!("{command} --format md"));
        let columns = markdown.lines().next().unwrap().matches('|').count();
        for (id, cells) in rows {
            let mut lines = markdown.lines().filter(|line| line.contains(&format!("| `{id}` |")));
            let line = lines.next().unwrap_or_else(|| panic!("{command}: no row of {id}"));
            assert!(lines.next().is_none(), "{command}: two rows of {id}");
            assert_eq!(line.matches('|').count() - line.matches("\\|").count(), columns, "{line}");
            for cell in cells {
                assert!(line.contains(&cell.replace('|', "\\|")), "{command} {id}: {cell}");
            }
            assert!(text.contains(id), "{command}: {id}");
            let heading = format!("\\fB{}\\fR", id.replace('-', "\\-"));
            assert!(manual.contains(&heading), "the manual page lacks {command} {id}");
        }
    }
}

#[test]
fn the_list_of_keys_is_the_dashboards() {
    let user = User::new();
    let [text, markdown] = ["keys", "keys --format md"].map(|line| user.succeeds(line));
    let json = user.json("keys --format json");
    let found = json["keys"].as_array().unwrap();
    let rows = epsiloscope::tui::key_rows();
    assert_eq!(found.len(), rows.len());
    for (row, found) in rows.iter().zip(found) {
        assert_eq!(
            (found["group"].as_str(), found["action"].as_str()),
            (Some(row.group), Some(row.action))
        );
        let keys: Vec<_> = row.keys.iter().map(|key| format!("`{key}`")).collect();
        let place = if row.place.is_empty() { String::new() } else { format!(" ({})", row.place) };
        let line = format!("| {} | {}{place} |", keys.join(" "), row.action);
        assert!(markdown.contains(&line.replace("`|`", "`\\|`")), "{line}");
        assert!(text.contains(&row.keys.join(" ")) && text.contains(row.action), "{line}");
    }
}

#[test]
fn one_row_of_a_list_is_explained() {
    let user = User::new();
    let text = user.succeeds("checks stance");
    let check = CHECKS.iter().find(|check| check.id == "stance").unwrap();
    assert!(text.contains(check.name) && text.contains(check.remedy), "{text}");
    user.fails("checks stanse", 2, &["did you mean 'stance'?", "`epsiloscope checks`"]);
    user.fails("lessons jpeg --format md", 2, &["--format json"]);
    let one = user.succeeds("attacks pgd --format md");
    assert!(one.contains("| `pgd` |") && !one.contains("| `fgsm` |"), "{one}");
}

/// Every command line in the shell blocks of the README and the guide.
fn shown_commands() -> Vec<String> {
    let text = readme() + &std::fs::read_to_string(root().join("src/guide.md")).unwrap();
    let blocks = text.split("```sh").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("epsiloscope "));
    lines
        .map(|line| line.split(['|', '>', '#']).next().unwrap_or_default().trim().to_string())
        .collect()
}

#[test]
fn the_readme_names_what_there_is() {
    let user = User::new();
    let commands = shown_commands();
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
fn documents_point_at_files_that_are_there() {
    for name in ["README.md", "src/guide.md", "CHANGELOG.md"] {
        let text = std::fs::read_to_string(root().join(name)).unwrap();
        let folder = root().join(name).parent().unwrap().to_path_buf();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            assert!(target.contains("://") || folder.join(target).exists(), "{name}: {target}");
        }
    }
}

#[test]
fn the_readme_is_short() {
    let lines = readme().lines().count();
    assert!(lines <= 200, "the README has {lines} lines: details belong into src/guide.md");
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
