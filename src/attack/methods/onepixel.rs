//! The one-pixel attack (Su, Vargas and Sakurai 2019): differential evolution over the places and
//! colours of a few pixels.
//!
//! As in the paper a child is one member plus half the difference of two others, without crossover,
//! and replaces the member of its own number if it is fitter. The paper stops when the class is
//! nearly certain (below 5 % for the true class, above 90 % for a target); here an image is done as
//! soon as the goal is reached. Fitness is the cross-entropy, which orders candidates as
//! the probability does without rounding to 1.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam, Settings};
use crate::rng::KeyedRng;

const POPULATION: IntParam = IntParam::new(
    "population",
    (4, 10_000),
    100,
    "members, each asked about once a generation; the paper's 400 take minutes",
);
const STEPS: IntParam =
    IntParam::new("steps", (1, 10_000), 50, "number of generations; the paper's are 100");
const FACTOR: FloatParam =
    FloatParam::new("factor", (0.0, 2.0), 0.5, "weight of the difference of two members");

/// One-pixel attack: differential evolution over the positions and colours of a few pixels.
///
/// L0; logits (black box); within ε; targeted or untargeted.
///
/// Su, Vargas, Sakurai: One Pixel Attack for Fooling Deep Neural Networks, IEEE TEVC 2019.
pub const ONE_PIXEL: AttackSpec = AttackSpec {
    id: "one-pixel",
    name: "one pixel",
    family: "sparse",
    norms: &[Norm::L0],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[POPULATION.param, STEPS.param, FACTOR.param],
    summary: "evolves the place and colour of one pixel, or of a few",
    about: "Each member of a population says which pixels to change and to what colour. A child is one \
            member plus half the difference of two others; it survives if it makes the true class less \
            probable than its parent does. How many pixels there are follows from ε: a pixel counts as \
            many values as it has channels, so ε = 1 in grey and ε = 3 in colour is the paper's single \
            pixel. It works on small colour pictures; on digits and on large photographs it takes \
            many pixels.",
    paper: "Su, Vargas, Sakurai: One Pixel Attack for Fooling Deep Neural Networks, IEEE TEVC 2019",
    run: Algorithm::Score(one_pixel),
};

fn one_pixel(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let species = Species::new(
        context.x.shape(),
        problem.budget.epsilon,
        POPULATION.count(settings),
        FACTOR.get(settings) as f32,
    );
    // Where no pixel may change, one look at the image is enough.
    let steps = STEPS.count(settings) * species.pixels.min(1);
    let mut draws = problem.draws(0);
    let mut swarms: Vec<Swarm> = context.all().iter().map(|_| Swarm::default()).collect();
    let mut active = context.all();
    for generation in 0..=steps {
        let mut images = ImageBatch::zeros(context.x.shape(), 0);
        let mut logits = Logits::new(Vec::new(), oracle.classes());
        for i in &active {
            let swarm = &mut swarms[*i];
            let children = swarm.breed(&species, &mut draws[*i]);
            swarm.compete(&species, &children, *i, oracle, &mut context)?;
            images.push(&species.picture(context.x.row(*i), &swarm.champion.genes));
            logits.append(Logits::new(swarm.champion.answer.clone(), logits.classes()));
        }
        let goals = context.goals(&active);
        let (loss, margins) = (logits.losses(&goals, &CrossEntropy), logits.margins(&goals));
        let reached = context.reached(&active, &logits.labels());
        for (k, i) in active.iter().enumerate() {
            best.offer(*i, images.row(k), reached[k], margins[k]);
        }
        let mark = species.name(&swarms[active[0]].champion.genes);
        context.report(&StepReport {
            active: &active,
            iteration: generation,
            iterations: steps,
            loss: &loss,
            predictions: Predictions::Logits(&logits),
            step_size: 0.0,
            images: &images,
            mark: mark.as_deref(),
        })?;
        active = best.active(&active);
        if active.is_empty() {
            break;
        }
    }
    Ok(context.finish(best.images))
}

/// What one pixel's genes are: row, column, and a value for each channel.
const PLACE: usize = 2;

/// What all members have in common.
struct Species {
    shape: [usize; 3],
    pixels: usize,
    /// How many of a pixel's channels may change.
    channels: usize,
    population: usize,
    factor: f32,
}

