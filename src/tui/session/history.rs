//! The recorded iterations of an attack. However long the attack goes on, memory and drawing stay
//! bounded: beyond [`MAX_POINTS`] points every other one is dropped, and so are images beyond
//! `MAX_IMAGE_BYTES` bytes.

use crate::attack::{AttackSpec, AttackStage, Knowledge};
use crate::experiment::TracePoint;

/// The most points that are kept.
pub const MAX_POINTS: usize = 2000;
/// The most bytes of images that are kept.
const MAX_IMAGE_BYTES: usize = 48 << 20;

/// One iteration of an attack, and where it stands in the whole history.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// What the attack reported: loss, margin, size of the change, prediction.
    pub point: TracePoint,
    /// How many points came before it, those included that were dropped since.
    pub number: usize,
    /// Queries so far, over all stages.
    pub queries: u64,
}

/// The iterations of one attack.
#[derive(Clone, Debug)]
pub struct History {
    entries: Vec<HistoryEntry>,
    /// How many points came.
    seen: usize,
    /// Every how many-th point is kept.
    stride: usize,
    /// Whether the last one is kept only until the next one comes.
    passing: bool,
    /// Bytes of the images kept.
    bytes: usize,
    /// The queries of the stages that are over.
    before: u64,
    /// The number of the running stage's first point, and how many points it will have.
    stage: (usize, usize),
}

impl Default for History {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            seen: 0,
            stride: 1,
            passing: false,
            bytes: 0,
            before: 0,
            stage: (0, 0),
        }
    }
}

/// Which stage a point belongs to.
fn stage_of(point: &TracePoint) -> Option<usize> {
    point.stage.map(|stage| stage.number)
}

impl History {
    /// Takes the next point of a part that will have `expected` of them.
    pub fn push(&mut self, point: TracePoint, expected: usize) {
        let last = self.entries.last();
        let begins = last.is_none_or(|last| stage_of(&last.point) != stage_of(&point));
        if begins {
            self.stage.0 = self.seen;
        }
        if let Some(last) = last.filter(|last| point.queries < last.point.queries) {
            self.before += last.point.queries;
        }
        self.stage.1 = expected;
        if std::mem::take(&mut self.passing)
            && let Some(gone) = self.entries.pop()
        {
            self.bytes -= bytes(&gone);
        }
        self.passing = !begins && point.mark.is_none() && !self.seen.is_multiple_of(self.stride);
        let queries = self.before + point.queries;
        self.entries.push(HistoryEntry { point, number: self.seen, queries });
        self.bytes += self.entries.last().map_or(0, bytes);
        self.seen += 1;
        if self.entries.len() > MAX_POINTS {
            self.thin();
        }
        if self.bytes > MAX_IMAGE_BYTES {
            self.thin_pictures();
        }
    }

    /// Forgets the last point's image: for who shows the newest only.
    pub fn forget_picture(&mut self) {
        if let Some(last) = self.entries.last_mut() {
            self.bytes -= bytes(last);
            last.point.picture = None;
        }
    }

    /// Drops every other point, but neither the first nor the last of a stage; events stay while
    /// they are few.
    fn thin(&mut self) {
        self.stride *= 2;
        let events = self.entries.iter().filter(|entry| entry.point.mark.is_some()).count();
        let stride = self.stride;
        let stages: Vec<_> = self.entries.iter().map(|entry| stage_of(&entry.point)).collect();
        let mut at = 0;
        self.entries.retain(|entry| {
            let here = stages.get(at);
            let first = at == 0 || stages.get(at - 1) != here;
            let edge = first || stages.get(at + 1) != here;
            at += 1;
            let event = events < MAX_POINTS / 4 && entry.point.mark.is_some();
            edge || event || entry.number.is_multiple_of(stride)
        });
        self.bytes = self.entries.iter().map(bytes).sum();
    }

    /// Drops every other image, but neither the first nor the last.
    fn thin_pictures(&mut self) {
        let with: Vec<usize> = (0..self.entries.len())
            .filter(|at| self.entries[*at].point.picture.is_some())
            .collect();
        let inner = with.len().saturating_sub(1);
        for at in with.into_iter().take(inner).skip(1).step_by(2) {
            self.bytes -= bytes(&self.entries[at]);
            self.entries[at].point.picture = None;
        }
    }

    /// The points that are kept.
    pub fn entries(&self) -> &[HistoryEntry] {
        &self.entries
    }

    /// How many points are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True before the first point.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A point by its place among those kept.
    pub fn point(&self, at: usize) -> Option<&TracePoint> {
        self.entries.get(at).map(|entry| &entry.point)
    }

    /// How many points came, those included that were dropped since.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// How many points to expect until the end of the running stage.
    pub fn expected(&self) -> usize {
        (self.stage.0 + self.stage.1).max(self.seen)
    }

    /// The queries to expect at the end of the running stage, as things go so far.
    pub fn expected_queries(&self) -> u64 {
        let Some(last) = self.entries.last() else { return 0 };
        let per_point = last.queries as f64 / last.number.max(1) as f64;
        (per_point * self.expected().saturating_sub(1) as f64) as u64
    }

