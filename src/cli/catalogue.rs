//! What there is, as lists: attacks, defences, evaluation checks, lessons, keys. Each is one table
//! made from its registry, printed as text, Markdown or JSON, and put into the manual page.

use super::CommandContext;
use super::args::{CatalogueArgs, ListFormat};
use super::output::Style;
use super::registry_rows::{attack_json, check_json, defence_json, key_json, lesson_json};
use crate::attack::{self, ATTACKS, AttackSpec, Bound, Knowledge};
use crate::dashboard::KeyRow;
use crate::defence::{DEFENCES, DefenceConfig, DefenceSpec};
use crate::error::Result;
use crate::experiment::{LESSONS, LessonSpec, VERSION};
use crate::metrics::checks::{CHECKS, Check};
use crate::model::{self, Card};
use crate::parameter::Param;
use crate::printable::{markdown_table, percent};
use serde_json::{Value, json};

/// A list as rows of text, some of them under headings.
pub struct Catalogue {
    /// The names of the columns.
    columns: &'static [&'static str],
    /// Heading (empty where there is none) and cells.
    rows: Vec<(&'static str, Vec<String>)>,
    /// The column with what is typed.
    typed: usize,
}

impl Catalogue {
    /// The attacks, by family.
    pub fn attacks(of: &[&AttackSpec]) -> Self {
        let row = |spec: &&AttackSpec| {
            let knows = match spec.knowledge() {
                Knowledge::Gradient => "gradients",
                Knowledge::Score => "scores",
                Knowledge::Decision => "labels",
            };
            let bound = match spec.bound {
                Bound::FixedEpsilon => "ε",
                Bound::MinimumNorm => "nothing: finds the least",
                Bound::Own => "its parameters",
            };
            let norms: Vec<String> = spec.norms.iter().map(ToString::to_string).collect();
            (spec.family, cells([spec.name, spec.id, knows, &norms.join(" "), bound, spec.paper]))
        };
        Self {
            columns: &["Attack", "--attack", "Knows", "Norms", "Bounded by", "Source"],
            rows: of.iter().map(row).collect(),
            typed: 1,
        }
    }

    /// The defences, by family.
    pub fn defences(of: &[&DefenceSpec]) -> Self {
        let row = |spec: &&DefenceSpec| {
            let random = if spec.randomised { "yes" } else { "" };
            let gradient = spec.backward.text();
            let row = [spec.name, spec.id, gradient, random, spec.summary, spec.paper];
            (spec.family, cells(row))
        };
        Self {
            columns: &["Defence", "--defence", "Gradient", "Random", "What it does", "Source"],
            rows: of.iter().map(row).collect(),
            typed: 1,
        }
    }

    /// The evaluation checks.
    pub fn checks(of: &[&Check]) -> Self {
        let row = |check: &&Check| {
            let asks = if check.probe.is_some() { "yes" } else { "" };
            ("", cells([check.id, check.watches, check.rule, check.remedy, asks, check.source]))
        };
        Self {
            columns: &["Check", "Looks for", "Rule", "What helps", "Queries the model", "Source"],
            rows: of.iter().map(row).collect(),
            typed: 0,
        }
    }

    /// The lessons.
    pub fn lessons() -> Self {
        let row = |lesson: &LessonSpec| ("", cells([lesson.id, lesson.title, lesson.paper]));
        Self {
            columns: &["Lesson", "What it teaches", "Source"],
            rows: LESSONS.iter().map(row).collect(),
            typed: 0,
        }
    }

    /// The dashboard's keys, by group.
    pub fn keys(rows: &[KeyRow]) -> Self {
        let row = |row: &KeyRow| {
            let place = match row.place {
                "" => String::new(),
                place => format!(" ({place})"),
            };
            (row.group, vec![row.keys.join(" "), format!("{}{place}", row.action)])
        };
        Self { columns: &["Keys", "What they do"], rows: rows.iter().map(row).collect(), typed: 0 }
    }