impl Species {
    /// As many whole pixels as `epsilon` values make up; where they make up none, some channels
    /// of one.
    fn new(shape: [usize; 3], epsilon: f32, population: usize, factor: f32) -> Self {
        let values = epsilon.max(0.0) as usize;
        let pixels = (values / shape[0]).max(values.min(1)).min(shape[1] * shape[2]);
        let population = if pixels == 0 { 1 } else { population };
        Self { shape, pixels, channels: values.min(shape[0]), population, factor }
    }

    /// Genes a pixel.
    fn stride(&self) -> usize {
        PLACE + self.shape[0]
    }

    /// Any place, and a colour around the middle grey: N(128, 127) of 255.
    fn draw(&self, draws: &mut KeyedRng) -> Vec<f32> {
        let colour =
            |draws: &mut KeyedRng| ((128.0 + 127.0 * draws.normal()) / 255.0).clamp(0.0, 1.0);
        let gene = |n: usize| match n % self.stride() {
            n @ 0..PLACE => draws.unit() * self.shape[1 + n] as f32,
            _ => colour(draws),
        };
        (0..self.pixels * self.stride()).map(gene).collect()
    }

    /// Member a plus the weighted difference of members b and c. A place outside the image is
    /// drawn anew, so that members do not pile up at the edges; a colour is clipped.
    fn cross(&self, [a, b, c]: [&[f32]; 3], draws: &mut KeyedRng) -> Vec<f32> {
        let gene = |n: usize| {
            let value = a[n] + self.factor * (b[n] - c[n]);
            match n % self.stride() {
                n @ 0..PLACE => {
                    let size = self.shape[1 + n] as f32;
                    if (0.0..size).contains(&value) { value } else { draws.unit() * size }
                }
                _ => value.clamp(0.0, 1.0),
            }
        };
        (0..a.len()).map(gene).collect()
    }

    /// The pixels that a member changes: the place in a channel, and the colour.
    fn spots<'a>(&self, genes: &'a [f32]) -> impl Iterator<Item = (usize, &'a [f32])> {
        let [_, height, width] = self.shape;
        genes.chunks(self.stride()).map(move |genes| {
            // A draw just below the size may round up to it.
            let row = (genes[0] as usize).min(height - 1);
            (row * width + (genes[1] as usize).min(width - 1), &genes[PLACE..])
        })
    }

    /// The image that a member makes.
    fn picture(&self, x: &[f32], genes: &[f32]) -> Vec<f32> {
        let area = self.shape[1] * self.shape[2];
        let mut image = x.to_vec();
        for (place, colour) in self.spots(genes) {
            let mut order: Vec<usize> = (0..colour.len()).collect();
            let change = |channel: usize| (colour[channel] - x[channel * area + place]).abs();
            order.sort_by(|a, b| change(*b).total_cmp(&change(*a)));
            for channel in order.into_iter().take(self.channels) {
                image[channel * area + place] = colour[channel];
            }
        }
        image
    }

    /// The first pixel in words.
    fn name(&self, genes: &[f32]) -> Option<String> {
        let (place, colour) = self.spots(genes).next()?;
        let (row, column) = (place / self.shape[2], place % self.shape[2]);
        let colour: Vec<String> = colour.iter().map(|v| format!("{v:.2}")).collect();
        let others = if self.pixels > 1 { " and others" } else { "" };
        Some(format!("pixel {column},{row} set to {}{others}", colour.join(" ")))
    }
}

/// The population of one image.
#[derive(Default)]
struct Swarm {
    members: Vec<Vec<f32>>,
    fitness: Vec<f64>,
    champion: Champion,
}

/// The fittest so far, or the first that reached the goal.
#[derive(Default)]
struct Champion {
    genes: Vec<f32>,
    /// The model's logits.
    answer: Vec<f32>,
    fitness: f64,
    done: bool,
}

impl Swarm {
    /// The next generation's candidates, one to compete with each member.
    fn breed(&self, species: &Species, draws: &mut KeyedRng) -> Vec<Vec<f32>> {
        let n = species.population;
        if self.members.is_empty() {
            return (0..n).map(|_| species.draw(draws)).collect();
        }
        let child = |own: usize| {
            let parents = parents(own, n, draws);
            species.cross(parents.map(|p| self.members[p].as_slice()), draws)
        };
        (0..n).map(child).collect()
    }

