//! Search over the few parameters of a [`Transformation`] (an angle, a shift, a hue), by logits only. A
//! list of settings, mildest first, is tried in order, and the first that reaches the goal is kept: the
//! mildest of the list, not the one of the largest loss.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;
use crate::attack::note::Note;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::AttackOutput;
use crate::error::Result;

/// The D parameters of a transformation, each in −1..1 with 0 for no change.
pub(super) type TransformSetting<const D: usize> = [f64; D];

/// A transformation of images with D parameters.
pub(super) trait Transformation<const D: usize> {
    /// The image transformed; for the zero setting exactly the image.
    fn apply(&self, picture: &[f32], setting: &TransformSetting<D>) -> Vec<f32>;

    /// The setting in words and units: `12.0° left, 1.4 px down`.
    fn describe(&self, setting: &TransformSetting<D>) -> String;

    /// The size of each change, without its direction, in the units of [`Self::mean`].
    fn sizes(&self, setting: &TransformSetting<D>) -> TransformSetting<D>;

    /// Sizes on average, as a [`Note`] writes them: `turned {0:.1}°, moved {1:.1} px`.
    fn mean(&self) -> &'static str;
}

/// The result of a search.
pub(super) struct GridSearchResult<const D: usize> {
    /// The transformed images.
    pub best: BestSoFar,
    /// The setting of each image.
    pub settings: Vec<TransformSetting<D>>,
    /// Iterations done.
    pub iteration: usize,
}

impl<const D: usize> GridSearchResult<D> {
    /// Nothing yet: the clean images.
    pub fn new(x: &ImageBatch) -> Self {
        Self { best: BestSoFar::new(x), settings: vec![[0.0; D]; x.len()], iteration: 0 }
    }
}

/// The strength of a setting: its L2 length, the parameters' bounds being 1.
pub(super) fn strength<const D: usize>(setting: &TransformSetting<D>) -> f64 {
    setting.iter().map(|s| s * s).sum::<f64>().sqrt()
}

/// Number of settings tried between two reports.
const CHUNK: usize = 25;

/// Number of reports of a search through `n` settings, after the first.
fn rounds(n: usize) -> usize {
    n.saturating_sub(1).div_ceil(CHUNK)
}

/// Tries the settings of each image in order. All lists are of one length and begin with zero, the
/// clean image, which is reported as the start. An image is done as soon as one works; where none works
/// the setting of the smallest margin is kept. `after` is how many iterations will follow this search.
pub(super) fn grid_search<const D: usize>(
    context: &mut AttackContext<'_>,
    oracle: &mut dyn ScoreOracle,
    change: &impl Transformation<D>,
    settings: &[Vec<TransformSetting<D>>],
    after: usize,
) -> Result<GridSearchResult<D>> {
    let mut found = GridSearchResult::new(context.x);
    let most = settings.first().map_or(0, Vec::len);
    for round in 0..=rounds(most) {
        let active = found.best.active(&context.all());
        if active.is_empty() {
            break;
        }
        found.iteration = round;
        let mut images = ImageBatch::zeros(context.x.shape(), 0);
        let mut logits = Logits::new(Vec::new(), oracle.classes());
        let mut first = None;
        for i in &active {
            let range = match round {
                0 => 0..1,
                _ => 1 + (round - 1) * CHUNK..(1 + round * CHUNK).min(most),
            };
            let tried = &settings[*i][range];
            let mut candidates = ImageBatch::zeros(context.x.shape(), 0);
            tried.iter().for_each(|s| candidates.push(&change.apply(context.x.row(*i), s)));
            let predictions = context.logits(oracle, &vec![*i; tried.len()], &candidates)?;
            let goals = vec![context.problem.goals[*i]; tried.len()];
            let margins = predictions.margins(&goals);
            let reached = goals.iter().zip(predictions.labels()).position(|(g, l)| g.reached(l));
            let nearest = || (0..tried.len()).min_by(|a, b| margins[*a].total_cmp(&margins[*b]));
            let Some(at) = reached.or_else(nearest) else { continue };
            first.get_or_insert_with(|| change.describe(&tried[at]));
            if found.best.offer(*i, candidates.row(at), reached.is_some(), margins[at]) {
                found.settings[*i] = tried[at];
            }
            images.push(candidates.row(at));
            logits.append(Logits::new(predictions.row(at).to_vec(), predictions.classes()));
        }
        let margins = logits.margins(&context.goals(&active));
        context.report(&StepReport {
            active: &active,
            iteration: round,
            iterations: rounds(most) + after,
            loss: &margins.iter().map(|m| -m).collect::<Vec<_>>(),
            predictions: Predictions::Logits(&logits),
            step_size: 0.0,
            images: &images,
            mark: first.as_deref(),
        })?;
    }
    Ok(found)
}