    /// The rows with headings between them: each heading with the rows under it, in order.
    fn groups(&self) -> Vec<(&'static str, Vec<&[String]>)> {
        let mut out: Vec<(&str, Vec<&[String]>)> = Vec::new();
        for (heading, cells) in &self.rows {
            match out.last_mut() {
                Some((last, rows)) if last == heading => rows.push(cells),
                _ => out.push((heading, vec![cells])),
            }
        }
        out
    }

    /// The list as one Markdown table; headings are rows of their own.
    pub fn markdown(&self) -> String {
        let mut rows = vec![self.columns.iter().map(ToString::to_string).collect()];
        for (heading, cells) in self.groups() {
            if !heading.is_empty() {
                let mut row = vec![String::new(); self.columns.len()];
                row[0] = format!("**{heading}**");
                rows.push(row);
            }
            rows.extend(cells.into_iter().map(|cells| {
                let mut row = cells.to_vec();
                let typed: Vec<String> =
                    row[self.typed].split(' ').map(|word| format!("`{word}`")).collect();
                row[self.typed] = typed.join(" ");
                row
            }));
        }
        markdown_table(&rows)
    }

    /// The list for a manual page: each row as what is typed, and the other cells in one paragraph.
    pub fn manual(&self, title: &str, page: &mut clap_mangen::roff::Roff) {
        use clap_mangen::roff::{bold, roman};
        page.control("SH", [title]);
        for (heading, rows) in self.groups() {
            if !heading.is_empty() {
                page.control("SS", [heading]);
            }
            for cells in rows {
                let others = cells.iter().enumerate().filter(|(at, _)| *at != self.typed);
                let told: Vec<&str> =
                    others.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty()).collect();
                page.control("TP", []);
                page.text([bold(cells[self.typed].as_str())]);
                page.text([roman(told.join("; "))]);
            }
        }
    }
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_string).to_vec()
}

/// Prints a list in `format`: `json` under its `name`, or what `text` prints.
fn print(
    (name, json): (&str, Vec<Value>),
    catalogue: &Catalogue,
    format: ListFormat,
    context: &mut CommandContext,
    text: impl FnOnce(&mut CommandContext) -> Result<()>,
) -> Result<()> {
    match format {
        ListFormat::Json => context.out.json(&json!({ "version": VERSION, name: json })),
        ListFormat::Md => context.out.text(&catalogue.markdown()),
        ListFormat::Text => text(context),
    }
}

/// `attacks`
pub fn attacks(id: Option<&str>, list: &CatalogueArgs, context: &mut CommandContext) -> Result<()> {
    let wanted: Vec<&AttackSpec> = match id {
        Some(id) => vec![attack::find(id)?],
        None => ATTACKS.iter().collect(),
    };
    let json = wanted.iter().map(|attack| attack_json(attack)).collect();
    let catalogue = Catalogue::attacks(&wanted);
    print(("attacks", json), &catalogue, list.format(), context, |context| {
        match (id, wanted.as_slice()) {
            (Some(_), [attack]) => explain_attack(attack, context),
            _ => attacks_by_knowledge(&wanted, context),
        }
    })
}

fn attacks_by_knowledge(attacks: &[&AttackSpec], context: &mut CommandContext) -> Result<()> {
    let mut gap = "";
    for knowledge in [Knowledge::Gradient, Knowledge::Score, Knowledge::Decision] {
        let mut rows = vec![cells(["attack", "family", "norms", "what it does"])];
        let group = attacks.iter().filter(|a| a.knowledge() == knowledge);
        rows.extend(group.map(|a| cells([a.id, a.family, &norms(a), a.summary])));
        if rows.len() == 1 {
            continue;
        }
        heading(gap, &knowledge.to_string(), context)?;
        context.out.table(&rows)?;
        gap = "\n";
    }
    context.out.line("\n`epsiloscope attacks ID` explains one")
}

