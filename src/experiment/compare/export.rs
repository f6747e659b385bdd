//! A comparison as CSV (one line for each number), JSON and Markdown, and as the tables that the
//! command line prints.

use crate::error::{Error, Result};
use crate::experiment::compare::report::{CompareReport, CompareRow};
use crate::experiment::distance::{distance_text, short_distance_text};
use crate::experiment::provenance::Provenance;
use crate::experiment::report::DefenceRow;
use crate::experiment::types::{Prediction, Share};
use crate::metrics::McNemar;
use crate::printable::markdown_table;
use serde::Serialize;
use std::path::Path;

/// The format of an exported comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line a number, with everything it depends on.
    Csv,
    /// One object.
    Json,
    /// Tables.
    Markdown,
}

impl Format {
    /// Every format, with its name on the command line.
    pub const ALL: [(&str, Self); 3] =
        [("csv", Self::Csv), ("json", Self::Json), ("md", Self::Markdown)];

    /// The format that a file's extension names.
    ///
    /// # Errors
    /// Usage, where it names none.
    pub fn of(path: &Path, place: &str) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        let found = Self::ALL.iter().find(|(name, _)| *name == extension);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let what = format!("cannot tell how to write '{}'", path.display());
            Error::usage(what, place, "end the name in .csv, .json or .md")
        })
    }
}

/// A line of the CSV: one number and everything it depends on. The fields' names are the heading.
/// Numbers are written as Rust displays them; what does not apply stays empty.
#[derive(Clone, Default, Serialize)]
struct CsvLine {
    model: String,
    dataset: String,
    sample: String,
    seed: String,
    defence: String,
    name: String,
    stance: String,
    attack: String,
    norm: String,
    epsilon: String,
    parameters: String,
    outcome: String,
    label: String,
    confidence: String,
    held: String,
    distance: String,
    share: String,
    low: String,
    high: String,
    n: String,
    ms: String,
    extra_ms: String,
    only_this: String,
    only_bare: String,
    p: String,
}

impl CompareReport {
    /// The whole comparison in a format.
    ///
    /// # Errors
    /// Failure, where it cannot be put into JSON.
    pub fn text(&self, format: Format) -> Result<String> {
        match format {
            Format::Csv => self.csv(),
            Format::Markdown => Ok(self.markdown()),
            Format::Json => {
                let provenance = Provenance::new(self.origin.clone(), &self.device, self.seed);
                serde_json::to_string_pretty(&provenance.beside(self))
                    .map(|text| format!("{text}\n"))
                    .map_err(|e| Error::failure(format!("cannot write JSON: {e}"), "export", ""))
            }
        }
    }

    /// What all numbers depend on, in one line.
    pub fn caption(&self) -> String {
        let mut out = vec![self.model.clone()];
        out.extend(self.sample.as_ref().map(|sample| match &self.label_name {
            Some(label) => format!("{} ({label})", sample.name),
            None => sample.name.clone(),
        }));
        let counted = self.rows.iter().filter_map(|row| row.many.as_ref()).map(|m| m.clean.n);
        if let (Some(n), Some(done)) = (self.n, counted.min()) {
            let so_far = if done < n { format!(" of {n} so far") } else { String::new() };
            out.push(format!("n = {done}{so_far} (the first of {})", self.dataset));
        }
        out.push(format!("seed {}", self.seed));
        let mut sizes: Vec<String> = Vec::new();
        for column in &self.attacks {
            let size = column.epsilon.map(|epsilon| {
                format!("ε {} {}", column.norm, distance_text(column.norm, epsilon))
            });
            sizes.extend(size.filter(|size| !sizes.contains(size)));
        }
        out.extend(sizes);
        out.join(" · ")
    }