/// How many times [`soften`] halves the interval in which the mildest setting lies.
const HALVINGS: usize = 8;

/// How many iterations [`soften`] takes.
pub(super) const fn softening<const D: usize>() -> usize {
    D + HALVINGS
}

/// Makes what was found milder while it still works: leaves out one parameter after the other, then
/// halves its way towards the clean image.
pub(super) fn soften<const D: usize>(
    context: &mut AttackContext<'_>,
    oracle: &mut dyn ScoreOracle,
    change: &impl Transformation<D>,
    found: &mut GridSearchResult<D>,
) -> Result<()> {
    let active: Vec<usize> = context.all().into_iter().filter(|i| found.best.reached[*i]).collect();
    if active.is_empty() {
        return Ok(());
    }
    // Below which share of the found setting it is known not to work.
    let mut below = vec![0.0; active.len()];
    let mut whole: Vec<TransformSetting<D>> = active.iter().map(|i| found.settings[*i]).collect();
    let mut share = vec![1.0; active.len()];
    let before = found.iteration;
    for round in 0..softening::<D>() {
        let tried: Vec<TransformSetting<D>> = (0..active.len())
            .map(|k| match round < D {
                true => std::array::from_fn(|d| if d == round { 0.0 } else { whole[k][d] }),
                false => whole[k].map(|s| s * (below[k] + share[k]) / 2.0),
            })
            .collect();
        let mut images = ImageBatch::zeros(context.x.shape(), 0);
        for (i, setting) in active.iter().zip(&tried) {
            images.push(&change.apply(context.x.row(*i), setting));
        }
        let logits = context.logits(oracle, &active, &images)?;
        let reached = context.reached(&active, &logits.labels());
        for (k, i) in active.iter().enumerate() {
            let middle = (below[k] + share[k]) / 2.0;
            match (reached[k], round < D) {
                (true, true) => whole[k] = tried[k],
                (true, false) => share[k] = middle,
                (false, true) => {}
                (false, false) => below[k] = middle,
            }
            if reached[k] {
                found.settings[*i] = tried[k];
                found.best.images.row_mut(*i).copy_from_slice(images.row(k));
            }
        }
        let margins = logits.margins(&context.goals(&active));
        context.report(&StepReport {
            active: &active,
            iteration: before + 1 + round,
            iterations: before + softening::<D>(),
            loss: &margins.iter().map(|m| -m).collect::<Vec<_>>(),
            predictions: Predictions::Logits(&logits),
            step_size: 0.0,
            images: &images,
            mark: Some(&format!("milder: {}", change.describe(&tried[0]))),
        })?;
    }
    Ok(())
}

