//! Extra queries beside an attack that checks need: to the same target model, under the same
//! stance, from the same image.

use crate::attack::{
    AttackConfig, DecisionOracle, Flow, Goal, GradientOracle, ImageBatch, Margin, Norm, Observer,
    ScoreOracle, TargetModel, find, margin,
};
use crate::data::Image;
use crate::defence::Stance;
use crate::error::{Error, Result};
use crate::experiment::checks::LossHistory;
use crate::experiment::defended::{DefendedAttack, predict_through};
use crate::experiment::one_sample::{Experiment, problem, run_attack};
use crate::experiment::report::{DefenceRow, Report};
use crate::metrics::Rate;
use crate::metrics::checks::{Evidence, GradientTest, LONGER, OtherAttack, Probe, Remedy};
use crate::model::Classifier;
use crate::parameter::Value;
use crate::rng::KeyedRng;

/// Differences along so many directions at most, and at least.
const DIRECTIONS: (u64, u64) = (16, 3);

/// How far the image moves for a difference, in L2: far enough to be felt through rounding, near
/// enough for a photograph's many pixels together to stay where the network is straight.
const STRIDE: f32 = 0.04;

/// Radius of the neighbourhood for the noise of the loss, and the number of points in it (Pintor et
/// al. 2022).
const NEAR: (f32, usize) = (8.0 / 255.0, 100);

/// Images predicted at once.
const AT_ONCE: usize = 20;

/// Steps of the attack that has no ε to keep to.
const UNBOUNDED: i64 = 20;

/// Draws of noise, and queries of Square.
const BLACK_BOX: (i64, i64) = (100, 300);

/// Other starts.
const STARTS: u64 = 4;

/// Other numbers of draws.
const DRAWS: [u64; 3] = [1, 5, 20];

/// An attack on one sample that is over, with its target: what checks can probe.
#[derive(Clone, Copy)]
pub struct FinishedAttack<'a> {
    /// What was tried.
    pub experiment: &'a Experiment,
    /// The result of it on the undefended network.
    pub report: &'a Report,
    /// The defence, and the result of the attack on it; none for the undefended network.
    pub row: Option<(DefendedAttack<'a>, &'a DefenceRow)>,
}

impl FinishedAttack<'_> {
    /// What is known so far.
    pub fn evidence(&self) -> &Evidence {
        self.row.map_or(&self.report.checks, |(_, row)| &row.checks)
    }

    /// What the attack took, forwards and backwards, counted by image.
    pub fn passes(&self) -> u64 {
        let cost = self.row.map_or(self.report.cost, |(_, row)| row.cost);
        cost.forward + cost.backward
    }

    fn attacked(&self) -> &Image {
        self.row.map_or(&self.report.picture, |(_, row)| &row.picture)
    }

    /// Calls `ask` with the target model and with the model that the attack was crafted on; where
    /// `still`, with their random draws fixed. Returns the passes that this took, too.
    fn with<T>(
        &self,
        still: bool,
        ask: impl FnOnce(&mut TargetModel<'_>, Option<&mut TargetModel<'_>>) -> T,
    ) -> (T, u64) {
        let meet = |victim: &dyn Classifier, surrogate: Option<&dyn Classifier>| {
            let (mut victim, mut surrogate) =
                (TargetModel::new(victim), surrogate.map(TargetModel::new));
            let answer = ask(&mut victim, surrogate.as_mut());
            let asked = [&victim].into_iter().chain(&surrogate).map(DecisionOracle::passes);
            (answer, asked.map(|(forward, backward)| forward + backward).sum())
        };
        match self.row {
            None => {
                let surrogate = self.experiment.surrogate.as_ref();
                let surrogate = surrogate.map(|model| &model.network as &dyn Classifier);
                meet(&self.experiment.model.network, surrogate)
            }
            Some((DefendedAttack { pipeline, surrogate, stance, draws }, _)) => {
                let like = still.then_some(&self.report.original);
                let seen = pipeline.attacker_view(stance, draws).with_fixed_randomness(like);
                let behind = surrogate
                    .map(|other| other.attacker_view(stance, draws).with_fixed_randomness(like));
                meet(&seen, behind.as_ref().map(|seen| seen as &dyn Classifier))
            }
        }
    }

    /// Network passes of one prediction of the model that the attack queries.
    fn look(&self) -> u64 {
        self.row.map_or(1, |(a, _)| {
            a.surrogate.unwrap_or(a.pipeline).attacker_view(a.stance, a.draws).passes()
        })
    }

    /// Network passes of one prediction of the judge.
    fn judge(&self) -> u64 {
        self.row.map_or(1, |(a, _)| a.pipeline.votes() * a.pipeline.passes())
    }

    /// What a probe takes, forwards and backwards, where it may take `most`; none where that is too
    /// little.
    pub(super) fn price(&self, probe: Probe, most: u64) -> Option<u64> {
        let (look, judge) = (self.look(), self.judge());
        let price = match probe {
            Probe::EightBit => judge,
            Probe::SingleStep => 3 * look + judge,
            Probe::Path => (2 + 2 * directions(most, look)?) * look,
            Probe::Noise => (1 + NEAR.1 as u64) * look,
            Probe::Unbounded => (2 * UNBOUNDED as u64 + 1) * look + judge,
            Probe::Epsilons => 2 * self.passes(),
            Probe::Longer => LONGER as u64 * self.passes(),
            Probe::Restarts => STARTS * self.passes(),
            Probe::BlackBox => (BLACK_BOX.0 + BLACK_BOX.1 + 1) as u64 * look + 2 * judge,
            Probe::Draws => {
                let one = self.row.map_or(1, |(a, _)| a.pipeline.passes());
                DRAWS.iter().map(|n| self.passes() * n * one / look.max(1) + judge).sum()
            }
        };
        (price <= most).then_some(price)
    }
}