    fn csv(&self) -> Result<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            if let Some(clean) = &row.clean {
                let line = self.line(row, "clean", true);
                lines.push(CsvLine {
                    label: clean.name.clone(),
                    confidence: confidence(clean),
                    ..line
                });
            }
            for (at, cell) in row.cells.iter().enumerate() {
                let Some(cell) = cell else { continue };
                lines.push(CsvLine {
                    outcome: cell.outcome.word().into(),
                    label: cell.adversarial.name.clone(),
                    confidence: confidence(&cell.adversarial),
                    held: text(cell.held.map(|held| held.value)),
                    distance: cell.distance.to_string(),
                    ..self.attacked_line(row, at, true)
                });
            }
            if let Some(tally) = &row.many {
                lines.push(share_line(self.line(row, "clean", false), tally.clean, None));
                for (at, (share, bare)) in tally.attacks.iter().zip(&tally.against_bare).enumerate()
                {
                    let line = || self.attacked_line(row, at, false);
                    lines.extend(share.map(|share| share_line(line(), share, *bare)));
                }
                let line = || self.line(row, "worst", false);
                let worst = tally.worst;
                lines.extend(worst.map(|s| share_line(line(), s, tally.worst_against_bare)));
            }
        }
        let failed = |e: String| Error::failure(format!("cannot write CSV: {e}"), "export", "");
        let mut writer = csv::Writer::from_writer(Vec::new());
        // The heading comes with the first line: where nothing is known yet, it stands alone.
        let nothing = lines.is_empty().then(CsvLine::default);
        let only_heading = nothing.is_some();
        lines.extend(nothing);
        for line in lines {
            writer.serialize(line).map_err(|e| failed(e.to_string()))?;
        }
        let bytes = writer.into_inner().map_err(|e| failed(e.to_string()))?;
        let mut text = String::from_utf8(bytes).map_err(|e| failed(e.to_string()))?;
        if only_heading {
            text.truncate(text.find('\n').map_or(0, |end| end + 1));
        }
        Ok(text)
    }

    /// A line without its numbers; about the one sample, or about many.
    fn line(&self, row: &CompareRow, attack: &str, one: bool) -> CsvLine {
        let sample = self.sample.as_ref().filter(|_| one);
        CsvLine {
            model: self.model.clone(),
            dataset: sample.map_or(&self.dataset, |sample| &sample.dataset).clone(),
            sample: text(sample.map(|sample| sample.index)),
            seed: self.seed.to_string(),
            defence: row.defence.clone(),
            name: row.name.clone(),
            stance: text(row.stance),
            attack: attack.to_string(),
            ms: text(row.ms),
            extra_ms: text(row.extra_ms),
            ..CsvLine::default()
        }
    }

    /// The same for an attack, with what it is allowed to do.
    fn attacked_line(&self, row: &CompareRow, at: usize, one: bool) -> CsvLine {
        let column = &self.attacks[at];
        CsvLine {
            norm: column.norm.id().into(),
            epsilon: text(column.epsilon),
            parameters: column.parameters.to_string(),
            ..self.line(row, column.attack, one)
        }
    }

    fn markdown(&self) -> String {
        let mut text = format!("# Defences × attacks\n\n{}\n", self.caption());
        if self.sample.is_some() {
            text.push_str(&format!(
                "\n## This sample\n\n{LEGEND}\n\n{}",
                markdown_table(&self.sample_table())
            ));
        }
        if self.n.is_some() {
            text.push_str(&format!(
                "\n## Over many samples\n\nRobust accuracy with its 95 % interval: {ROBUST_NOTE}. {TEST_NOTE}.\n\n{}",
                markdown_table(&self.many_table())
            ));
        }
        for words in &self.words {
            text.push_str(&format!("\n- {words}"));
        }
        if !self.words.is_empty() {
            text.push('\n');
        }
        text
    }

    /// What became of the one sample; the first row is the heading.
    pub fn sample_table(&self) -> Vec<Vec<String>> {
        let mut head = vec!["defence".to_string(), "stance".into(), "clean".into()];
        head.extend(self.headings());
        head.push("ms".into());
        let row = |row: &CompareRow| {
            let clean = row.clean.as_ref();
            let clean = clean.map(|p| p.text(0));
            let mut line = vec![row.name.clone(), stance(row), clean.unwrap_or_else(waiting)];
            line.extend(
                row.cells.iter().map(|cell| cell.as_deref().map_or_else(waiting, cell_words)),
            );
            line.push(time(row));
            line
        };
        std::iter::once(head).chain(self.fitting().map(row)).collect()
    }

    /// The shares over many samples; the first row is the heading.
    pub fn many_table(&self) -> Vec<Vec<String>> {
        let mut head = vec!["defence".to_string(), "stance".into(), "clean".into()];
        head.extend(self.headings());
        head.extend(["worst case".into(), "ms".into(), "n".into()]);
        let row = |row: &CompareRow| {
            let tally = row.many.as_ref();
            let share = |share: Option<Share>| share.map_or_else(waiting, share_words);
            let mut line = vec![row.name.clone(), stance(row), share(tally.map(|t| t.clean))];
            line.extend((0..self.attacks.len()).map(|at| share(tally.and_then(|t| t.attacks[at]))));
            line.push(share(tally.and_then(|t| t.worst)));
            line.push(time(row));
            line.push(tally.map_or_else(waiting, |t| t.clean.n.to_string()));
            line
        };
        std::iter::once(head).chain(self.fitting().map(row)).collect()
    }

    fn headings(&self) -> impl Iterator<Item = String> + '_ {
        self.attacks.iter().map(|column| match column.epsilon {
            Some(epsilon) => {
                format!("{} ε {}", column.name, short_distance_text(column.norm, epsilon))
            }
            None => column.name.clone(),
        })
    }

    /// The rows whose defences apply.
    fn fitting(&self) -> impl Iterator<Item = &CompareRow> {
        self.rows.iter().filter(|row| row.unfit.is_none())
    }
}

