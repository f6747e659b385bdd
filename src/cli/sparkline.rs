//! Curves of a training in a few lines of text, beside the progress bar.

use crate::training::TrainingProgress;

/// Columns of a curve.
const WIDTH: usize = 48;
/// From low to high.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values over time in at most [`WIDTH`] columns: when they are full, each two become one.
#[derive(Debug)]
struct Sparkline {
    columns: Vec<f32>,
    /// How many values a column is the mean of, and those of the next column.
    each: usize,
    next: Vec<f32>,
}

impl Sparkline {
    fn new() -> Self {
        Self { columns: Vec::new(), each: 1, next: Vec::new() }
    }

    fn push(&mut self, value: f32) {
        self.next.push(value);
        if self.next.len() < self.each {
            return;
        }
        self.columns.push(self.next.iter().sum::<f32>() / self.next.len() as f32);
        self.next.clear();
        if self.columns.len() == WIDTH {
            self.columns = self.columns.chunks(2).map(|c| (c[0] + c[1]) / 2.0).collect();
            self.each *= 2;
        }
    }

    /// The curve, `low` at its bottom and `high` at its top.
    fn drawn(&self, low: f32, high: f32) -> String {
        let level = |v: &f32| ((v - low) / (high - low).max(1e-6) * 8.0).clamp(0.0, 7.0) as usize;
        let line: String = self.columns.iter().map(|v| LEVELS[level(v)]).collect();
        format!("{line:<WIDTH$}")
    }
}

/// Loss, clean and attacked accuracy.
#[derive(Debug)]
pub struct TrainingCurves {
    loss: Sparkline,
    clean: Sparkline,
    attacked: Sparkline,
}

impl TrainingCurves {
    /// Empty ones.
    pub fn new() -> Self {
        Self { loss: Sparkline::new(), clean: Sparkline::new(), attacked: Sparkline::new() }
    }

    /// Takes down where the training stands.
    pub fn push(&mut self, progress: &TrainingProgress) {
        self.loss.push(progress.loss);
        if let Some(probe) = progress.probe.filter(|p| p.fresh) {
            self.clean.push(probe.clean);
            self.attacked.push(probe.attacked);
        }
    }

    /// Three lines; those of the accuracies only once they were measured.
    pub fn text(&self, progress: &TrainingProgress) -> String {
        let top = self.loss.columns.iter().copied().fold(0.0, f32::max);
        let loss = format!("loss      {} {:.3}", self.loss.drawn(0.0, top), progress.loss);
        let Some(probe) = progress.probe else { return loss };
        let share = |name: &str, curve: &Sparkline, value: f32| {
            format!("\n{name:<9} {} {:.0} %", curve.drawn(0.0, 1.0), value * 100.0)
        };
        let clean = share("clean", &self.clean, probe.clean);
        let attacked = share("attacked", &self.attacked, probe.attacked);
        format!("{loss}{clean}{attacked} (PGD-{} at ε = {:.3})", probe.steps, probe.epsilon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_keeps_its_shape_in_a_bounded_width() {
        let mut curve = Sparkline::new();
        for i in 0..10_000 {
            curve.push(i as f32);
        }
        assert!((WIDTH / 2..WIDTH).contains(&curve.columns.len()), "{}", curve.columns.len());
        assert!(curve.columns.is_sorted());
        let text = curve.drawn(0.0, 10_000.0);
        assert_eq!(text.chars().count(), WIDTH);
        assert!(text.starts_with('▁') && text.trim_end().ends_with('█'), "{text}");
        // The mean of all columns is that of the values that fill them.
        let mean = curve.columns.iter().sum::<f32>() / curve.columns.len() as f32;
        let values = (curve.columns.len() * curve.each) as f32;
        assert!((mean / ((values - 1.0) / 2.0) - 1.0).abs() < 0.01, "{mean} {values}");
    }
}
