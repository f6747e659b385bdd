//! Adversarial patches (Brown et al. 2017): a small picture that wins wherever it lies. It is
//! trained by expectation over transformation: every step lays it on pictures at freshly drawn
//! positions, turns and scales, and climbs the mean log-probability of the goal with Adam.
//!
//! Pixels are in 0..1, so the learning rate is too: 5.0 is a rate for pixels in 0..255, and on
//! pictures in 0..1 it drives every value to black or white in one step.
//!
//! The attacked pictures get the patch at a placement of their own, drawn from the seed and not
//! trained on; how it does at other placements is told besides. The patch kept is the one that wins
//! most of the pictures it learns from, each at a fixed placement, not the last.

use crate::attack::methods::ascent::Adam;
use crate::attack::methods::lesson::{Lesson, Likelihood, Merit};
use crate::attack::methods::placing::{Cover, Sheet};
use crate::attack::norm::Norm;
use crate::attack::note::Note;
use crate::attack::objective::times_power_of_two;
use crate::attack::observer::Observer;
use crate::attack::oracle::{Gradient, Score};
use crate::attack::problem::{Attempt, Problem};
use crate::attack::registry::{AttackSpec, Extent, Run};
use crate::attack::rows::Rows;
use crate::attack::trial::{Answers, Sight, Trial};
use crate::error::Result;
use crate::parameter::{Param, Settings};

/// A patch that wins wherever it lies.
pub const PATCH: AttackSpec = AttackSpec {
    id: "patch",
    name: "adversarial patch",
    family: "universal and patch",
    norms: &[Norm::L0],
    extent: Extent::Own,
    targeted: true,
    random: true,
    crowd: true,
    params: &[
        Param::float("area", (0.001, 1.0), 0.1, "its share of the picture's area at full scale"),
        Param::choice("shape", &["circle", "square"], "its outline"),
        Param::choice("place", &["random", "centre", "corner"], "where it may lie"),
        Param::float("rotation", (0.0, 180.0), 22.5, "largest turn to either side, in degrees"),
        Param::float("scale", (0.05, 1.0), 0.7, "smallest scale; the largest is 1"),
        Param::int("samples", (1, 10_000), 50, "how many pictures it is trained on"),
        Param::int("steps", (1, 10_000), 100, "number of gradient steps (500 in the paper)"),
        Param::float("learning-rate", (1e-4, 1.0), 0.05, "rate of Adam, in pixel units"),
        Param::int("draws", (1, 1000), 16, "pictures, each at a drawn placement, a step"),
    ],
    summary: "a small sticker that makes the model see what it wants, wherever it lies",
    about: "Instead of changing every pixel a little, a patch changes few pixels without any limit. \
            It is trained on many pictures at many positions, turns and scales, so that it needs no \
            knowledge of the picture it will lie on: printed out, it works in the physical world. \
            Watch it grow from grey into something that looks like a caricature of a class. The \
            patch is shown where the seed puts it; how often it wins at 20 fresh placements is told \
            in the notes. Small areas fail: try the least that works.",
    paper: "Brown, Mané, Roy, Abadi, Gilmer: Adversarial Patch, NIPS workshop 2017",
    run: Run::Gradient(patch),
};

/// How many fresh placements an attacked picture is tried at, and how many pictures at most: a
/// thousand placements tell the rate well enough.
const FRESH: (usize, usize) = (20, 50);
/// How many attacked pictures are shown at most while a crowd is learned from.
const SHOWN: usize = 8;
/// How often the patch is tried on a crowd during training.
const CHECKS: usize = 10;

