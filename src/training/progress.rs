//! What a training tells of itself while it runs.

/// Where the training stands.
#[derive(Clone, Copy, Debug)]
pub struct TrainingProgress {
    /// What is being done: `training` or `measuring`.
    pub phase: &'static str,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// Steps done in this epoch (samples done, while measuring).
    pub batch: usize,
    /// Of how many.
    pub batches: usize,
    /// Mean loss of the last steps.
    pub loss: f32,
    /// Share of the last steps' (attacked) images classified rightly.
    pub accuracy: f32,
    /// What the last probe found, if there was one.
    pub probe: Option<RobustnessProbe>,
}

/// How the network does on a batch as it is, and under an attack that it was not trained by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobustnessProbe {
    /// Share of the batch's own images classified rightly.
    pub clean: f32,
    /// The same after PGD.
    pub attacked: f32,
    /// Its steps.
    pub steps: usize,
    /// Its ε, that of the card.
    pub epsilon: f64,
    /// Whether it was made in this very step.
    pub fresh: bool,
}
