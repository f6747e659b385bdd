//! What the screen shows of what was found.

use super::TableKind;
use crate::attack::{AttackConfig, Bound, default_epsilon};
use crate::data::Sample;
use crate::defence::{DefenceStack, EOT_DRAWS};
use crate::experiment::compare::{CompareReport, CompareRow, ReportSettings};
use crate::experiment::{DeviceInfo, SampleRef};
use crate::tui::app::{App, Source, fits};
use crate::tui::compare::COUNTS;

/// From so many rows of the window on, both tables are shown.
pub const ROOM_FOR_BOTH: u16 = 34;

/// The tables shown: both where there is room.
pub fn parts(app: &App) -> Vec<TableKind> {
    match app.size.1 >= ROOM_FOR_BOTH {
        true => vec![TableKind::Sample, TableKind::Many],
        false => vec![app.compare.part],
    }
}

/// The defences: those on the strip, and those of the screen's own.
pub fn stacks(app: &App) -> Vec<DefenceStack> {
    let mut stacks: Vec<DefenceStack> = Vec::new();
    let strip = app.active_defences().map(|entry| &entry.stack);
    for stack in strip.chain(&app.compare.own) {
        if stacks.iter().all(|other| other.text() != stack.text()) {
            stacks.push(stack.clone());
        }
    }
    stacks
}

/// The attacks, at the ε of the screen where that is in their norm, else at the usual one.
pub fn plans(app: &App) -> Vec<AttackConfig> {
    let here =
        |plan: &AttackConfig| plan.norm == app.plan.norm && app.plan.attack.bound != Bound::Own;
    let one = |column: &AttackConfig| AttackConfig {
        epsilon: match here(column) {
            true => app.plan.epsilon,
            false => default_epsilon(app.data_id(), column.norm),
        },
        seed: app.plan.seed,
        ..column.clone()
    };
    app.compare.columns.iter().map(one).collect()
}

/// What the report is to show.
pub fn frame(app: &App) -> ReportSettings {
    let model = app.model.as_ref();
    let named = |sample: Sample| {
        let same = model.is_some_and(|model| fits(&model.card, &sample.dataset));
        let labels = model.map_or(&[][..], |model| &model.labels);
        let label = sample.label.filter(|_| same).and_then(|label| labels.get(label).cloned());
        let SampleRef { dataset, index, name } =
            SampleRef { dataset: sample.dataset, index: sample.index, name: sample.name };
        (SampleRef { dataset, index, name }, label)
    };
    let device = app.device.as_ref().map(|(device, _)| device.clone());
    let n = match &app.source {
        Some(Source::Set(set)) => Some(COUNTS[app.compare.count].min(set.len())),
        _ => None,
    };
    ReportSettings {
        model: model.map_or_else(|| app.model_wanted.clone(), |model| model.card.name.clone()),
        values: model.map_or(0, |model| model.card.input.shape.iter().product()),
        dataset: app.data_id().to_string(),
        sample: app.current_sample().map(named),
        n,
        seed: app.plan.seed,
        draws: EOT_DRAWS,
        device: device.unwrap_or(DeviceInfo { kind: "cpu".into(), name: String::new() }),
        stacks: stacks(app),
        plans: plans(app),
        stances: app.compare.stance_filter.stances(),
        unfit: app.compare.unfit.clone(),
    }
}

/// What was found, in the order and with the rows that are wanted.
pub fn report(app: &App) -> CompareReport {
    let mut report = app.compare.findings.report(&frame(app));
    report.sort(app.compare.sort);
    report.filter(&app.compare.filter);
    report
}

/// The row under the cursor, and the number of its column.
pub fn cell_at<'a>(app: &App, report: &'a CompareReport) -> Option<(&'a CompareRow, usize)> {
    Some((report.rows.get(app.compare.at.0)?, app.compare.at.1))
}
