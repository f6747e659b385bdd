//! [`Note`]: a remark of an attack beside its images, as counts that add up over batches and are put into
//! words once, over the whole run.

use serde::{Deserialize, Serialize};

/// A remark of an attack, counted over images. Where more than [`Self::least`] of the images count,
/// it says [`Self::some`], else [`Self::none`]; an empty text is not said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// What is said where enough images count. `{hits}` stands for how many count, `{of}` for how
    /// many were looked at, `{0:.1}` for the mean of the first sum over those that count, with one
    /// digit behind the point.
    pub some: String,
    /// What is said otherwise, with `{hits}` and `{of}`.
    pub none: String,
    /// The share of images, 0..1, that has to be exceeded for [`Self::some`].
    pub least: f64,
    /// How many images count.
    pub hits: u64,
    /// How many were looked at.
    pub of: u64,
    /// Sums of sizes over those that count.
    pub sums: Vec<f64>,
    /// What is said where only one image was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single: Option<String>,
}

impl Note {
    /// A line that holds of every batch alike.
    pub fn line(text: impl Into<String>) -> Self {
        Self { none: text.into(), ..Self::count("", "", (0, 0)) }
    }

    /// Says `some` where any image counts, else `none`.
    pub fn count(some: &str, none: &str, (hits, of): (usize, usize)) -> Self {
        Self {
            some: some.into(),
            none: none.into(),
            least: 0.0,
            hits: hits as u64,
            of: of as u64,
            sums: Vec::new(),
            single: None,
        }
    }

    /// The remark in words, over all that was counted; none where there is nothing to say.
    pub fn text(&self) -> Option<String> {
        let enough = self.hits as f64 > self.least * self.of as f64;
        let text = match &self.single {
            Some(single) if self.of == 1 => single,
            _ if enough => &self.some,
            _ => &self.none,
        };
        let mut text =
            text.replace("{hits}", &self.hits.to_string()).replace("{of}", &self.of.to_string());
        for (i, sum) in self.sums.iter().enumerate() {
            let mean = sum / self.hits.max(1) as f64;
            for digits in 0..=3 {
                let value = format!("{mean:.digits$}");
                text = text.replace(&format!("{{{i}:.{digits}}}"), &value);
            }
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// Whether another counts the same.
    fn is_like(&self, other: &Self) -> bool {
        let kind = |note: &Self| (note.some.clone(), note.none.clone(), note.sums.len());
        kind(self) == kind(other)
    }

    /// Adds the notes of another batch to those of the batches before.
    pub fn add_up(notes: &mut Vec<Self>, more: Vec<Self>) {
        for new in more {
            let Some(note) = notes.iter_mut().find(|note| note.is_like(&new)) else {
                notes.push(new);
                continue;
            };
            note.hits += new.hits;
            note.of += new.of;
            note.sums.iter_mut().zip(new.sums).for_each(|(sum, new)| *sum += new);
        }
    }

    /// Every remark in words, in alphabetical order.
    pub fn texts(notes: &[Self]) -> Vec<String> {
        let mut texts: Vec<String> = notes.iter().filter_map(Self::text).collect();
        texts.sort();
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_lines_are_said_once() {
        let flat = |hits, of| Note::count("{hits} of {of} are flat", "", (hits, of));
        let masked =
            |hits, of| Note { least: 0.002, ..Note::count("{hits} of {of}", "", (hits, of)) };
        let mut notes = Vec::new();
        for batch in [(0, 16), (3, 16), (1, 4)] {
            let (flat, masked) = (flat(batch.0, batch.1), masked(usize::from(batch.1 == 4), 500));
            Note::add_up(&mut notes, vec![flat, masked, Note::line("few classes")]);
        }
        // One of 1,500 is less than 0.2 %.
        assert_eq!(Note::texts(&notes), ["4 of 36 are flat", "few classes"]);
        Note::add_up(&mut notes, vec![masked(3, 0)]);
        assert_eq!(Note::texts(&notes), ["4 of 1500", "4 of 36 are flat", "few classes"]);
    }

    #[test]
    fn means_are_over_those_that_count() {
        let of = |hits: u64, sums: [f64; 2]| Note {
            hits,
            sums: sums.to_vec(),
            single: Some("found it".into()),
            ..Note::count(
                "{hits} of {of}: {0:.1}°, {1:.2} px",
                "none of {of}",
                (0, hits as usize + 1),
            )
        };
        assert_eq!(of(0, [0.0; 2]).text().as_deref(), Some("found it"));
        let mut notes = vec![of(0, [0.0; 2])];
        Note::add_up(&mut notes, vec![of(0, [0.0; 2])]);
        assert_eq!(Note::texts(&notes), ["none of 2"]);
        Note::add_up(&mut notes, vec![of(3, [30.0, 1.5]), of(1, [2.0, 0.5])]);
        assert_eq!(Note::texts(&notes), ["4 of 8: 8.0°, 0.50 px"]);
    }
}
