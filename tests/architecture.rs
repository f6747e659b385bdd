//! Reads `src/` and fails where a line points the wrong way. The tables are the architecture: see
//! the crate's documentation for the reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The core, lowest layer first. A file may name its own layer and those below it.
const LAYERS: &[&[&str]] = &[
    &["error", "printable"],
    &["parameter", "rng", "norm"],
    &["data"],
    &["model"],
    &["attack", "defence"],
    &["metrics"],
    &["experiment"],
    &["training", "engine"],
];

/// The edges: the core names none of them.
const EDGES: &[&str] = &["config", "logging", "terminal", "show", "dashboard", "cli", "tui"];

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

/// Files of one room that name each other all the same, each circle with its reason.
const CIRCLES: &[&[&str]] = &[];

/// A source file: its path below `src/`, and its code without comments, strings and tests.
struct Source {
    path: String,
    code: String,
    length: usize,
}

/// A path that a file names, from the root of the crate: `["attack", "registry", "find"]`.
struct Named {
    line: usize,
    path: Vec<String>,
}

impl Source {
    /// The path of the module that the file is.
    fn module(&self) -> Vec<String> {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').map(str::to_string).collect()
    }

    /// The top-level module it belongs to.
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Every path of this crate that the file names, in imports (of one line or many) and elsewhere.
    fn named(&self) -> Vec<Named> {
        let mut found = Vec::new();
        let own = self.module();
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '.' || c == '$';
        for (at, _) in self.code.match_indices(char::is_alphabetic) {
            if self.code[..at].chars().next_back().is_some_and(part) {
                continue;
            }
            let (word, rest) = word(&self.code[at..]);
            let Some(rest) = rest.strip_prefix("::") else {
                continue;
            };
            let base = match word {
                "crate" => Vec::new(),
                "self" => own.clone(),
                "super" => own[..own.len() - 1].to_vec(),
                _ => continue,
            };
            let line = 1 + self.code[..at].matches('\n').count();
            let mut paths = Vec::new();
            tree(rest, &base, &mut paths);
            found.extend(paths.into_iter().map(|path| Named { line, path }));
        }
        found
    }

    /// What a parent re-exports from its children: (name, child).
    fn reexports(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("pub use ") {
            let mut paths = Vec::new();
            tree(&self.code[at + "pub use ".len()..], &[], &mut paths);
            for path in paths.iter().filter(|path| path.len() > 1) {
                found.push((path[path.len() - 1].clone(), path[0].clone()));
            }
        }
        found
    }

    fn place(&self, line: usize) -> String {
        format!("src/{}:{line}", self.path)
    }
}

/// The identifier that `text` begins with, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// Reads one path or tree of paths, `a::{b, c::d}`, below `base`; answers what follows it.
fn tree<'a>(text: &'a str, base: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            match rest.strip_prefix('}') {
                Some(rest) => return rest,
                None if rest.is_empty() => return rest,
                None => {
                    let before = rest.len();
                    rest = tree(rest, base, found);
                    // `as name` and `*`: nothing that this test reads.
                    let end = rest.find([',', '}']).unwrap_or(rest.len());
                    rest = &rest[end..];
                    assert!(rest.len() < before, "a list of imports that cannot be read");
                }
            }
        }
    }
    let (name, rest) = word(text);
    let mut path = base.to_vec();
    match name {
        "super" => drop(path.pop()),
        "self" | "" => {}
        name => path.push(name.to_string()),
    }
    match rest.strip_prefix("::") {
        Some(rest) => tree(rest, &path, found),
        None => {
            found.push(path);
            rest
        }
    }
}

