//! The tables as they are shown: which defences and attacks, in which order, with what was found.

use super::state::{COUNTS, Compare, TableKind};
use crate::attack::{AttackConfig, Bound, default_epsilon};
use crate::data::Sample;
use crate::defence::{DefenceStack, EOT_DRAWS, Stance};
use crate::engine::CompareJob;
use crate::experiment::compare::{CompareReport, CompareRow, ReportSettings};
use crate::experiment::{DeviceInfo, SampleRef};
use crate::tui::session::{Session, Source, fits};

/// From so many rows of the window on, both tables are shown.
pub const ROOM_FOR_BOTH: u16 = 34;

impl Compare {
    /// The tables shown: both where there is room.
    pub fn parts(&self, session: &Session) -> Vec<TableKind> {
        match session.size.1 >= ROOM_FOR_BOTH {
            true => vec![TableKind::Sample, TableKind::Many],
            false => vec![self.part],
        }
    }

    /// The defences: those on the strip, and those of the screen's own.
    pub fn stacks(&self, session: &Session) -> Vec<DefenceStack> {
        let mut stacks: Vec<DefenceStack> = Vec::new();
        let strip = session.active_defences().map(|entry| &entry.stack);
        for stack in strip.chain(&self.own) {
            if stacks.iter().all(|other| other.text() != stack.text()) {
                stacks.push(stack.clone());
            }
        }
        stacks
    }

    /// The attacks, at the ε of the screen where that is in their norm, else at the usual one.
    pub fn plans(&self, session: &Session) -> Vec<AttackConfig> {
        let here = |plan: &AttackConfig| {
            plan.norm == session.plan.norm && session.plan.attack.bound != Bound::Own
        };
        let one = |column: &AttackConfig| AttackConfig {
            epsilon: match here(column) {
                true => session.plan.epsilon,
                false => default_epsilon(session.data_id(), column.norm),
            },
            seed: session.plan.seed,
            ..column.clone()
        };
        self.columns.iter().map(one).collect()
    }

    /// What the report is to show.
    fn frame(&self, session: &Session) -> ReportSettings {
        let model = session.model.as_ref();
        let named = |sample: Sample| {
            let same = model.is_some_and(|model| fits(&model.card, &sample.dataset));
            let labels = model.map_or(&[][..], |model| &model.labels);
            let label = sample.label.filter(|_| same).and_then(|label| labels.get(label).cloned());
            let SampleRef { dataset, index, name } =
                SampleRef { dataset: sample.dataset, index: sample.index, name: sample.name };
            (SampleRef { dataset, index, name }, label)
        };
        let device = session.device.as_ref().map(|(device, _)| device.clone());
        let n = match &session.source {
            Some(Source::Set(set)) => Some(COUNTS[self.count].min(set.len())),
            _ => None,
        };
        ReportSettings {
            model: model
                .map_or_else(|| session.model_wanted.clone(), |model| model.card.name.clone()),
            values: model.map_or(0, |model| model.card.input.shape.iter().product()),
            dataset: session.data_id().to_string(),
            sample: session.current_sample().map(named),
            n,
            seed: session.plan.seed,
            draws: EOT_DRAWS,
            device: device.unwrap_or(DeviceInfo { kind: "cpu".into(), name: String::new() }),
            stacks: self.stacks(session),
            plans: self.plans(session),
            stances: self.stance_filter.stances(),
            unfit: self.unfit.clone(),
        }
    }

    /// What was found, in the order and with the rows that are wanted.
    pub fn report(&self, session: &Session) -> CompareReport {
        let mut report = self.findings.report(&self.frame(session));
        report.sort(self.sort);
        report.filter(&self.filter);
        report
    }

    /// The row under the cursor, and the number of its column.
    pub fn cell_at<'a>(&self, report: &'a CompareReport) -> Option<(&'a CompareRow, usize)> {
        Some((report.rows.get(self.at.0)?, self.at.1))
    }

    /// The job that finds what is missing, if anything is.
    pub fn missing(&self, session: &Session) -> Option<CompareJob> {
        let (plans, stances) = (self.plans(session), self.stance_filter.stances());
        let fits = |stack: &DefenceStack| !self.unfit.contains_key(&stack.text());
        let stacks: Vec<DefenceStack> = self.stacks(session).into_iter().filter(fits).collect();
        let found = &self.findings;
        let names: Vec<String> =
            std::iter::once(String::new()).chain(stacks.iter().map(DefenceStack::text)).collect();
        let every = |there: &dyn Fn(&str, &AttackConfig, Stance) -> bool| {
            names.iter().all(|name| {
                plans.iter().all(|plan| stances.iter().all(|stance| there(name, plan, *stance)))
            })
        };
        let known = names.iter().all(|name| found.known(name).is_some());
        let cells = known && every(&|name, plan, stance| found.cell(name, plan, stance).is_some());
        let sample = session.current_sample().filter(|_| !cells);
        let set = match &session.source {
            Some(Source::Set(set)) if self.parts(session).contains(&TableKind::Many) => {
                Some(set.clone())
            }
            _ => None,
        };
        let many = set.map(|set| (set.clone(), COUNTS[self.count].min(set.len())));
        let many = many.filter(|(_, n)| {
            let right = names.iter().all(|name| found.right(name).len() >= *n);
            let held = |name: &str, plan: &AttackConfig, stance| {
                found.held(name, plan, stance).len() >= *n
            };
            !(right && every(&held))
        });
        let seed = session.plan.seed;
        let done = found.clone();
        (sample.is_some() || many.is_some()).then_some(CompareJob {
            sample,
            many,
            stacks,
            plans,
            stances,
            seed,
            done,
        })
    }
}

/// Whether two jobs ask for the same, whatever is known already.
pub fn same(a: &CompareJob, b: &CompareJob) -> bool {
    let count = |job: &CompareJob| job.many.as_ref().map(|(_, n)| *n);
    a.sample == b.sample
        && count(a) == count(b)
        && (&a.stacks, &a.plans, &a.stances) == (&b.stacks, &b.plans, &b.stances)
}
