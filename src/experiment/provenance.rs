//! The provenance of a result: program version, models, data, command, date, device, seed.

use crate::data::{DATASETS, Dataset, Sample};
use crate::defence::Pipeline;
use crate::error::Result;
use crate::experiment::types::DeviceInfo;
use crate::model::{Model, ModelIdentity};
use crate::printable::printable;
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// A data set's identity: its name and the SHA-256 of what the model sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataIdentity {
    /// The data set's identifier, or `file`.
    pub id: String,
    /// SHA-256 of all of its images and classes ([`Dataset::sha256`]); of a single image from a
    /// file, that of its pixels; of a batch from a file, that of the file.
    pub sha256: String,
}

impl DataIdentity {
    /// That of a data set.
    pub fn of(dataset: &Dataset) -> Self {
        Self { id: dataset.id.clone(), sha256: dataset.sha256().to_string() }
    }

    /// That of the data set that a sample is from; of an image from a file, its own.
    ///
    /// # Errors
    /// Failure, when the data set cannot be read.
    pub fn of_sample(sample: &Sample) -> Result<Self> {
        match DATASETS.iter().any(|row| row.id == sample.dataset) {
            true => Ok(Self::of(&*Dataset::load(&sample.dataset)?)),
            false => Ok(Self { id: sample.dataset.clone(), sha256: sample.sha256() }),
        }
    }
}

/// The networks and data sets that a result was computed from, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// The networks that took part: the attacked one, then surrogates and those of defences.
    pub models: Vec<ModelIdentity>,
    /// The data.
    pub datasets: Vec<DataIdentity>,
}

impl Sources {
    /// Takes in a network.
    pub fn model(&mut self, model: &Model) {
        self.join(Self { models: vec![model.identity.clone()], ..Self::default() });
    }

    /// Takes in the networks of a defence.
    pub fn pipeline(&mut self, pipeline: &Pipeline) {
        pipeline.models.iter().for_each(|model| self.model(model));
    }

    /// Takes in data.
    pub fn data(&mut self, data: DataIdentity) {
        self.join(Self { datasets: vec![data], ..Self::default() });
    }

    /// Takes in all of another result.
    pub fn join(&mut self, other: Self) {
        for model in other.models {
            if !self.models.contains(&model) {
                self.models.push(model);
            }
        }
        for data in other.datasets {
            if !self.datasets.contains(&data) {
                self.datasets.push(data);
            }
        }
    }
}

/// The block that every result in JSON carries. Of equal runs all is equal but the date, which is a
/// field of the clock like `seconds`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provenance {
    /// The program and its version.
    pub program: String,
    /// The command line, as a shell takes it.
    pub command: String,
    /// When it was written down, in UTC (RFC 3339).
    pub date: String,
    /// Which device did the work.
    pub device: DeviceInfo,
    /// The seed of all randomness.
    pub seed: u64,
    /// Networks and data.
    #[serde(flatten)]
    pub origin: Sources,
}

impl Provenance {
    /// That of a result that this process has found just now.
    pub fn new(origin: Sources, device: &DeviceInfo, seed: u64) -> Self {
        let words = std::env::args_os().skip(1);
        let words = words.map(|word| quoted(&word.to_string_lossy()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            program: format!("epsiloscope {}", env!("CARGO_PKG_VERSION")),
            command: printable(
                &std::iter::once("epsiloscope".into()).chain(words).collect::<Vec<_>>().join(" "),
            ),
            date: date(now.map_or(0, |since| since.as_secs())),
            device: device.clone(),
            seed,
            origin,
        }
    }

    /// A result with this beside it, for JSON.
    pub fn beside<'a, T: Serialize>(&'a self, result: &'a T) -> impl Serialize + use<'a, T> {
        Traced { provenance: self, result }
    }
}

#[derive(Serialize)]
struct Traced<'a, T> {
    provenance: &'a Provenance,
    #[serde(flatten)]
    result: &'a T,
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Seconds since 1970 as `2026-11-29T12:34:56Z` (the calendar of Hinnant's `civil_from_days`).
fn date(seconds: u64) -> String {
    const ERA: u64 = 146_097;
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let [hour, minute, second] = [second / 3600, second / 60 % 60, second % 60];
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_a_date() {
        for (seconds, wanted) in [
            (0, "1970-01-01T00:00:00Z"),
            (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(seconds), wanted);
        }
    }

    #[test]
    fn a_command_can_be_given_to_a_shell_again() {
        assert_eq!(quoted("pgd:steps=100"), "pgd:steps=100");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$HOME;rm"), "'$HOME;rm'");
    }

    #[test]
    fn a_network_is_named_once() {
        let model = |name: &str| ModelIdentity {
            name: name.into(),
            card_sha256: "0".into(),
            weights_sha256: "1".into(),
        };
        let of = |names: &[&str]| Sources {
            models: names.iter().map(|name| model(name)).collect(),
            ..Sources::default()
        };
        let mut origin = of(&["a", "b"]);
        origin.join(of(&["b", "c"]));
        assert_eq!(origin, of(&["a", "b", "c"]));
    }
}