/// Runs probes: the extra queries beside one finished attack.
pub(super) struct Prober<'a> {
    finished: FinishedAttack<'a>,
    /// Whether random draws are fixed.
    still: bool,
    /// Passes so far, forwards and backwards.
    pub spent: u64,
}

impl<'a> Prober<'a> {
    /// A prober that has made no queries yet.
    pub fn new(finished: FinishedAttack<'a>) -> Self {
        Self { finished, still: false, spent: 0 }
    }

    /// Runs a probe and adds its result to `evidence`; takes no more than `most` passes.
    ///
    /// # Errors
    /// Cancelled, when the observer stops it; device failures; those of the stages.
    pub fn ask(
        &mut self,
        probe: Probe,
        most: u64,
        evidence: &mut Evidence,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let found = &mut evidence.probes;
        match probe {
            Probe::EightBit => {
                let rounded = self.finished.attacked().rounded_to_8_bits();
                evidence.survives_8_bit = Some(self.reached(&rounded)?);
            }
            Probe::SingleStep => found.single_step = Some(self.other("fgsm", &[], observer)?),
            Probe::Path => {
                // Chance would drown the differences.
                self.still = true;
                found.path = Some(self.path(most, observer)?);
                self.still = false;
            }
            Probe::Noise => found.noise = Some(self.noise(observer)?),
            Probe::Unbounded => {
                // Without a random start: in so much room chance alone would reach the goal.
                let norm = match self.plan().norm {
                    norm if find("bim")?.norms.contains(&norm) => norm,
                    _ => Norm::Linf,
                };
                let plan =
                    AttackConfig { norm, ..self.with_attack("bim", &[("steps", UNBOUNDED)])? };
                let plan = plan.boundless(self.finished.report.original.pixels().len());
                found.unbounded = Some(self.run(plan, observer)?.success);
            }
            Probe::Epsilons => {
                let factors = if evidence.success { [1.5, 2.0] } else { [0.5, 0.75] };
                for factor in factors {
                    let plan = self.scaled(factor);
                    let epsilon = plan.epsilon;
                    found.epsilons.push((epsilon, self.run(plan, observer)?.success));
                }
            }
            Probe::Longer => {
                if let Some(plan) = Remedy::longer(self.plan()) {
                    found.longer = Some(self.run(plan, observer)?);
                }
            }
            Probe::Restarts => {
                for start in 1..=STARTS {
                    let seed = self.plan().seed.wrapping_add(start);
                    found
                        .restarts
                        .push(self.run(AttackConfig { seed, ..self.plan().clone() }, observer)?);
                }
            }
            Probe::BlackBox => {
                let (repeats, queries) = BLACK_BOX;
                let both = [("noise", ("repeats", repeats)), ("square", ("queries", queries))];
                for (id, setting) in both {
                    let attack = find(id)?;
                    if attack.norms.contains(&self.plan().norm) {
                        let tried = self.other(id, &[setting], observer)?;
                        found.black_box.push((attack.name, tried));
                    }
                }
            }
            Probe::Draws => {
                let own = evidence.defence.as_ref().and_then(|behind| behind.draws).unwrap_or(1);
                for n in DRAWS.into_iter().filter(|n| *n != own) {
                    found.draws.extend(self.drawn(n, observer)?.map(|rate| (n, rate)));
                }
            }
        }
        Ok(())
    }

