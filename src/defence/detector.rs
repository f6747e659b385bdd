//! Detectors: what rejects a prediction instead of giving it.

/// The detection score of a prediction: from the logits of every view at every draw,
/// `[view][draw][class]`; the larger, the more suspicious.
pub type DetectionScore = fn(&[Vec<Vec<f32>>]) -> f64;

/// Rejects predictions whose detection score is above a threshold.
#[derive(Clone)]
pub struct Detector {
    /// Whether a rejection says that the image is adversarial; if not, that the vote is too close.
    pub detects: bool,
    /// The score.
    pub score: DetectionScore,
    /// Above this it rejects.
    pub threshold: f64,
    /// How the threshold was set, in words.
    pub basis: String,
}

impl Detector {
    /// Whether it rejects the prediction of these logits, `[view][draw][class]`.
    pub fn rejects(&self, views: &[Vec<Vec<f32>>]) -> bool {
        (self.score)(views) > self.threshold
    }
}

/// How a detector's threshold is set.
pub enum RejectionThreshold {
    /// To this number, above which the vote is too close; why this number.
    Unsure(f64, String),
    /// To the score that this share of clean images exceeds; above it an image counts as adversarial.
    Attacked(f64),
}
