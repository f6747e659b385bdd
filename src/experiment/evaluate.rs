//! Robust accuracy over many samples, under one attack or the worst of several.

use crate::attack::{AttackConfig, Budget, Flow, Goal, TargetModel};
use crate::data::{Dataset, Image};
use crate::defence::{AttackerView, Pipeline, Stance};
use crate::error::{Error, Result};
use crate::experiment::batching::{
    AttackProgress, AttackTimeLeft, CleanPredictions, LabelledImages, ProgressObserver,
    batch_size_for, left_out, read, universal_images,
};
use crate::experiment::defended::extra_ms;
use crate::experiment::evaluation_report::{EvaluationReport, summarise};
use crate::experiment::evaluation_state::EvaluationState;
use crate::experiment::one_sample::{cost, run_attack};
use crate::experiment::provenance::{DataIdentity, Sources};
use crate::experiment::report::DeviceInfo;
use crate::model::{Classifier, Model};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// What is to be evaluated.
pub struct Evaluation {
    /// The model.
    pub model: Arc<Model>,
    /// The samples are from here.
    pub dataset: Arc<Dataset>,
    /// The number of the first sample.
    pub first: usize,
    /// How many samples.
    pub n: usize,
    /// What defends the model, if anything does.
    pub defence: Option<EvaluatedDefence>,
    /// Which attacks, how, in this order.
    pub plans: Vec<AttackConfig>,
    /// Whether every attack is tried on every sample that is answered rightly; if not, only on
    /// those that no attack before it has broken.
    pub every: bool,
    /// How many pictures go through the network at once.
    pub batch_size: usize,
    /// Which device does the work, for the report.
    pub device: DeviceInfo,
    /// The file where the work is written down as it goes, so that it can be taken up again.
    pub state: Option<PathBuf>,
}

/// A defence round the evaluated model, and how it is attacked.
#[derive(Clone)]
pub struct EvaluatedDefence {
    /// The defence.
    pub pipeline: Arc<Pipeline>,
    /// How much of it the attacks know.
    pub stance: Stance,
    /// Draws that EOT averages over.
    pub draws: u64,
}

/// How far an evaluation is.
pub struct EvaluationStatus {
    /// Samples done, summed over the attacks; a fraction of a sample counts.
    pub done: f64,
    /// Of how many.
    pub total: f64,
    /// The attack at work; none while the clean pictures are looked at.
    pub attack: Option<&'static str>,
    /// Its stage, if it has any.
    pub stage: Option<&'static str>,
    /// How many samples no attack has broken so far.
    pub robust: usize,
    /// The seconds that are left; none where nobody can tell yet.
    pub left: Option<f64>,
}

/// Told how far the evaluation is; may stop it (within one attack step).
pub type OnStatus<'a> = &'a mut dyn FnMut(&EvaluationStatus) -> Flow;

impl Evaluation {
    /// One attack on the first `n` samples.
    pub fn new(
        model: Arc<Model>,
        dataset: Arc<Dataset>,
        n: usize,
        plan: AttackConfig,
        device: DeviceInfo,
    ) -> Self {
        let (first, every, batch_size) = (0, false, 100);
        let (defence, plans, state) = (None, vec![plan], None);
        Self { model, dataset, first, n, defence, plans, every, batch_size, device, state }
    }

    /// The defended model as the attacks see it.
    fn seen(&self) -> Option<AttackerView<'_>> {
        self.defence.as_ref().map(|d| d.pipeline.attacker_view(d.stance, d.draws))
    }

    /// Who is attacked.
    fn victim<'a>(&'a self, seen: &'a Option<AttackerView<'_>>) -> &'a dyn Classifier {
        match seen {
            Some(seen) => seen,
            None => &self.model.network,
        }
    }

    /// Whether the attacks do not know the defence.
    fn is_naive(&self) -> bool {
        self.defence.as_ref().is_some_and(|d| d.stance == Stance::Naive)
    }

    /// Whether the same picture can be answered differently.
    fn is_random(&self) -> bool {
        self.defence.as_ref().is_some_and(|d| d.pipeline.is_random())
    }

    /// What it is made of: the model, those of the defence, the data.
    pub fn sources(&self) -> Sources {
        let mut origin = Sources::default();
        origin.model(&self.model);
        self.defence.iter().for_each(|defence| origin.pipeline(&defence.pipeline));
        origin.data(DataIdentity::of(&self.dataset));
        origin
    }

    /// The samples, by their numbers in the data set.
    pub fn range(&self) -> Range<usize> {
        let end = self.first.saturating_add(self.n).min(self.dataset.len());
        self.first.min(end)..end
    }
}