/// What the signs mean.
pub const LEGEND: &str = "✓ right  ✗ fooled  ! wrong before  ⚑ detected  ? abstained";

/// How differences are decided.
pub const TEST_NOTE: &str =
    "Differences: McNemar's exact test on the same samples (6:0 are discordant pairs), p < 0.05";

/// What robust accuracy counts.
pub const ROBUST_NOTE: &str = "upper bounds; misclassified counts as broken, refused as held";

fn cell_words(cell: &DefenceRow) -> String {
    format!("{} {}", cell.outcome.glyph(), cell.adversarial.text(0))
}

/// Empty where there is no class to be confident of.
fn confidence(answer: &Prediction) -> String {
    match answer.confidence.is_nan() {
        true => String::new(),
        false => answer.confidence.to_string(),
    }
}

fn share_words(share: Share) -> String {
    let [low, high] = share.interval.map(|end| end * 100.0);
    format!("{:.0} % ({low:.0}–{high:.0})", share.value * 100.0)
}

fn stance(row: &CompareRow) -> String {
    row.stance.map_or_else(|| "–".to_string(), |stance| stance.to_string())
}

fn time(row: &CompareRow) -> String {
    row.ms.map_or_else(waiting, |ms| format!("{ms:.2}"))
}

fn waiting() -> String {
    "–".into()
}

/// As displayed; empty for none.
fn text(value: Option<impl std::fmt::Display>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// A line with a share over many samples, and the paired test against the undefended network.
fn share_line(line: CsvLine, share: Share, paired: Option<McNemar>) -> CsvLine {
    let [low, high] = share.interval.map(|end| end.to_string());
    CsvLine {
        share: share.value.to_string(),
        low,
        high,
        n: share.n.to_string(),
        only_this: text(paired.map(|paired| paired.only_first)),
        only_bare: text(paired.map(|paired| paired.only_second)),
        p: text(paired.map(|paired| paired.p)),
        ..line
    }
}