    fn with<T>(
        &mut self,
        ask: impl FnOnce(&mut TargetModel<'_>, Option<&mut TargetModel<'_>>) -> T,
    ) -> T {
        let (answer, spent) = self.finished.with(self.still, ask);
        self.spent += spent;
        answer
    }

    /// A prediction of the judge counts as one pass but takes more.
    fn judged(&mut self) {
        self.spent += self.finished.judge() - 1;
    }

    fn plan(&self) -> &'a AttackConfig {
        &self.finished.experiment.plan
    }

    fn with_attack(&self, id: &str, settings: &[(&'static str, i64)]) -> Result<AttackConfig> {
        let mut plan = AttackConfig::new(find(id)?, self.plan().epsilon);
        for (id, value) in settings {
            plan.settings.set(id, Value::Int(*value));
        }
        Ok(AttackConfig {
            norm: self.plan().norm,
            target: self.plan().target,
            seed: self.plan().seed,
            ..plan
        })
    }

    /// The same plan at another ε.
    fn scaled(&self, factor: f64) -> AttackConfig {
        let plan = self.plan();
        let epsilon = plan.epsilon * factor;
        let epsilon = if plan.norm == Norm::L0 { epsilon.round() } else { epsilon };
        let widest = plan.norm.largest_distance(self.finished.report.original.pixels().len());
        AttackConfig { epsilon: epsilon.min(widest), ..plan.clone() }
    }

    fn images(&self) -> ImageBatch {
        ImageBatch::of(&self.finished.report.original)
    }

    fn other(
        &mut self,
        id: &str,
        settings: &[(&'static str, i64)],
        observer: &mut dyn Observer,
    ) -> Result<OtherAttack> {
        self.run(self.with_attack(id, settings)?, observer)
    }

    /// Another attack on the same target model.
    fn run(&mut self, plan: AttackConfig, observer: &mut dyn Observer) -> Result<OtherAttack> {
        let experiment = Experiment { plan, ..self.finished.experiment.clone() };
        let problem = problem(&experiment, self.images(), self.finished.report.goal())?;
        let mut history = LossHistory::new(observer);
        let verdict = self.with(|victim, surrogate| {
            run_attack(&experiment.plan, victim, surrogate, &problem, &mut history)
        })?;
        self.judged();
        let lowest = history.finish().iter().filter_map(|leg| leg.lowest).reduce(f32::min);
        Ok(OtherAttack { success: verdict.success[0], lowest })
    }

    /// Whether the target model's prediction to an image reaches the goal.
    fn reached(&mut self, picture: &Image) -> Result<bool> {
        let images = ImageBatch::of(picture);
        let scores = self.with(|victim, _| victim.predict(&images))?;
        self.judged();
        Ok(scores.labels().iter().all(|label| self.finished.report.goal().reached(*label)))
    }

    /// Random signs, one for each value, by the number of the direction.
    fn signs(&self, probe: Probe, direction: usize) -> impl Iterator<Item = f32> {
        let sample = self.finished.experiment.sample.index as u64;
        // Far from the restarts of any attack.
        let restart = u64::MAX - ((probe as u64) << 32) - direction as u64;
        let mut draws = KeyedRng::new(self.plan().seed, sample, restart);
        std::iter::repeat_with(move || 1.0_f32.copysign(draws.signed()))
    }

    /// The margins of images, as the model sees them that the attack queries.
    fn margins(&mut self, rows: &ImageBatch, observer: &mut dyn Observer) -> Result<Vec<f64>> {
        let goal = self.finished.report.goal();
        let mut out = Vec::with_capacity(rows.len());
        let all: Vec<usize> = (0..rows.len()).collect();
        for part in all.chunks(AT_ONCE) {
            let images = rows.select(part);
            let scores = self.with(|victim, surrogate| match surrogate {
                Some(surrogate) => surrogate.logits(&images),
                None => victim.logits(&images),
            })?;
            out.extend(scores.rows().map(|row| f64::from(margin(row, goal))));
            go_on(observer)?;
        }
        Ok(out)
    }

    /// The margin's gradient against differences along random directions.
    fn path(&mut self, most: u64, observer: &mut dyn Observer) -> Result<GradientTest> {
        let count = directions(most, self.finished.look()).unwrap_or(DIRECTIONS.1) as usize;
        let shape = self.finished.report.original.shape();
        let pixels = self.finished.report.original.pixels();
        // Away from the walls of the box, so that there is room on both sides.
        let inside = |room: f32| pixels.iter().map(|p| p.clamp(room, 1.0 - room)).collect();
        let mut stride = STRIDE / (pixels.len() as f32).sqrt();
        let mut x: Vec<f32> = inside(stride);
        let at = ImageBatch::new(shape, x.clone());
        let goals: [Goal; 1] = [self.finished.report.goal()];
        let slope = self.with(|victim, surrogate| match surrogate {
            Some(surrogate) => surrogate.gradient(&at, &goals, &Margin),
            None => victim.gradient(&at, &goals, &Margin),
        })?;
        let gradient = slope.gradient;
        let dead = gradient.row(0).iter().all(|g| *g == 0.0 || !g.is_finite());
        if dead {
            // A piecewise constant margin has no slope to compare: whether it changes at all shows
            // only a whole step further on.
            stride = NEAR.0;
            x = inside(stride);
        }
        let mut rows = ImageBatch::new(shape, Vec::new());
        let mut foretold = Vec::with_capacity(count);
        for direction in 0..count {
            let signs: Vec<f32> = self.signs(Probe::Path, direction).take(x.len()).collect();
            let along = gradient.row(0).iter().zip(&signs);
            foretold.push(along.map(|(g, s)| f64::from(*g) * f64::from(*s)).sum());
            for way in [stride, -stride] {
                rows.push(&x.iter().zip(&signs).map(|(x, s)| x + way * s).collect::<Vec<_>>());
            }
        }
        let margins = self.margins(&rows, observer)?;
        // Climbing lowers the margin.
        let found: Vec<f64> = margins.chunks(2).map(|pair| pair[1] - pair[0]).collect();
        Ok(GradientTest::new(&foretold, &found, dead))
    }

    /// The mean change of the margin along random directions, as a share of the margin.
    fn noise(&mut self, observer: &mut dyn Observer) -> Result<f64> {
        let x = self.finished.report.original.pixels();
        let mut rows = ImageBatch::new(self.finished.report.original.shape(), x.to_vec());
        for direction in 0..NEAR.1 {
            let moved = x.iter().zip(self.signs(Probe::Noise, direction));
            rows.push(&moved.map(|(x, s)| (x + NEAR.0 * s).clamp(0.0, 1.0)).collect::<Vec<_>>());
        }
        let margins = self.margins(&rows, observer)?;
        let Some((own, others)) = margins.split_first() else { return Ok(0.0) };
        let changes: f64 = others.iter().map(|other| (other - own).abs()).sum();
        Ok(changes / others.len().max(1) as f64 / own.abs().max(1e-12))
    }

    /// The same attack averaging over so many draws: of the judge's predictions, those that hold.
    fn drawn(&mut self, draws: u64, observer: &mut dyn Observer) -> Result<Option<Rate>> {
        let Some((against, row)) = self.finished.row else { return Ok(None) };
        let stance = match against.stance {
            Stance::Gradient => Stance::Eot,
            Stance::Bpda => Stance::Adaptive,
            other => other,
        };
        let against = DefendedAttack { stance, draws, ..against };
        let mut other = Prober::new(FinishedAttack { row: Some((against, row)), ..self.finished });
        let problem =
            problem(self.finished.experiment, self.images(), self.finished.report.goal())?;
        let verdict = other.with(|victim, surrogate| {
            run_attack(self.plan(), victim, surrogate, &problem, observer)
        })?;
        let found = verdict.images.image(0);
        let answer = predict_through(against.pipeline, &found)?;
        self.spent += other.spent + self.finished.judge();
        Ok(Some(answer.held(self.finished.report.goal())))
    }
}

/// How many directions `most` passes allow, at `look` passes for each prediction.
fn directions(most: u64, look: u64) -> Option<u64> {
    let (many, few) = DIRECTIONS;
    let room = (most / look.max(1)).saturating_sub(2) / 2;
    (room >= few).then_some(room.min(many))
}

fn go_on(observer: &mut dyn Observer) -> Result<()> {
    match observer.poll() {
        Flow::Continue => Ok(()),
        Flow::Stop => Err(Error::cancelled()),
    }
}