/// `text` without comments, without what stands in quotes, and without its tests; every line stays
/// where it is.
fn code(text: &str) -> String {
    let text = text.find("#[cfg(test)]\nmod").map_or(text, |at| &text[..at]);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                chars.by_ref().take_while(|c| *c != '\n').for_each(drop);
                out.push('\n');
            }
            '\'' => match (chars.next(), chars.peek()) {
                (Some('\\'), _) => chars.by_ref().skip(1).take_while(|c| *c != '\'').for_each(drop),
                (Some(_), Some('\'')) => drop(chars.next()),
                (inner, _) => out.extend([Some('\''), inner].into_iter().flatten()),
            },
            '"' => {
                out.push('"');
                while let Some(inner) = chars.next() {
                    match inner {
                        '\\' => drop(chars.next().filter(|c| *c == '\n').map(|c| out.push(c))),
                        '"' => break,
                        '\n' => out.push('\n'),
                        _ => {}
                    }
                }
                out.push('"');
            }
            c => out.push(c),
        }
    }
    out
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
        Source {
            path: path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"),
            code: code(&text),
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
        let room = source.room();
        let known =
            layer(room).is_some() || EDGES.contains(&room) || ["lib", "main"].contains(&room);
        if !known {
            complaints
                .push(format!("src/{}: '{room}' stands in no table of this test", source.path));
        }
    }
    report(complaints);
}

#[test]
fn the_core_looks_down_only() {
    let mut complaints = Vec::new();
    for source in sources() {
        let Some(own) = layer(source.room()) else {
            continue;
        };
        for Named { line, path } in source.named() {
            let Some(name) = path.first() else {
                continue;
            };
            let above = layer(name).is_some_and(|other| other > own);
            if EDGES.contains(&name.as_str()) || above {
                let (place, room) = (source.place(line), source.room());
                complaints.push(format!("{place}: '{room}' names '{name}', which is above it"));
            }
        }
        for (number, line) in source.code.lines().enumerate() {
            for krate in EDGE_CRATES.iter().filter(|krate| names_crate(line, krate)) {
                complaints.push(format!("{}: the core names '{krate}'", source.place(number + 1)));
            }
        }
    }
    report(complaints);
}

#[test]
fn the_edges_keep_apart() {
    let mut complaints = Vec::new();
    for source in sources() {
        let own = source.room();
        let never = NEVER.iter().find(|(room, _)| *room == own).map_or(&[][..], |(_, names)| names);
        for Named { line, path } in source.named() {
            if let Some(name) = path.first().filter(|name| never.contains(&name.as_str())) {
                complaints.push(format!("{}: '{own}' names '{name}'", source.place(line)));
            }
            if source.path.starts_with("tui/widgets/")
                && path.starts_with(&["tui".into(), "app".into()])
            {
                let place = source.place(line);
                complaints.push(format!("{place}: a widget imports the dashboard's state"));
            }
        }
        for (number, line) in source.code.lines().enumerate() {
            if own != "show" && names_crate(line, "viuer") {
                complaints.push(format!("{}: only show names viuer", source.place(number + 1)));
            }
        }
    }
    report(complaints);
}

/// What a file is called in [`CIRCLES`]: `attack/registry`.
fn unit(path: &[String]) -> String {
    path.join("/")
}

/// The arrows between the files of one room: from each file, which others of the room it names. A name
/// that a parent re-exports counts as one of the child that declares it.
fn arrows(all: &[Source], room: &str) -> BTreeMap<String, BTreeMap<String, usize>> {
    let inside: Vec<&Source> = all.iter().filter(|source| source.room() == room).collect();
    let modules: BTreeSet<Vec<String>> = inside.iter().map(|source| source.module()).collect();
    let mut exported = BTreeMap::new();
    for source in &inside {
        for (name, child) in source.reexports() {
            let at = |last: &str| [source.module(), vec![last.to_string()]].concat();
            exported.insert(at(&name), at(&child));
        }
    }
    // The longest beginning of a path that is a file, after re-exports are followed.
    let owner = |path: &[String]| {
        let mut path = path.to_vec();
        for _ in 0..4 {
            let step = (1..=path.len()).rev().find_map(|n| {
                let child = exported.get(&path[..n]).filter(|_| !modules.contains(&path[..n]))?;
                Some([child.clone(), path[n - 1..].to_vec()].concat())
            });
            match step {
                Some(next) => path = next,
                None => break,
            }
        }
        (1..=path.len()).rev().map(|n| path[..n].to_vec()).find(|m| modules.contains(m))
    };
    let mut found: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for source in &inside {
        let own = source.module();
        let to = found.entry(unit(&own)).or_default();
        for Named { line, path } in source.named() {
            // A parent's arrows to its children are what a folder is; they are no circle's.
            if let Some(other) =
                owner(&path).filter(|other| *other != own && !other.starts_with(&own))
            {
                to.entry(unit(&other)).or_insert(line);
            }
        }
    }
    found
}