fn explain_attack(attack: &AttackSpec, context: &mut CommandContext) -> Result<()> {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_string();
    let bound = match attack.bound {
        Bound::FixedEpsilon => "ε",
        Bound::MinimumNorm => "nothing: it looks for the least perturbation",
        Bound::Own => "its own parameters",
    };
    let facts = [
        ("family", attack.family.to_string()),
        ("knowledge", attack.knowledge().to_string()),
        ("norms", norms(attack)),
        ("bounded by", bound.to_string()),
        ("targeted", yes(attack.targeted)),
        ("random", yes(attack.random)),
        ("paper", attack.paper.to_string()),
    ];
    explain((attack.id, attack.name, attack.summary, attack.about), &facts, context)?;
    explain_parameters(attack.params, "--set NAME=VALUE", context)
}

fn norms(attack: &AttackSpec) -> String {
    let ids: Vec<_> = attack.norms.iter().map(|norm| norm.id()).collect();
    ids.join(", ")
}

/// `defences`
pub fn defences(
    id: Option<&str>,
    list: &CatalogueArgs,
    context: &mut CommandContext,
) -> Result<()> {
    let wanted: Vec<&DefenceSpec> = match id {
        Some(id) => vec![DefenceConfig::parse(id)?.defence],
        None => DEFENCES.iter().collect(),
    };
    let json =
        wanted.iter().map(|defence| defence_json(defence, defence.backward.text())).collect();
    let catalogue = Catalogue::defences(&wanted);
    print(("defences", json), &catalogue, list.format(), context, |context| {
        match (id, wanted.as_slice()) {
            (Some(_), [defence]) => explain_defence(defence, context),
            _ => defences_by_family(&wanted, context),
        }
    })
}

fn defences_by_family(defences: &[&DefenceSpec], context: &mut CommandContext) -> Result<()> {
    let mut families: Vec<&str> = defences.iter().map(|defence| defence.family).collect();
    families.dedup();
    for (at, family) in families.into_iter().enumerate() {
        heading(if at > 0 { "\n" } else { "" }, family, context)?;
        let mut rows = vec![cells(["defence", "gradient", "random", "what it does"])];
        let random = |d: &DefenceSpec| if d.randomised { "yes" } else { "" };
        let group = defences.iter().filter(|d| d.family == family);
        rows.extend(group.map(|d| cells([d.id, d.backward.text(), random(d), d.summary])));
        context.out.table(&rows)?;
    }
    context
        .out
        .line("\n`epsiloscope defences ID` explains one; stack them by +: jpeg:75+bits:5+pgd-at")
}

fn explain_defence(defence: &DefenceSpec, context: &mut CommandContext) -> Result<()> {
    let facts = [
        ("family", defence.family.to_string()),
        ("gradient", defence.backward.text().to_string()),
        ("randomised", if defence.randomised { "yes" } else { "no" }.to_string()),
        ("networks", networks(defence)),
        ("paper", defence.paper.to_string()),
    ];
    explain((defence.id, defence.name, defence.summary, defence.about), &facts, context)?;
    explain_parameters(defence.params, "--defence ID:VALUE, or ID:NAME=VALUE", context)
}

/// The built-in networks that were trained like this, and what is known of them.
fn networks(defence: &DefenceSpec) -> String {
    let trained = |card: &Card| card.defence.as_deref() == Some(defence.id);
    let one = |card: Card| {
        let clean = card.accuracy.as_ref().map(|a| format!("{} clean", percent(a.clean, 1)));
        let bound = card.training.get("lipschitz_bound").and_then(toml::Value::as_float);
        let bound = bound.map(|bound| format!("Lipschitz bound {bound:.1}"));
        let known: Vec<String> = clean.into_iter().chain(bound).collect();
        format!("{} ({})", card.name, known.join(", "))
    };
    let found = model::catalogue().into_iter().filter(trained).map(one);
    found.collect::<Vec<_>>().join(", ")
}

