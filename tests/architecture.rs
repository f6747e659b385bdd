//! Reads `src/` and fails where a line points the wrong way. The tables are the architecture: see
//! the crate's documentation for the reasons.

use std::fs;
use std::path::{Path, PathBuf};

/// The core, lowest layer first. A file may name its own layer and those below it.
const LAYERS: &[&[&str]] = &[
    &["error", "printable"],
    &["parameter", "draws"],
    &["data"],
    &["model"],
    &["attack", "defence"],
    &["metrics"],
    &["experiment"],
    &["training", "engine"],
];

/// What may look upwards all the same: (file, module), each with its reason.
const UPWARDS: &[(&str, &str)] = &[];

/// The edges: the core names none of them.
const EDGES: &[&str] = &["config", "logging", "terminal", "show", "cli", "tui"];

/// Libraries of the edges: the core names none of them either.
const EDGE_CRATES: &[&str] = &[
    "ratatui",
    "crossterm",
    "mio",
    "tui_input",
    "viuer",
    "clap",
    "clap_complete",
    "clap_mangen",
    "tokio",
    "indicatif",
    "etcetera",
];

/// (module, what it never names)
const NEVER: &[(&str, &[&str])] = &[
    ("cli", &["tui"]),
    ("tui", &["cli"]),
    ("show", &["cli", "tui", "config"]),
    ("terminal", &["cli", "tui", "config"]),
    ("logging", &["cli", "tui", "config"]),
];

/// No file is longer: a longer one does more than one thing.
const LONGEST: usize = 450;

/// A source file: its path below `src/`, and its lines without comments.
struct Source {
    path: String,
    lines: Vec<(usize, String)>,
    length: usize,
}

impl Source {
    /// The top-level module it belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The top-level modules that a line names, as `crate::x` or in `use crate::{x, y::z}`.
    fn names(line: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            match rest.strip_prefix('{') {
                None => found.push(first_word(rest)),
                Some(list) => found.extend(list.split([',', '}']).map(|p| first_word(p.trim()))),
            }
        }
        found
    }

    fn place(&self, line: usize) -> String {
        format!("src/{}:{line}", self.path)
    }
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Whether `line` names `krate` as a path: `krate::…` or `use krate`.
fn names_crate(line: &str, krate: &str) -> bool {
    line.match_indices(krate).any(|(at, _)| {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back();
        let after = &line[at + krate.len()..];
        !before.is_some_and(word)
            && (after.starts_with("::")
                || line.trim_start().starts_with("use ") && !after.starts_with(word))
    })
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push(path),
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let code = |line: &str| line.split("//").next().unwrap_or_default().to_string();
        Source {
            path: path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"),
            lines: text.lines().map(code).enumerate().map(|(n, l)| (n + 1, l)).collect(),
            length: text.lines().count(),
        }
    };
    paths.iter().map(read).collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Fails with every complaint at once.
fn report(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_module_has_its_place() {
    let mut complaints = Vec::new();
    for source in sources() {
        let module = source.module();
        let known =
            layer(module).is_some() || EDGES.contains(&module) || ["lib", "main"].contains(&module);
        if !known {
            complaints
                .push(format!("src/{}: '{module}' stands in no table of this test", source.path));
        }
    }
    report(complaints);
}

#[test]
fn the_core_looks_down_only() {
    let mut complaints = Vec::new();
    for source in sources() {
        let Some(own) = layer(source.module()) else {
            continue;
        };
        for (number, line) in &source.lines {
            for name in Source::names(line) {
                let excused = UPWARDS.contains(&(source.path.as_str(), name));
                if EDGES.contains(&name) || layer(name).is_some_and(|other| other > own) && !excused
                {
                    let (place, module) = (source.place(*number), source.module());
                    complaints
                        .push(format!("{place}: '{module}' names '{name}', which is above it"));
                }
            }
            for krate in EDGE_CRATES.iter().filter(|krate| names_crate(line, krate)) {
                complaints.push(format!("{}: the core names '{krate}'", source.place(*number)));
            }
        }
    }
    report(complaints);
}

#[test]
fn the_edges_keep_apart() {
    let mut complaints = Vec::new();
    for source in sources() {
        let own = source.module();
        let never =
            NEVER.iter().find(|(module, _)| *module == own).map_or(&[][..], |(_, names)| names);
        let in_test = |number: usize| {
            let tests = source.lines.iter().find(|(_, line)| line.trim() == "#[cfg(test)]");
            tests.is_some_and(|(start, _)| number > *start)
        };
        for (number, line) in source.lines.iter().filter(|(number, _)| !in_test(*number)) {
            for name in Source::names(line).into_iter().filter(|name| never.contains(name)) {
                complaints.push(format!("{}: '{own}' names '{name}'", source.place(*number)));
            }
            if own != "show" && names_crate(line, "viuer") {
                complaints.push(format!("{}: only show.rs names viuer", source.place(*number)));
            }
            if source.path.starts_with("tui/widgets/")
                && (line.contains("tui::app") || line.contains("super::super::app"))
            {
                complaints.push(format!(
                    "{}: a widget imports the dashboard's state",
                    source.place(*number)
                ));
            }
        }
    }
    report(complaints);
}

#[test]
fn no_file_does_more_than_one_thing() {
    let long = sources().into_iter().filter(|source| source.length > LONGEST);
    report(
        long.map(|s| format!("src/{}: {} lines, more than {LONGEST}", s.path, s.length)).collect(),
    );
}

#[test]
fn the_binary_is_thin() {
    let sources = sources();
    let main = sources.iter().find(|source| source.path == "main.rs").unwrap();
    assert!(main.length <= 30, "src/main.rs has {} lines", main.length);
}

#[test]
fn the_reader_of_lines_sees_what_it_should() {
    assert_eq!(Source::names("use crate::tui::app;"), ["tui"]);
    assert_eq!(Source::names("use crate::{cli, data::Sample};"), ["cli", "data", ""]);
    assert!(
        names_crate("use viuer::print;", "viuer") && names_crate("let x = viuer::y();", "viuer")
    );
    assert!(
        !names_crate("use crate::not_viuer::z;", "viuer") && !names_crate("a viuer b", "viuer")
    );
}