    /// How many points of the running stage came, and how many it will have.
    pub fn progress(&self) -> (usize, usize) {
        (self.seen - self.stage.0, self.stage.1)
    }

    /// The stage that is running, or ran last.
    pub fn stage(&self) -> Option<AttackStage> {
        self.entries.last().and_then(|entry| entry.point.stage)
    }

    /// The last event at or before a place, and whether it happened exactly there.
    pub fn mark(&self, at: usize) -> Option<(&str, bool)> {
        let upto = self.entries.get(..=at.min(self.len().checked_sub(1)?))?;
        let stage = upto.last().map(|entry| stage_of(&entry.point));
        let mut back = upto.iter().rev().take_while(|entry| Some(stage_of(&entry.point)) == stage);
        let ago = back.position(|entry| entry.point.mark.is_some())?;
        let mark = upto[upto.len() - 1 - ago].point.mark.as_deref()?;
        Some((mark, ago == 0))
    }
}

/// Whether the history of an attack is measured in queries instead of iterations.
pub fn by_queries(attack: &AttackSpec) -> bool {
    attack.knowledge() != Knowledge::Gradient
}

/// Where each entry stands on the axis of queries or iterations.
pub fn along(entries: &[HistoryEntry], queries: bool) -> Vec<f32> {
    let place = |entry: &HistoryEntry| match queries {
        true => entry.queries as f32,
        false => entry.number as f32,
    };
    entries.iter().map(place).collect()
}

/// Bytes of an entry's image.
fn bytes(entry: &HistoryEntry) -> usize {
    entry.point.picture.as_ref().map_or(0, |picture| std::mem::size_of_val(picture.pixels()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Image;

    const ALL: &[&str] = &["one", "two"];

    fn point(iteration: usize, queries: u64, stage: Option<usize>) -> TracePoint {
        TracePoint {
            restart: 0,
            iteration,
            loss: f32::NAN,
            margin: 1.0,
            size: 0.0,
            label: 0,
            probabilities: Vec::new(),
            step_size: 0.0,
            queries,
            stage: stage.map(|number| AttackStage { all: ALL, number }),
            mark: None,
            picture: None,
        }
    }

    #[test]
    fn a_long_attack_stays_small_and_keeps_its_ends_and_events() {
        let mut history = History::default();
        for i in 0..100_000 {
            let mut next = point(i, i as u64, None);
            next.mark = (i % 20_000 == 777).then(|| "window".into());
            history.push(next, 100_000);
            assert!(history.len() <= MAX_POINTS);
            assert_eq!(history.entries().last().map(|entry| entry.number), Some(i));
        }
        assert!(
            history.len() > MAX_POINTS / 3
                && history.seen() == 100_000
                && history.expected() == 100_000
        );
        assert_eq!(history.entries()[0].number, 0);
        assert_eq!(history.entries().iter().filter(|entry| entry.point.mark.is_some()).count(), 5);
        assert!(history.entries().is_sorted_by_key(|entry| entry.number));
    }

    #[test]
    fn events_at_every_step_are_thinned_too() {
        let mut history = History::default();
        for i in 0..50_000 {
            history.push(TracePoint { mark: Some("window".into()), ..point(i, 0, None) }, 50_000);
        }
        assert!(history.len() <= MAX_POINTS);
    }

    #[test]
    fn pictures_have_a_budget_and_the_last_one_stays() {
        let mut history = History::default();
        for i in 0..400 {
            let picture = Image::new([3, 224, 224], vec![0.0; 3 * 224 * 224]);
            history.push(TracePoint { picture: Some(picture), ..point(i, 0, None) }, 400);
            assert!(history.bytes <= MAX_IMAGE_BYTES);
        }
        let with = |at: usize| history.entries()[at].point.picture.is_some();
        assert!(with(0) && with(399) && (0..400).filter(|at| with(*at)).count() > 20);
    }

    #[test]
    fn stages_follow_each_other_on_both_axes() {
        let mut history = History::default();
        (0..5).for_each(|i| history.push(point(i, 10 * i as u64, Some(0)), 5));
        history.push(point(0, 1, Some(1)), 11);
        let last = &history.entries()[5];
        assert_eq!((last.number, last.queries), (5, 41));
        assert_eq!((history.expected(), history.progress()), (16, (1, 11)));
        assert_eq!(history.stage().map(|stage| stage.name()), Some("two"));
    }

    #[test]
    fn the_last_event_is_told_within_its_stage() {
        let mut history = History::default();
        history.push(TracePoint { mark: Some("halved".into()), ..point(0, 0, Some(0)) }, 2);
        history.push(point(1, 0, Some(0)), 2);
        history.push(point(0, 0, Some(1)), 2);
        assert_eq!(history.mark(0), Some(("halved", true)));
        assert_eq!(history.mark(1), Some(("halved", false)));
        assert_eq!(history.mark(2), None);
    }
}
