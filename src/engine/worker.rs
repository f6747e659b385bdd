//! The worker thread.

use crate::attack::Flow;
use crate::data::Dataset;
use crate::defence::{DefenceStack, EOT_DRAWS, ModelProvider, Pipeline};
use crate::engine::device::{ChosenDevice, DeviceChoice, choose};
use crate::engine::protocol::{FindMistakeJob, JobId, ModelInfo, Request, RunJob, Update};
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::{self, Experiment, FinishedAttack, TracePoint, TraceRecorder};
use crate::model::{Model, ModelIdentity};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Who listens to the worker. Called on the worker's thread: it must not block.
pub type Sink = Arc<dyn Fn(Update) + Send + Sync>;

/// How long a run that differs from its successor only in ε may go on, so that dragging the slider
/// shows results instead of cancelling every one of them.
const EPSILON_GRACE: Duration = Duration::from_millis(200);

/// How long the worker's end is waited for: a step of a large network cannot be cut short, and a
/// driver may hang.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A handle on the worker; dropping it stops the worker.
pub struct Engine {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    next: JobId,
    /// Data sets and models to load, in order.
    loads: VecDeque<(JobId, Request)>,
    /// The run or search that waits.
    waiting: Option<(JobId, Request)>,
    /// Stop what is running, whatever waits.
    cancel: bool,
    quit: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Starts the worker, which begins by choosing the device; its updates go to `sink`.
    pub fn start(choice: DeviceChoice, sink: impl Fn(Update) + Send + Sync + 'static) -> Self {
        Self::with_grace(choice, EPSILON_GRACE, sink)
    }

    /// The same, where a run may go on for `grace` when its successor differs only in ε.
    pub fn with_grace(
        choice: DeviceChoice,
        grace: Duration,
        sink: impl Fn(Update) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let sink: Sink = Arc::new(sink);
        let inner = shared.clone();
        let work = move || Worker::new(inner, sink, choice, grace).serve();
        let thread = std::thread::Builder::new().name("epsiloscope-worker".into()).spawn(work).ok();
        Self { shared, thread }
    }

    /// Asks for something; never blocks. A run or search replaces the one that waits.
    pub fn request(&self, request: Request) -> JobId {
        let mut queue = self.shared.lock();
        queue.next += 1;
        let id = queue.next;
        match request {
            Request::Data(_) | Request::Model(_) => queue.loads.push_back((id, request)),
            Request::Run(_)
            | Request::Checks(_)
            | Request::MinimumEpsilon(_)
            | Request::Race(_)
            | Request::Transfer(_)
            | Request::Lesson(_)
            | Request::DefenceMetrics(_)
            | Request::Compare(_)
            | Request::FindMistake(_) => queue.waiting = Some((id, request)),
            Request::Cancel => {
                queue.waiting = None;
                queue.cancel = true;
            }
        }
        self.shared.wake.notify_one();
        id
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.quit = true;
        queue.cancel = true;
        drop(queue);
        self.shared.wake.notify_one();
        let end = Instant::now() + STOP_TIMEOUT;
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    sink: Sink,
    choice: DeviceChoice,
    /// How long a run may go on when its successor differs only in ε.
    grace: Duration,
    device: Option<ChosenDevice>,
    models: HashMap<String, Arc<Model>>,
    pipelines: HashMap<(ModelIdentity, String, u64), Arc<Pipeline>>,
    current: Option<String>,
}

impl ModelProvider for Worker {
    fn model(&mut self, name: &str) -> Result<Arc<Model>> {
        Worker::model(self, name)
    }
}

impl Worker {
    fn new(shared: Arc<Shared>, sink: Sink, choice: DeviceChoice, grace: Duration) -> Self {
        let (models, pipelines) = (HashMap::new(), HashMap::new());
        Self { shared, sink, choice, grace, device: None, models, pipelines, current: None }
    }

    pub(super) fn send(&self, update: Update) {
        (self.sink)(update);
    }

    pub(super) fn sink(&self) -> Sink {
        self.sink.clone()
    }