/// Measures clean and robust accuracy. A sample counts as robust when it is answered rightly *and*
/// no attack breaks it; misclassified samples are not attacked, and those of the target class are
/// left out. A broken-off evaluation with a state goes on where it stopped, and ends as if it had
/// never been broken off.
///
/// # Errors
/// Usage, where the data set's classes are not the model's, where ε, norm or target do not fit, or
/// where the state is another evaluation's; cancelled; device failures.
pub fn evaluate(task: &Evaluation, watch: OnStatus<'_>) -> Result<EvaluationReport> {
    let model = &task.model;
    for plan in &task.plans {
        plan.check()?;
        Budget::new(plan.norm, plan.epsilon, model.card.input.shape.iter().product())?;
    }
    let mut ledger = EvaluationState::open(task)?;
    let begin = Instant::now();
    let (images, labels) = read(model, &task.dataset, task.range())?;
    let out = left_out(&task.plans, &labels)?;
    let many = LabelledImages { model, images: &images, labels: &labels, first: task.first };
    let seen = task.seen();
    let mut victim = TargetModel::new(task.victim(&seen));
    let looking = EvaluationStatus {
        done: 0.0,
        total: 0.0,
        attack: None,
        stage: None,
        robust: 0,
        left: None,
    };
    let mut answers = many.answers(&mut victim, task.batch_size, &mut || watch(&looking))?;
    answers.right.retain(|i| !out[*i]);
    let clean = cost([&victim], begin);
    let extra_ms = match (&task.defence, images.chunks(many.size()).next()) {
        (Some(defence), Some(row)) => {
            let first = Image::new(model.card.input.shape, row);
            Some(extra_ms(&defence.pipeline, &first)?)
        }
        _ => None,
    };
    let mut forecast = AttackTimeLeft::new(&task.plans, answers.right.len(), task.every);
    if forecast.time().asks_for_forward() && !labels.is_empty() {
        // Who does not know the defence asks the bare network.
        let mut asked = match task.is_naive() {
            true => TargetModel::new(&model.network),
            false => TargetModel::new(task.victim(&seen)),
        };
        let (images, seconds) = many.lap(&mut asked, task.batch_size)?;
        forecast.time().timed(images, seconds);
    }
    for at in 0..task.plans.len() {
        work(task, at, &many, &answers, &mut ledger, (&mut forecast, &mut *watch))?;
    }
    Ok(summarise(task, (&labels, &out), &answers, &ledger, (clean, extra_ms)))
}

/// Lets attack number `at` loose on what it has left to do.
fn work(
    task: &Evaluation,
    at: usize,
    many: &LabelledImages<'_>,
    answers: &CleanPredictions,
    ledger: &mut EvaluationState,
    (forecast, watch): (&mut AttackTimeLeft, OnStatus<'_>),
) -> Result<()> {
    let (plan, all) = (&task.plans[at], answers.right.len());
    let open = answers.right.iter().copied();
    let open = open.filter(|i| task.every || !ledger.broken(at, many.first + i));
    let goals = many.goals(plan, answers, open)?;
    // What was done before an interrupt was done in this order, too.
    let left: &[(usize, Goal)] = &goals[ledger.entries[at].fates.len().min(goals.len())..];
    let crowd = match left.is_empty() {
        true => None,
        false => universal_images(many.model, plan, &task.dataset, task.range()),
    };
    let mut done = all - left.len();
    let stood = answers.right.iter().filter(|i| {
        ledger.entries[at].fates.get(&(many.first + **i)).is_some_and(|fate| !fate.success)
    });
    let (stood, now) = (stood.count(), forecast.now());
    forecast.time().begin(at, left.len(), stood, now);
    for part in left.chunks(batch_size_for(plan, task.batch_size)) {
        let robust = answers.right.iter().filter(|i| !ledger.broken(at + 1, many.first + **i));
        let robust = robust.count();
        let now = forecast.now();
        forecast.time().batch(part.len(), now);
        let mut tell = |told: &AttackProgress| {
            watch(&EvaluationStatus {
                done: (at * all + done) as f64 + told.share * part.len() as f64,
                total: (task.plans.len() * all) as f64,
                attack: Some(plan.attack.id),
                stage: told.stage,
                robust,
                left: forecast.follow(told),
            })
        };
        if tell(&AttackProgress::default()) == Flow::Stop {
            return Err(Error::cancelled());
        }
        let mut meter = ProgressObserver::new(&mut tell);
        let begin = Instant::now();
        let seen = task.seen();
        let mut victim = TargetModel::new(task.victim(&seen));
        // Who does not know the defence makes the attack on the bare network.
        let mut bare = task.is_naive().then(|| TargetModel::new(&many.model.network));
        let problem = many.problem(plan, part, crowd.clone())?;
        let verdict = run_attack(plan, &mut victim, bare.as_mut(), &problem, &mut meter)?;
        let standing = verdict.success.iter().filter(|broken| !**broken).count();
        let numbers = part.iter().map(|(i, _)| many.first + i);
        let asked = || [&victim].into_iter().chain(&bare);
        ledger.entries[at].non_finite += asked().map(TargetModel::non_finite).sum::<u64>();
        let cost = cost(asked(), begin);
        let truths = seen
            .is_some_and(|_| task.is_random())
            .then(|| part.iter().map(|(i, _)| many.labels[*i]).collect::<Vec<_>>());
        ledger.entries[at].add(numbers, verdict, truths.as_deref(), meter.stages, cost);
        done += part.len();
        let now = forecast.now();
        forecast.time().end(standing, now);
        ledger.save()?;
    }
    Ok(())
}
