//! [`Logits`]: what a model gives for a batch of images, the labels and margins that follow.

use crate::attack::goal::{Goal, NON_FINITE, REJECTED};
use crate::model::{all_finite, argmax};

/// The logits of N images over K classes, `[N, K]`, in main memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    values: Vec<f32>,
    classes: usize,
    /// Which images a defence rejects; empty where none can be rejected.
    rejected: Vec<bool>,
}

impl Logits {
    /// Logits from N·K values, image by image.
    pub fn new(values: Vec<f32>, classes: usize) -> Self {
        Self { values, classes, rejected: Vec::new() }
    }

    /// The same logits where a defence rejects these images, `[N]`; empty: none.
    pub fn rejecting(self, rejected: Vec<bool>) -> Self {
        Self { rejected, ..self }
    }

    /// Number of classes K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Appends the logits of more images.
    pub fn append(&mut self, mut other: Self) {
        self.values.append(&mut other.values);
        self.rejected.append(&mut other.rejected);
    }

    /// The K logits of image `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.classes..(i + 1) * self.classes]
    }

    /// The K logits of image `i`, to be changed.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.values[i * self.classes..(i + 1) * self.classes]
    }

    /// The logits of the images with these indices, in that order.
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = indices.iter().flat_map(|i| self.row(*i)).copied().collect();
        let rejected = indices.iter().filter_map(|i| self.rejected.get(*i).copied()).collect();
        Self { values, classes: self.classes, rejected }
    }

    /// The K logits of each image.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks(self.classes)
    }

    /// The [`margin`] of each image for its goal, `[N]`.
    pub fn margins(&self, goals: &[Goal]) -> Vec<f32> {
        self.rows().zip(goals).map(|(row, goal)| margin(row, *goal)).collect()
    }

    /// The predicted label of each image, `[N]`: the class of the largest logit, the first of equals,
    /// or [`REJECTED`], or [`NON_FINITE`].
    pub fn labels(&self) -> Vec<usize> {
        let rejected = |i: usize| self.rejected.get(i).is_some_and(|rejected| *rejected);
        let label = |(i, row): (usize, &[f32])| match rejected(i) {
            true => REJECTED,
            false => argmax(row).unwrap_or(NON_FINITE),
        };
        self.rows().enumerate().map(label).collect()
    }

    /// For how many images a logit is infinite or not a number.
    pub fn non_finite(&self) -> usize {
        self.rows().filter(|row| !all_finite(row)).count()
    }
}

/// How far the goal is, in logits. Untargeted: the logit of the true class minus the largest other
/// one. Targeted: the largest other logit minus the target's. Below 0 the goal is reached.
pub fn margin(row: &[f32], goal: Goal) -> f32 {
    let class = goal.class();
    let others = row.iter().enumerate().filter(|(k, _)| *k != class);
    let other = others.fold(f32::NEG_INFINITY, |a, (_, z)| a.max(*z));
    match goal {
        Goal::Untargeted { .. } => row[class] - other,
        Goal::Targeted { .. } => other - row[class],
    }
}

/// The class other than `class` with the largest logit, the first of equals.
pub fn best_other(row: &[f32], class: usize) -> usize {
    let others = (0..row.len()).filter(|k| *k != class);
    others.reduce(|best, k| if row[k] > row[best] { k } else { best }).unwrap_or(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_that_are_no_numbers_give_no_class() {
        let row = |bad: f32| [1.0, bad, 3.0];
        let rows = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.0].map(row);
        let logits = Logits::new(rows.concat(), 3);
        assert_eq!(logits.labels(), [NON_FINITE, NON_FINITE, NON_FINITE, 2]);
        assert_eq!(logits.non_finite(), 3);
        let rejected = logits.rejecting(vec![true, false, false, true]);
        assert_eq!(rejected.labels(), [REJECTED, NON_FINITE, NON_FINITE, REJECTED]);
        assert!(Goal::Untargeted { truth: 2 }.reached(NON_FINITE), "it is not the true class");
        assert!(!Goal::Targeted { target: 1 }.reached(NON_FINITE));
    }

    #[test]
    fn margins_are_right_for_negative_logits_too() {
        let row = [-5.0, -1.0, -3.0];
        assert_eq!(margin(&row, Goal::Untargeted { truth: 1 }), 2.0);
        assert_eq!(margin(&row, Goal::Untargeted { truth: 0 }), -4.0);
        assert_eq!(margin(&row, Goal::Targeted { target: 2 }), 2.0);
        assert_eq!(margin(&row, Goal::Targeted { target: 1 }), -2.0);
    }
}
