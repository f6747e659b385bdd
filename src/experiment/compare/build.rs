//! The report of a comparison, made from the findings so far.

use crate::attack::AttackConfig;
use crate::defence::{DefenceStack, Stance};
use crate::experiment::compare::findings::{CompareFindings, UNDEFENDED};
use crate::experiment::compare::report::{
    AttackColumn, CompareReport, CompareRow, DatasetTally, ReportSettings, attack_name,
};
use crate::experiment::compare::sentences::sentences;
use crate::experiment::hints;
use crate::experiment::types::{Share, VERSION};
use crate::metrics::{McNemar, Rate, median};

impl CompareFindings {
    /// What was found for this frame.
    pub fn report(&self, frame: &ReportSettings) -> CompareReport {
        let mut rows = vec![self.line(frame, None, None)];
        for stack in &frame.stacks {
            for stance in &frame.stances {
                rows.push(self.line(frame, Some(stack), Some(*stance)));
            }
        }
        let column = |plan: &AttackConfig| AttackColumn {
            attack: plan.attack.id,
            name: attack_name(plan.attack, plan.norm),
            norm: plan.norm,
            extent: plan.attack.bound,
            epsilon: plan.threshold(frame.values),
            parameters: plan.resolved(),
            target: plan.target,
        };
        let (sample, label_name) = frame.sample.clone().unzip();
        let label_name = label_name.flatten();
        let mut report = CompareReport {
            version: VERSION,
            model: frame.model.clone(),
            dataset: frame.dataset.clone(),
            sample,
            label_name,
            n: frame.n,
            seed: frame.seed,
            draws: frame.draws,
            device: frame.device.clone(),
            attacks: frame.plans.iter().map(column).collect(),
            rows,
            words: Vec::new(),
            origin: self.origin.clone(),
            tests: Vec::new(),
        };
        (report.words, report.tests) = sentences(&report);
        let n = frame.n.unwrap_or(0);
        let lost = self.lost.iter().filter_map(|(defence, samples)| {
            let who = if defence == UNDEFENDED { "no defence" } else { defence.as_str() };
            hints::of_logits(who, samples.range(..n).count(), n)
        });
        report.words.splice(0..0, lost);
        report
    }

    fn line(
        &self,
        frame: &ReportSettings,
        stack: Option<&DefenceStack>,
        stance: Option<Stance>,
    ) -> CompareRow {
        let defence = stack.map_or_else(|| UNDEFENDED.to_string(), DefenceStack::text);
        let of = stance.unwrap_or_default();
        let known = frame.sample.as_ref().and_then(|_| self.known(&defence));
        let cell = |plan| self.cell(&defence, plan, of).cloned();
        let laps = |defence: &str| median(self.laps(defence).iter().copied());
        // Many samples tell the time better than one.
        let (ms, extra_ms) = match (frame.n.and_then(|_| laps(&defence)), known) {
            (Some(ms), _) => (Some(ms), laps(UNDEFENDED).map(|bare| ms - bare)),
            (None, Some(known)) => (Some(known.ms), Some(known.extra_ms)),
            (None, None) => (None, None),
        };
        let layers = stack.map_or(&[][..], DefenceStack::defences);
        CompareRow {
            name: stack.map_or_else(|| "no defence".to_string(), DefenceStack::to_string),
            stance,
            unfit: frame.unfit.get(&defence).cloned(),
            clean: known.map(|known| known.clean.clone()),
            ms,
            extra_ms,
            cells: match frame.sample {
                Some(_) => frame.plans.iter().map(cell).collect(),
                None => vec![None; frame.plans.len()],
            },
            many: frame.n.and_then(|n| self.tally(&defence, frame, of, n)),
            layers: layers.len(),
            trained: layers.iter().any(|layer| layer.defence.family == "training"),
            defence,
        }
    }

    fn tally(
        &self,
        defence: &str,
        frame: &ReportSettings,
        stance: Stance,
        n: usize,
    ) -> Option<DatasetTally> {
        let first = |all: &[bool]| all[..n.min(all.len())].to_vec();
        let share = |all: &[bool]| -> Share {
            Rate { hits: all.iter().filter(|holds| **holds).count(), n: all.len() }.into()
        };
        let right = first(self.right(defence));
        let each = |defence: &str, stance| -> Vec<Vec<bool>> {
            frame.plans.iter().map(|plan| first(self.held(defence, plan, stance))).collect()
        };
        let all = |held: &[Vec<bool>]| -> Vec<bool> {
            let common = held.iter().map(Vec::len).min().unwrap_or(0);
            (0..common).map(|i| held.iter().all(|held| held[i])).collect()
        };
        let (held, bare) = (each(defence, stance), each(UNDEFENDED, Stance::Naive));
        let held_all = all(&held);
        let some = |all: &[bool]| (!all.is_empty()).then(|| share(all));
        let versus = |held: &[bool], bare: &[bool]| {
            McNemar::new(held, bare).filter(|_| defence != UNDEFENDED)
        };
        Some(DatasetTally {
            clean: some(&right)?,
            attacks: held.iter().map(|held| some(held)).collect(),
            worst: some(&held_all),
            against_bare: held.iter().zip(&bare).map(|(held, bare)| versus(held, bare)).collect(),
            worst_against_bare: versus(&held_all, &all(&bare)),
            held,
            held_all,
        })
    }
}