fn patch(
    oracle: &mut dyn Gradient,
    problem: &Problem,
    settings: &Settings,
    watcher: &mut dyn Observer,
) -> Result<Attempt> {
    let mut lesson = Lesson::new(oracle, problem, watcher)?;
    let joint = lesson.joint.clone();
    let mut trial = Trial::new(&joint, watcher)?;
    let round = settings.choice("shape") != "square";
    let sheet = Sheet {
        spot: settings.choice("place"),
        turn: settings.float("rotation", 22.5),
        smallest: settings.float("scale", 0.7),
        ..Sheet::new(trial.x.shape(), settings.float("area", 0.1), round)
    };
    let fixed: Vec<_> = joint.draws(0).iter_mut().map(|draws| sheet.draw(draws)).collect();
    let steps = settings.int("steps", 100).max(1) as usize;
    let rate = settings.float("learning-rate", 0.05);
    let attacked = lesson.attacked();
    // With a crowd to judge by, a few of the attacked pictures are enough to look at.
    let most = if lesson.without_crowd() { attacked.len() } else { SHOWN };
    let shown = &attacked[..most.min(attacked.len())];
    let mut values = vec![0.5_f64; sheet.canvas().iter().product()];
    let mut adam = Adam::new(values.len());
    let mut order = Vec::new();
    let mut best: Option<(Merit, Vec<f32>)> = None;
    for step in 0..=steps {
        if step > 0 {
            let mut some = Vec::new();
            while some.len() < settings.int("draws", 16).max(1) as usize {
                if order.is_empty() {
                    order = lesson.shuffled();
                }
                some.extend(order.pop());
            }
            let covers: Vec<_> = some.iter().map(|_| sheet.draw(&mut lesson.draws)).collect();
            let now = single(&values);
            let images = laid(&trial, &sheet, &now, some.iter().copied().zip(&covers));
            let slopes = trial.slopes(oracle, &some, &images, &Likelihood)?;
            let mut gradient = vec![0.0; values.len()];
            for (row, covers) in covers.iter().enumerate() {
                let one = sheet.lift(covers, slopes.gradient.row(row));
                let share = times_power_of_two(1.0 / some.len() as f64, -slopes.log2_scale[row]);
                gradient.iter_mut().zip(one).for_each(|(sum, g)| *sum += share * g);
            }
            adam.climb(&mut values, &gradient, rate);
            values.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        }
        let now = single(&values);
        let fix = |which: &[usize]| which.iter().map(|i| (*i, &fixed[*i])).collect::<Vec<_>>();
        let images = laid(&trial, &sheet, &now, fix(shown));
        let scores = trial.scores(oracle, shown, &images)?;
        let check = step % steps.div_ceil(CHECKS) == 0 || step == steps;
        let merit = match (lesson.without_crowd(), check) {
            (true, _) => Some(Merit::new(&scores, &trial.goals(shown))),
            (false, true) => {
                let others = laid(&trial, &sheet, &now, fix(&lesson.learn));
                let answers = trial.scores(oracle, &lesson.learn, &others)?;
                Some(Merit::new(&answers, &trial.goals(&lesson.learn)))
            }
            (false, false) => None,
        };
        let margins = scores.margins(&trial.goals(shown));
        let n = lesson.learn.len();
        let mark = merit.map(|merit| format!("wins {} of {n} it learns from", merit.reached));
        trial.show(&Sight {
            open: shown,
            iteration: step,
            iterations: steps,
            loss: &margins.iter().map(|m| -m).collect::<Vec<_>>(),
            answers: Answers::Scores(&scores),
            step_size: rate as f32,
            images: &images,
            mark: mark.as_deref().filter(|_| check),
        })?;
        if let Some(merit) = merit
            && best.as_ref().is_none_or(|(record, _)| merit.beats(*record))
        {
            best = Some((merit, now));
        }
    }
    let now = best.map_or_else(|| single(&values), |(_, patch)| patch);
    let notes = vec![fresh(&mut trial, oracle, &sheet, &now, &attacked)?];
    let images = laid(&trial, &sheet, &now, attacked.iter().map(|i| (*i, &fixed[*i])));
    Ok(lesson.finish(trial, &images, notes))
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// These pictures with the patch laid on them.
fn laid<'a>(
    trial: &Trial<'_>,
    sheet: &Sheet,
    patch: &[f32],
    which: impl IntoIterator<Item = (usize, &'a Vec<Cover>)>,
) -> Rows {
    let mut rows = Rows::zeros(trial.x.shape(), 0);
    for (i, covers) in which {
        let mut picture = trial.x.row(i).to_vec();
        sheet.lay(patch, covers, &mut picture);
        rows.push(&picture);
    }
    rows
}

/// How often the patch wins at placements that it has never been tried at, in words.
fn fresh(
    trial: &mut Trial<'_>,
    oracle: &mut (impl Score + ?Sized),
    sheet: &Sheet,
    patch: &[f32],
    attacked: &[usize],
) -> Result<Note> {
    let (each, most) = FRESH;
    let mut draws = trial.problem.draws(1);
    let tried = &attacked[..most.min(attacked.len())];
    let mut won = 0;
    for i in tried {
        let covers: Vec<_> = (0..each).map(|_| sheet.draw(&mut draws[*i])).collect();
        let images = laid(trial, sheet, patch, covers.iter().map(|c| (*i, c)));
        let which = vec![*i; each];
        let labels = trial.labels(oracle, &which, &images)?;
        won += trial.reached(&which, &labels).into_iter().filter(|r| *r).count();
    }
    let text = format!("wins at {{hits}} of {{of}} fresh placements ({each} a picture)");
    Ok(Note::count(&text, &text, (won, each * tried.len())))
}
