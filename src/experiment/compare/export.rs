//! A comparison on paper: CSV (one line a number), JSON, Markdown, and the tables that the command
//! line prints.

use crate::error::{Error, Result};
use crate::experiment::compare::report::{CompareReport, CompareRow};
use crate::experiment::distance::{distance_text, short_distance_text};
use crate::experiment::provenance::Provenance;
use crate::experiment::report::DefenceRow;
use crate::experiment::types::{Prediction, Share};
use crate::metrics::McNemar;
use crate::printable::markdown_table;
use std::path::Path;

/// How a comparison is written.
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

const HEAD: [&str; 25] = [
    "model",
    "dataset",
    "sample",
    "seed",
    "defence",
    "name",
    "stance",
    "attack",
    "norm",
    "epsilon",
    "parameters",
    "outcome",
    "label",
    "confidence",
    "held",
    "distance",
    "share",
    "low",
    "high",
    "n",
    "ms",
    "extra_ms",
    "only_this",
    "only_bare",
    "p",
];

impl CompareReport {
    /// The whole comparison in a format.
    ///
    /// # Errors
    /// Failure, where it cannot be put into JSON.
    pub fn text(&self, format: Format) -> Result<String> {
        match format {
            Format::Csv => Ok(self.csv()),
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

    fn csv(&self) -> String {
        let mut lines = vec![HEAD.map(String::from).to_vec()];
        for row in &self.rows {
            if let Some(clean) = &row.clean {
                let mut line = self.line(row, "clean", true);
                line[12..14].clone_from_slice(&[clean.name.clone(), confidence(clean)]);
                lines.push(line);
            }
            for (at, cell) in row.cells.iter().enumerate() {
                let Some(cell) = cell else { continue };
                let mut line = self.line(row, self.attacks[at].attack, true);
                self.size(&mut line, at);
                line[11] = cell.outcome.word().into();
                line[12] = cell.adversarial.name.clone();
                line[13] = confidence(&cell.adversarial);
                line[14] = cell.held.map_or(String::new(), |held| held.value.to_string());
                line[15] = cell.distance.to_string();
                lines.push(line);
            }
            let Some(tally) = &row.many else { continue };
            let mut share =
                |attack: &str, at: Option<usize>, share: Option<Share>, paired: Option<McNemar>| {
                    let Some(share) = share else { return };
                    let mut line = self.line(row, attack, false);
                    at.into_iter().for_each(|at| self.size(&mut line, at));
                    line[16] = share.value.to_string();
                    line[17] = share.interval[0].to_string();
                    line[18] = share.interval[1].to_string();
                    line[19] = share.n.to_string();
                    if let Some(McNemar { only_first, only_second, p, .. }) = paired {
                        (line[22], line[23]) = (only_first.to_string(), only_second.to_string());
                        line[24] = p.to_string();
                    }
                    lines.push(line);
                };
            share("clean", None, Some(tally.clean), None);
            for (at, one) in tally.attacks.iter().enumerate() {
                share(self.attacks[at].attack, Some(at), *one, tally.against_bare[at]);
            }
            share("worst", None, tally.worst, tally.worst_against_bare);
        }
        let line = |line: &Vec<String>| {
            line.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\n"
        };
        lines.iter().map(line).collect()
    }

    /// A line of the CSV before its numbers.
    fn line(&self, row: &CompareRow, attack: &str, one: bool) -> Vec<String> {
        let mut line = vec![String::new(); HEAD.len()];
        let sample = self.sample.as_ref().filter(|_| one);
        let stance = row.stance.map_or(String::new(), |stance| stance.to_string());
        let number = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
        line[0] = self.model.clone();
        line[1] = sample.map_or(&self.dataset, |sample| &sample.dataset).clone();
        line[2] = sample.map_or(String::new(), |sample| sample.index.to_string());
        line[3] = self.seed.to_string();
        (line[4], line[5], line[6]) = (row.defence.clone(), row.name.clone(), stance);
        line[7] = attack.to_string();
        (line[20], line[21]) = (number(row.ms), number(row.extra_ms));
        line
    }

    /// Writes into a line of the CSV what the attack is allowed to do.
    fn size(&self, line: &mut [String], at: usize) {
        let column = &self.attacks[at];
        line[8] = column.norm.id().into();
        line[9] = column.epsilon.map_or(String::new(), |epsilon| epsilon.to_string());
        line[10] = column.parameters.to_string();
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

/// A field of CSV (RFC 4180).
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_string(),
    }
}