    fn serve(mut self) {
        self.choose_device(self.choice, None);
        while let Some((id, request)) = self.next() {
            let worked = catch_unwind(AssertUnwindSafe(|| self.work(id, &request)));
            let result = worked.unwrap_or_else(|panic| {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or(panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no message");
                log::error!("the worker panicked: {text}");
                let line = text.lines().next().unwrap_or_default().to_string();
                Err(Error::device(format!("the worker failed: {line}"), "compute", ""))
            });
            match result {
                Ok(()) => {}
                Err(error) if error.is_cancelled() => self.send(Update::Cancelled(id)),
                Err(error) if error.kind == ErrorKind::Device => self.recover(id, request, error),
                Err(error) => self.send(Update::Failed(id, error)),
            }
        }
    }

    /// The next thing to do; none when the handle was dropped. Loading goes first, since runs
    /// need what is loaded.
    fn next(&self) -> Option<(JobId, Request)> {
        let mut queue = self.shared.lock();
        loop {
            if queue.quit {
                return None;
            }
            let found = queue.loads.pop_front().or_else(|| queue.waiting.take());
            if found.is_some() {
                queue.cancel = false;
                return found;
            }
            queue = self.shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn choose_device(&mut self, choice: DeviceChoice, why: Option<String>) {
        let mut chosen = choose(choice);
        chosen.note = why.or(chosen.note);
        self.send(Update::Device { device: chosen.info.clone(), note: chosen.note.clone() });
        self.device = Some(chosen);
    }

    /// After a device failure: once more on the CPU, from scratch.
    fn recover(&mut self, id: JobId, request: Request, error: Error) {
        log::error!("{error}");
        let on_cpu = self.device.as_ref().is_none_or(|d| d.info.kind == "cpu");
        self.models.clear();
        self.pipelines.clear();
        if on_cpu {
            return self.send(Update::Failed(id, error));
        }
        self.send(Update::Notice(format!("{}; going on with the CPU", error.what)));
        self.choose_device(DeviceChoice::Cpu, Some(error.what));
        let mut queue = self.shared.lock();
        if queue.waiting.is_none() || matches!(request, Request::Data(_) | Request::Model(_)) {
            queue.loads.push_front((id, request));
        }
    }

    fn work(&mut self, id: JobId, request: &Request) -> Result<()> {
        match request {
            Request::Data(name) => {
                let path = std::path::Path::new(name);
                let data = match path.is_file() {
                    true => Dataset::from_file(path)?,
                    false => Dataset::load(name)?,
                };
                self.send(Update::Data(data));
                Ok(())
            }
            Request::Model(name) => {
                let model = self.model(name)?;
                self.current = Some(name.clone());
                self.send(Update::Model(Arc::new(ModelInfo {
                    id: name.clone(),
                    card: model.card.clone(),
                    labels: model.labels.clone(),
                    parameters: model.parameters(),
                })));
                Ok(())
            }
            Request::Run(job) => self.run(id, job),
            Request::Checks(job) => self.on_demand_checks(id, job),
            Request::MinimumEpsilon(job) => self.minimum_epsilon(id, job),
            Request::Race(job) => self.race(id, job),
            Request::Transfer(job) => self.transfer(id, job),
            Request::Lesson(job) => self.lesson(id, job),
            Request::DefenceMetrics(job) => self.defence_metrics(id, job),
            Request::Compare(job) => self.compare(id, job),
            Request::FindMistake(job) => self.find_mistake(id, job),
            Request::Cancel => Ok(()),
        }
    }

    /// A defence round a model, built once.
    pub(super) fn pipeline(
        &mut self,
        stack: &DefenceStack,
        base: &Arc<Model>,
        seed: u64,
    ) -> Result<Arc<Pipeline>> {
        let key = (base.identity.clone(), stack.text(), seed);
        if let Some(ready) = self.pipelines.get(&key) {
            return Ok(ready.clone());
        }
        let built = Arc::new(Pipeline::build(stack, base.clone(), seed, self)?);
        self.pipelines.insert(key, built.clone());
        Ok(built)
    }

    pub(super) fn model(&mut self, name: &str) -> Result<Arc<Model>> {
        if let Some(ready) = self.models.get(name) {
            return Ok(ready.clone());
        }
        let chosen = self.device.clone().unwrap_or_else(|| choose(DeviceChoice::Cpu));
        let model = Model::load(name, &chosen.device)?;
        for note in &model.notes {
            self.send(Update::Notice(format!("{}: {note}", model.card.name)));
        }
        self.models.insert(name.to_string(), model.clone());
        Ok(model)
    }

    /// The model that was asked for last.
    pub(super) fn current_model(&mut self) -> Result<Arc<Model>> {
        let none = || Error::usage("no model is loaded", "engine", "choose a model first");
        let name = self.current.clone().ok_or_else(none)?;
        self.model(&name)
    }

    pub(super) fn experiment(&mut self, job: &RunJob) -> Result<Experiment> {
        let model = self.current_model()?;
        let surrogate = job.surrogate.as_deref().map(|name| self.model(name)).transpose()?;
        Ok(Experiment {
            model,
            surrogate,
            sample: job.sample.clone(),
            plan: job.plan.clone(),
            device: self.device_info(),
        })
    }

    /// The device in use, for reports.
    pub(super) fn device_info(&self) -> experiment::DeviceInfo {
        let device = self.device.as_ref().map(|d| d.info.clone());
        device.unwrap_or(experiment::DeviceInfo { kind: "cpu".into(), name: String::new() })
    }

    /// A question that says whether to stop: something else is wanted. A run may go on for a moment
    /// where its successor differs in ε only.
    pub(super) fn stop_check(&self, job: Option<RunJob>) -> impl Fn() -> bool + Sync + use<> {
        let (shared, begin, grace) = (self.shared.clone(), Instant::now(), self.grace);
        move || {
            let queue = shared.lock();
            let replaced = match (&queue.waiting, &job) {
                (None, _) => false,
                (Some((_, Request::Run(next))), Some(job)) if next.differs_only_in_epsilon(job) => {
                    begin.elapsed() > grace
                }
                _ => true,
            };
            queue.cancel || queue.quit || replaced || !queue.loads.is_empty()
        }
    }

    fn run(&mut self, id: JobId, job: &RunJob) -> Result<()> {
        let experiment = self.experiment(job)?;
        let stop = self.stop_check(Some(job.clone()));
        let halt = || if stop() { Flow::Stop } else { Flow::Continue };
        self.send(Update::Started(id));
        let clean = experiment::predict_clean(&experiment)?;
        self.send(Update::Clean(id, Arc::new(clean.clone())));
        let mut sink = |point: Option<TracePoint>, expected: usize| {
            if let Some(point) = point {
                self.send(Update::Step(id, point, expected));
            }
            halt()
        };
        let network = &experiment.model.network;
        let mut recorder =
            TraceRecorder::new(clean.picture.clone(), job.plan.norm, network, &mut sink);
        let report = Arc::new(experiment::attack_sample_from(&experiment, clean, &mut recorder)?);
        self.send(Update::Finished(id, report.clone()));
        if report.attacked {
            let scene = FinishedAttack { experiment: &experiment, report: &report, row: None };
            self.quick_checks(id, &scene, &halt)?;
            self.defend(id, job, &experiment, &report, &halt)?;
        }
        self.send(Update::Done(id));
        Ok(())
    }

    /// Looks through the data set, in order and round the end, for a sample the model gets wrong.
    fn find_mistake(&mut self, id: JobId, job: &FindMistakeJob) -> Result<()> {
        self.send(Update::Started(id));
        let n = job.dataset.len();
        let plan = crate::attack::AttackConfig::new(crate::attack::find("fgsm")?, 0.0);
        for looked in 1..n {
            let index = (job.from + looked) % n;
            if job.class.is_some_and(|class| job.dataset.label(index) != Some(class)) {
                continue;
            }
            if looked % 16 == 0 {
                let queue = self.shared.lock();
                if queue.cancel || queue.quit || queue.waiting.is_some() || !queue.loads.is_empty()
                {
                    return Err(Error::cancelled());
                }
                drop(queue);
                self.send(Update::MistakeSearch(id, looked));
            }
            let sample = job.dataset.sample(index);
            let plan = plan.clone();
            let (defences, draws) = (Vec::new(), EOT_DRAWS);
            let run = RunJob { sample, plan, surrogate: None, defences, draws };
            let clean = experiment::predict_clean(&self.experiment(&run)?)?;
            if clean.label_is_truth && clean.prediction.label != clean.label {
                self.send(Update::MistakeFound(id, Some(index)));
                return Ok(());
            }
        }
        self.send(Update::MistakeFound(id, None));
        Ok(())
    }
}
