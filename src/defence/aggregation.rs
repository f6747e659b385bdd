//! Aggregation: from the logits of several networks, or of several draws, to one prediction.

use crate::model::{all_finite, argmax};

/// How the logits of several networks, or of several draws, become one row. The gradient of a vote is
/// that of the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Aggregation {
    /// The mean of their probabilities.
    #[default]
    Mean,
    /// A majority vote; the shares of the votes are the confidences.
    Vote,
}

impl Aggregation {
    /// One row of logits `[K]` from several; a single one is left as it is.
    pub fn join<R: AsRef<[f32]>>(self, rows: &[R]) -> Vec<f32> {
        let rows: Vec<&[f32]> = rows.iter().map(AsRef::as_ref).collect();
        match (self, rows.as_slice()) {
            (_, [one]) => one.to_vec(),
            (Self::Mean, _) => mean(&rows),
            (Self::Vote, _) => majority_vote(&rows),
        }
    }
}

/// ln softmax of a row of logits, in `f64`.
pub fn log_softmax(row: &[f32]) -> Vec<f64> {
    let top = row.iter().fold(f64::NEG_INFINITY, |a, b| a.max(f64::from(*b)));
    let sum: f64 = row.iter().map(|z| (f64::from(*z) - top).exp()).sum();
    let shift = top + sum.ln();
    row.iter().map(|z| f64::from(*z) - shift).collect()
}

/// The probabilities behind a row of logits, in `f64`.
pub fn softmax(row: &[f32]) -> Vec<f64> {
    log_softmax(row).into_iter().map(f64::exp).collect()
}

/// The logarithm of the mean of the probabilities behind these rows of logits; a single row is left
/// as it is.
pub fn mean(rows: &[&[f32]]) -> Vec<f32> {
    if let [one] = rows {
        return one.to_vec();
    }
    let logs: Vec<Vec<f64>> = rows.iter().map(|row| log_softmax(row)).collect();
    pooled(&logs).into_iter().map(|v| v as f32).collect()
}

fn pooled(logs: &[Vec<f64>]) -> Vec<f64> {
    let classes = logs.first().map_or(0, Vec::len);
    let one = |k: usize| {
        let top = logs.iter().map(|row| row[k]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs.iter().map(|row| (row[k] - top).exp()).sum();
        top + (sum / logs.len() as f64).ln()
    };
    (0..classes).map(one).collect()
}

/// The vector-Jacobian product of [`mean`]: from the gradient with respect to the aggregated row to
/// those with respect to each of the rows. With p the probabilities of a row and p̄ their mean over M rows, ∂ ln p̄_k / ∂z_j
/// is p_k (δ_kj − p_j) / (M p̄_k).
pub fn mean_vjp(rows: &[&[f32]], slope: &[f32]) -> Vec<Vec<f32>> {
    if rows.len() == 1 {
        return vec![slope.to_vec()];
    }
    let logs: Vec<Vec<f64>> = rows.iter().map(|row| log_softmax(row)).collect();
    let pooled = pooled(&logs);
    let each = |row: &Vec<f64>| {
        let share = |k: usize| f64::from(slope[k]) * (row[k] - pooled[k]).exp() / logs.len() as f64;
        let shares: Vec<f64> = (0..row.len()).map(share).collect();
        let sum: f64 = shares.iter().sum();
        shares.iter().zip(row).map(|(s, log)| (s - log.exp() * sum) as f32).collect()
    };
    logs.iter().map(each).collect()
}

/// The logarithms of the shares of the votes; classes without a vote are ordered by the mean
/// probability, far below a single vote.
pub fn vote(labels: &[usize], mean: &[f32]) -> Vec<f32> {
    let total = labels.len().max(1) as f64;
    let faint = softmax(mean);
    let share = |k: usize| {
        let votes = labels.iter().filter(|label| **label == k).count() as f64;
        ((votes + 1e-6 * faint[k]) / total).max(1e-30).ln() as f32
    };
    (0..mean.len()).map(share).collect()
}

/// The vote of rows of logits. Rows that are no numbers vote for no class; of such rows alone comes no
/// answer either.
pub fn majority_vote(rows: &[&[f32]]) -> Vec<f32> {
    let voters: Vec<&[f32]> = rows.iter().copied().filter(|row| all_finite(row)).collect();
    let labels: Vec<usize> = rows.iter().map(|row| argmax(row).unwrap_or(usize::MAX)).collect();
    match voters.is_empty() {
        true => vec![f32::NAN; rows.first().map_or(0, |row| row.len())],
        false => vote(&labels, &mean(&voters)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_agrees_with_finite_differences() {
        let rows = [[1.0_f32, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 2.0, 2.0]];
        let slope = [0.3_f32, -1.0, 0.7];
        let value = |rows: &[[f32; 3]; 3]| -> f64 {
            let logs: Vec<Vec<f64>> = rows.iter().map(|row| log_softmax(row)).collect();
            pooled(&logs).iter().zip(slope).map(|(v, s)| v * f64::from(s)).sum()
        };
        let views: Vec<&[f32]> = rows.iter().map(<[f32; 3]>::as_slice).collect();
        let found = mean_vjp(&views, &slope);
        for i in 0..3 {
            for j in 0..3 {
                let moved = |by: f32| {
                    let mut rows = rows;
                    rows[i][j] += by;
                    value(&rows)
                };
                let wanted = (moved(1e-3) - moved(-1e-3)) / 2e-3;
                assert!((wanted - f64::from(found[i][j])).abs() < 1e-4, "{i} {j}");
            }
        }
    }

    #[test]
    fn one_row_is_left_alone_and_votes_are_shares() {
        assert_eq!(mean(&[&[1.0, 2.0]]), [1.0, 2.0]);
        assert_eq!(mean_vjp(&[&[1.0, 2.0]], &[0.5, 0.1]), [[0.5, 0.1]]);
        assert_eq!(Aggregation::Vote.join(&[[1.0, 2.0]]), [1.0, 2.0]);
        let shares = vote(&[1, 1, 0, 1], &[0.0, 0.0, 0.0]);
        assert!((shares[1].exp() - 0.75).abs() < 1e-5 && (shares[0].exp() - 0.25).abs() < 1e-5);
        assert!(shares[2] < shares[0]);
    }

    #[test]
    fn who_gives_no_number_has_no_vote() {
        let rows: [&[f32]; 3] = [&[0.0, 2.0], &[f32::NAN, 1.0], &[f32::INFINITY, 0.0]];
        assert_eq!(majority_vote(&rows), vote(&[1, usize::MAX, usize::MAX], &[0.0, 2.0]));
        assert_eq!(argmax(&majority_vote(&rows[1..])), None);
    }

    #[test]
    fn mean_and_vote_are_those_of_the_hand() {
        // Probabilities .9/.1, .4/.6 and .4/.6: the mean says the first class, the vote the second.
        let row = |p: f32| [p.ln(), (1.0 - p).ln()];
        let rows = [row(0.9), row(0.4), row(0.4)];
        let mean = Aggregation::Mean.join(&rows);
        assert!((mean[0].exp() - 1.7 / 3.0).abs() < 1e-6, "{mean:?}");
        let vote = Aggregation::Vote.join(&rows);
        assert!((vote[1].exp() - 2.0 / 3.0).abs() < 1e-5, "{vote:?}");
        assert_eq!((argmax(&mean), argmax(&vote)), (Some(0), Some(1)));
    }
}