/// Every file that can be reached from `from`.
fn reachable(arrows: &BTreeMap<String, BTreeMap<String, usize>>, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_string()];
    while let Some(at) = open.pop() {
        for next in arrows.get(&at).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    seen
}

#[test]
fn no_circles_inside_the_rooms() {
    let all = sources();
    let rooms: BTreeSet<&str> = all.iter().map(Source::room).collect();
    let mut complaints = Vec::new();
    for room in rooms {
        let arrows = arrows(&all, room);
        let mut told = BTreeSet::new();
        let reach: BTreeMap<&String, BTreeSet<String>> =
            arrows.keys().map(|file| (file, reachable(&arrows, file))).collect();
        for (&file, reached) in &reach {
            let back = |other: &&String| reach[other].contains(file);
            let circle: BTreeSet<String> = reached.iter().filter(back).cloned().collect();
            let files: Vec<&str> = circle.iter().map(String::as_str).collect();
            if circle.contains(file)
                && told.insert(circle.clone())
                && !CIRCLES.contains(&&files[..])
            {
                complaints.push(format!("a circle of {}: {}", files.len(), files.join(", ")));
                for (from, to) in arrows.iter().filter(|(from, _)| circle.contains(*from)) {
                    for (to, line) in to.iter().filter(|(to, _)| circle.contains(*to)) {
                        complaints.push(format!("    {from}:{line} names {to}"));
                    }
                }
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
fn the_reader_sees_what_it_should() {
    let source = |path: &str, text: &str| Source {
        path: path.into(),
        code: code(text),
        length: text.lines().count(),
    };
    let named = |path: &str, text: &str| -> Vec<String> {
        source(path, text).named().iter().map(|named| unit(&named.path)).collect()
    };
    assert_eq!(named("cli/list.rs", "use crate::tui::app;"), ["tui/app"]);
    assert_eq!(
        named("cli.rs", "use crate::{\n    cli as c,\n    data::{Sample, photo::*},\n};"),
        ["cli", "data/Sample", "data/photo"]
    );
    assert_eq!(
        named("cli/list.rs", "use super::args::{self, List};"),
        ["cli/args", "cli/args/List"]
    );
    assert_eq!(
        named("a/b/mod.rs", "fn f() { super::super::c::d(self::e::F) }"),
        ["c/d", "a/b/e/F"]
    );
    assert_eq!(named("a.rs", "// crate::b\n\"crate::c\" 'x' '\\'' <'a> crate::d"), ["d"]);
    assert_eq!(named("a.rs", "crate::b\n#[cfg(test)]\nmod tests { use crate::c; }"), ["b"]);
    let parent = source("a/mod.rs", "pub use b::{c::D, E};");
    let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
    assert_eq!(parent.reexports(), [pair("D", "b"), pair("E", "b")]);
    let ring = [
        source("a/mod.rs", "pub use b::B;"),
        source("a/b.rs", "use super::c::C;"),
        source("a/c.rs", "use crate::a::B;"),
        source("a/d.rs", "use crate::a::B;"),
    ];
    let arrows = arrows(&ring, "a");
    assert!(
        reachable(&arrows, "a/b").contains("a/b") && !reachable(&arrows, "a/d").contains("a/d")
    );
    assert!(
        names_crate("use viuer::print;", "viuer") && names_crate("let x = viuer::y();", "viuer")
    );
    assert!(
        !names_crate("use crate::not_viuer::z;", "viuer") && !names_crate("a viuer b", "viuer")
    );
}