/// Ends the attack, with a note that tells the sizes that were found.
pub(super) fn report<const D: usize>(
    context: AttackContext<'_>,
    change: &impl Transformation<D>,
    found: &GridSearchResult<D>,
) -> AttackOutput {
    let there: Vec<&TransformSetting<D>> = found
        .settings
        .iter()
        .zip(&found.best.reached)
        .filter(|(_, r)| **r)
        .map(|(s, _)| s)
        .collect();
    let single = match (found.settings.as_slice(), there.as_slice()) {
        ([one], []) => Some(format!("nothing works; nearest to it: {}", change.describe(one))),
        ([_], [one]) => Some(format!("found: {}", change.describe(one))),
        _ => None,
    };
    let sizes: Vec<TransformSetting<D>> =
        there.iter().map(|setting| change.sizes(setting)).collect();
    let sums = (0..D).map(|d| sizes.iter().map(|sizes| sizes[d]).sum()).collect();
    let some = format!("{{hits}} of {{of}}, sizes on average: {}", change.mean());
    let counted = (there.len(), found.settings.len());
    let note = Note::count(&some, "nothing works on any of {of} pictures", counted);
    let mut output = context.finish(found.best.images.clone());
    output.notes.push(Note { sums, single, ..note });
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::goal::Goal;
    use crate::attack::norm::{Budget, Norm};
    use crate::attack::observer::Flow;
    use crate::attack::observer::StepEvent;
    use crate::attack::oracle::DecisionOracle;
    use crate::attack::problem::Problem;

    /// Answers 1 where the first pixel is brighter than 0.7.
    struct Bright;

    impl DecisionOracle for Bright {
        fn labels(&mut self, images: &ImageBatch) -> Result<Vec<usize>> {
            Ok(self.logits(images)?.labels())
        }

        fn classes(&self) -> usize {
            2
        }

        fn passes(&self) -> (u64, u64) {
            (0, 0)
        }
    }

    impl ScoreOracle for Bright {
        fn logits(&mut self, images: &ImageBatch) -> Result<Logits> {
            Ok(Logits::new(images.iter().flat_map(|row| [0.7, row[0]]).collect(), 2))
        }
    }

    /// The first parameter brightens by up to ½; the second does nothing.
    struct Brighten;

    impl Transformation<2> for Brighten {
        fn apply(&self, picture: &[f32], setting: &TransformSetting<2>) -> Vec<f32> {
            picture.iter().map(|p| p + 0.5 * setting[0] as f32).collect()
        }

        fn describe(&self, setting: &TransformSetting<2>) -> String {
            format!("{:.1} and {:.1}", setting[0], setting[1])
        }

        fn sizes(&self, setting: &TransformSetting<2>) -> TransformSetting<2> {
            setting.map(f64::abs)
        }

        fn mean(&self) -> &'static str {
            "{0:.1} and {1:.1}"
        }
    }

    fn problem() -> Problem {
        let images = ImageBatch::new([1, 1, 2], vec![0.5, 0.0, 0.1, 0.0]);
        Problem {
            images,
            goals: vec![Goal::Untargeted { truth: 0 }; 2],
            budget: Budget { norm: Norm::L2, epsilon: 0.0 },
            seed: 0,
            samples: vec![0, 1],
            training_images: None,
        }
    }

    #[test]
    fn the_first_setting_that_works_is_kept_and_made_milder() {
        let problem = problem();
        let mut list = vec![[0.0; 2]; 30];
        list[27] = [-1.0, 0.0];
        list[28] = [0.9, 0.9];
        list[29] = [0.5, 0.0];
        let mut seen = Vec::new();
        let mut watch = |step: &StepEvent<'_>| {
            seen.push((step.iteration, step.active.to_vec()));
            Flow::Continue
        };
        let mut context = AttackContext::new(&problem, &mut watch);
        let lists = vec![list; 2];
        let mut found = grid_search(&mut context, &mut Bright, &Brighten, &lists, 10).unwrap();
        assert_eq!(found.best.reached, [true, false]);
        assert_eq!(found.settings, [[0.9, 0.9], [0.9, 0.9]], "the nearest failure is kept too");
        assert_eq!(context.queries, [30, 30]);
        soften(&mut context, &mut Bright, &Brighten, &mut found).unwrap();
        // 0.5 + s/2 > 0.7 from s = 0.4 on; the second parameter is not needed.
        let [first, second] = found.settings[0];
        assert!(first > 0.4 && first < 0.4 + 0.9 / 256.0 + 1e-6 && second == 0.0, "{first}");
        assert!(found.best.images.row(0)[0] > 0.7 && found.best.images.row(0)[0] < 0.702);
        assert_eq!(context.queries, [30 + 10, 30]);
        let output = report(context, &Brighten, &found);
        assert_eq!(Note::texts(&output.notes), ["1 of 2, sizes on average: 0.4 and 0.0"]);
        assert!(seen.iter().map(|(iteration, _)| *iteration).eq(0..13), "{seen:?}");
    }
}
