//! The published lessons come out here, by an exact paired test over the same samples.

use crate::defended::Cpu;
use epsiloscope::attack::Flow;
use epsiloscope::experiment::{
    self, DeviceInfo, LESSONS, LessonClaim, LessonSideReport, LessonTask, run_lesson,
};

#[test]
fn every_lesson_is_shown() {
    let mut missed = Vec::new();
    for lesson in LESSONS {
        let device = DeviceInfo { kind: "cpu".into(), name: "test".into() };
        let task = LessonTask { lesson, n: 40, seed: 0, models: &mut Cpu, device };
        match run_lesson(task, &mut |_, _| Flow::Continue, &mut |_, _| {}) {
            Ok(report) if report.shown => {}
            Ok(report) => {
                let of =
                    |side: &LessonSideReport| format!("{} {:.2}", side.label, side.robust.value);
                let sides: Vec<_> = report.sides.iter().map(of).collect();
                missed.push(format!("{}: {}", lesson.id, sides.join(", ")));
            }
            Err(error) => missed.push(format!("{}: {error}", lesson.id)),
        }
    }
    assert!(missed.is_empty(), "\n{}", missed.join("\n"));
}

#[test]
fn a_lesson_is_shown_where_its_sides_differ_significantly_only() {
    let lesson = LESSONS.iter().find(|l| l.id == "jpeg").unwrap();
    let run = |n| {
        let device = DeviceInfo { kind: "cpu".into(), name: "test".into() };
        let task = LessonTask { lesson, n, seed: 0, models: &mut Cpu, device };
        run_lesson(task, &mut |_, _| Flow::Continue, &mut |_, _| {}).unwrap()
    };
    // On four pictures the same numbers show nothing.
    let few = run(4);
    let said = few.contrasts[0].contrast.to_string();
    assert!(!few.shown && said == "n = 4, 4:0, p = 0.125", "{said}");
    let report = run(12);
    assert!(report.shown && report.claim == LessonClaim::Falls);
    let json = serde_json::to_value(&report).unwrap();
    let paired = &json["contrasts"][0]["paired"];
    assert_eq!((&paired["n"], &paired["only_second"]), (&12.into(), &0.into()));
    assert!(paired["p"].as_f64().unwrap() < 0.05, "{paired}");
    // Over other samples there are no pairs, and that is said.
    let mut other = report.sides.clone();
    other[1].evaluation.samples.iter_mut().for_each(|row| row.index += 100);
    let said = experiment::contrasts(LessonClaim::Falls, &other)[0].contrast.to_string();
    assert!(said.contains("not the same samples"), "{said}");
    let mut turned = report.sides.clone();
    turned.reverse();
    assert!(!experiment::is_shown(LessonClaim::Falls, &turned));
    assert!(experiment::is_shown(LessonClaim::Gains, &turned));
}