    /// Queries the children and keeps those that are fitter than their parents.
    fn compete(
        &mut self,
        species: &Species,
        children: &[Vec<f32>],
        picture: usize,
        oracle: &mut dyn ScoreOracle,
        context: &mut AttackContext<'_>,
    ) -> Result<()> {
        let most = context.batch_size();
        for (batch_size, part) in children.chunks(most).enumerate() {
            let mut images = ImageBatch::zeros(context.x.shape(), 0);
            let x = context.x.row(picture);
            part.iter().for_each(|genes| images.push(&species.picture(x, genes)));
            let payers = vec![picture; part.len()];
            let logits = context.logits(oracle, &payers, &images)?;
            let fitness = logits.losses_or_margins(&context.goals(&payers), &CrossEntropy);
            let reached = context.reached(&payers, &logits.labels());
            for (k, genes) in part.iter().enumerate() {
                let number = batch_size * most + k;
                if number == self.members.len() {
                    self.members.push(genes.clone());
                    self.fitness.push(fitness[k]);
                } else if fitness[k] > self.fitness[number] {
                    self.members[number].clone_from(genes);
                    self.fitness[number] = fitness[k];
                }
                let champion = &mut self.champion;
                let better = reached[k] || fitness[k] > champion.fitness;
                if champion.genes.is_empty() || (better && !champion.done) {
                    let (genes, answer) = (genes.clone(), logits.row(k).to_vec());
                    *champion = Champion { genes, answer, fitness: fitness[k], done: reached[k] };
                }
            }
        }
        Ok(())
    }
}

/// Three different members out of `n`, none of them `own`.
fn parents(own: usize, n: usize, draws: &mut KeyedRng) -> [usize; 3] {
    let mut parents = [own; 3];
    for k in 0..3 {
        while parents[k] == own || parents[..k].contains(&parents[k]) {
            parents[k] = draws.below(n);
        }
    }
    parents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn species(shape: [usize; 3], epsilon: f32) -> Species {
        Species::new(shape, epsilon, 20, 0.5)
    }

    #[test]
    fn the_budget_counts_values_and_pixels_take_all_their_channels() {
        for (shape, epsilon, pixels) in [
            ([1, 8, 8], 1.0, 1),
            ([1, 8, 8], 5.9, 5),
            ([3, 8, 8], 3.0, 1),
            ([3, 8, 8], 8.0, 2),
            ([3, 8, 8], 2.0, 1),
            ([3, 8, 8], 0.5, 0),
            ([1, 2, 2], 9.0, 4),
        ] {
            let species = species(shape, epsilon);
            assert_eq!(species.pixels, pixels, "{shape:?} {epsilon}");
            let x = vec![0.25; shape.iter().product()];
            let mut most = 0.0_f32;
            for seed in 0..200 {
                let genes = species.draw(&mut KeyedRng::new(seed, 0, 0));
                let image = species.picture(&x, &genes);
                assert!(image.iter().all(|p| (0.0..=1.0).contains(p)));
                most = most.max(Norm::L0.distance(&image, &x));
            }
            let allowed = if pixels == 1 { epsilon } else { (pixels * shape[0]) as f32 };
            assert_eq!(most, allowed.min((pixels * shape[0]) as f32).floor(), "{shape:?}");
        }
    }

    #[test]
    fn children_are_crossed_inside_the_picture() {
        let species = species([1, 10, 6], 1.0);
        let mut draws = KeyedRng::new(0, 0, 0);
        let inside =
            species.cross([&[4.0, 2.0, 0.5], &[6.0, 3.0, 0.9], &[2.0, 1.0, 0.3]], &mut draws);
        assert_eq!(inside[..2], [6.0, 3.0]);
        assert!((inside[2] - 0.8).abs() < 1e-6);
        for _ in 0..100 {
            let genes = [[9.0, 5.0, 0.9], [9.5, 5.5, 1.0], [0.0, 0.0, 0.0]];
            let child = species.cross([&genes[0], &genes[1], &genes[2]], &mut draws);
            assert!((0.0..10.0).contains(&child[0]) && (0.0..6.0).contains(&child[1]));
            assert_eq!(child[2], 1.0);
        }
        let last = [9.999_999_9, 5.999_999_9, 0.5];
        assert_eq!(species.spots(&last).next().unwrap().0, 59, "rounding stays inside");
    }

    #[test]
    fn parents_are_three_others() {
        let mut draws = KeyedRng::new(1, 0, 0);
        let mut seen = [false; 6];
        for _ in 0..200 {
            let [a, b, c] = parents(2, 6, &mut draws);
            assert!(a != b && b != c && a != c && ![a, b, c].contains(&2));
            seen[a] = true;
        }
        assert_eq!(seen, [true, true, false, true, true, true]);
    }
}