/// `checks`
pub fn checks(id: Option<&str>, list: &CatalogueArgs, context: &mut CommandContext) -> Result<()> {
    let wanted: Vec<&Check> = match id {
        Some(id) => vec![Check::find(id)?],
        None => CHECKS.iter().collect(),
    };
    let json = wanted.iter().map(|check| check_json(check)).collect();
    print(("checks", json), &Catalogue::checks(&wanted), list.format(), context, |context| {
        let asks = |check: &Check| if check.probe.is_some() { "yes" } else { "" };
        if let (Some(_), [check]) = (id, wanted.as_slice()) {
            let facts = [
                ("queries", if check.probe.is_some() { "the model" } else { "nothing" }.into()),
                ("what helps", check.remedy.to_string()),
                ("source", check.source.to_string()),
            ];
            return explain((check.id, check.name, check.watches, check.rule), &facts, context);
        }
        let mut rows = vec![cells(["check", "queries", "looks for"])];
        rows.extend(wanted.iter().map(|check| cells([check.id, asks(check), check.watches])));
        context.out.table(&rows)?;
        context.out.line("\n`epsiloscope checks ID` explains one; --lamps runs those that query")
    })
}

/// `lessons` without an ID.
pub fn lessons(list: &CatalogueArgs, context: &mut CommandContext) -> Result<()> {
    let json = LESSONS.iter().map(lesson_json).collect();
    print(("lessons", json), &Catalogue::lessons(), list.format(), context, |context| {
        let mut rows = vec![cells(["lesson", "what it teaches"])];
        rows.extend(LESSONS.iter().map(|lesson| cells([lesson.id, lesson.title])));
        context.out.table(&rows)?;
        let told = "\n`epsiloscope lessons ID` measures one, `epsiloscope lessons all` every one";
        context.out.line(told)
    })
}

/// `keys`
pub fn keys(list: &CatalogueArgs, context: &mut CommandContext) -> Result<()> {
    let keys = (context.keys)();
    let catalogue = Catalogue::keys(&keys);
    let json = keys.iter().map(key_json).collect();
    print(("keys", json), &catalogue, list.format(), context, |context| {
        for (at, (group, rows)) in catalogue.groups().into_iter().enumerate() {
            heading(if at > 0 { "\n" } else { "" }, group, context)?;
            let mut table = vec![cells(["keys", "what they do"])];
            table.extend(rows.into_iter().map(<[String]>::to_vec));
            context.out.table(&table)?;
        }
        Ok(())
    })
}

fn heading(gap: &str, text: &str, context: &mut CommandContext) -> Result<()> {
    let text = context.out.paint(Style::Strong, text);
    context.out.line(&format!("{gap}{text}"))
}

/// One row with everything it says: name, summary, a paragraph, facts.
fn explain(
    (id, name, summary, about): (&str, &str, &str, &str),
    facts: &[(&str, String)],
    context: &mut CommandContext,
) -> Result<()> {
    let out = &mut context.out;
    let head = out.paint(Style::Strong, &format!("{name} ({id})"));
    out.line(&format!("{head}: {summary}\n\n{}\n", wrap(about, 88)))?;
    for (key, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        out.line(&format!("{key:<11} {value}"))?;
    }
    Ok(())
}

fn explain_parameters(params: &[Param], usage: &str, context: &mut CommandContext) -> Result<()> {
    if params.is_empty() {
        return Ok(());
    }
    context.out.line(&format!("\nParameters ({usage}):"))?;
    let mut rows = vec![cells(["name", "default", "allowed", "meaning"])];
    rows.extend(
        params.iter().map(|p| cells([p.id, &p.default().to_string(), &p.allowed(), p.help])),
    );
    context.out.table(&rows)
}

/// Breaks a paragraph into lines of at most `width` columns, between words only.
fn wrap(text: &str, width: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let options = textwrap::Options::new(width)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(&words.join(" "), options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_between_words() {
        assert_eq!(wrap("one two  three", 7), "one two\nthree");
        assert_eq!(wrap("", 7), "");
        assert_eq!(wrap("extra-ordinary", 7), "extra-ordinary");
    }
}
