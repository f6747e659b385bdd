//! The published lessons come out here, beyond the 95 % intervals.

use crate::defended::Cpu;
use epsiloscope::attack::Flow;
use epsiloscope::experiment::{self, Claim, Device, LESSONS, LessonTask, SideReport, teach};

#[test]
fn every_lesson_is_shown() {
    let mut missed = Vec::new();
    for lesson in LESSONS {
        let device = Device { kind: "cpu".into(), name: "test".into() };
        let task = LessonTask { lesson, n: 40, seed: 0, shelf: &mut Cpu, device };
        match teach(task, &mut |_, _| Flow::Continue, &mut |_, _| {}) {
            Ok(report) if report.shown => {}
            Ok(report) => {
                let of = |side: &SideReport| format!("{} {:.2}", side.label, side.robust.value);
                let sides: Vec<_> = report.sides.iter().map(of).collect();
                missed.push(format!("{}: {}", lesson.id, sides.join(", ")));
            }
            Err(error) => missed.push(format!("{}: {error}", lesson.id)),
        }
    }
    assert!(missed.is_empty(), "\n{}", missed.join("\n"));
}

#[test]
fn a_lesson_is_shown_beyond_the_intervals_only() {
    let lesson = LESSONS.iter().find(|l| l.id == "jpeg").unwrap();
    let run = |n| {
        let device = Device { kind: "cpu".into(), name: "test".into() };
        let task = LessonTask { lesson, n, seed: 0, shelf: &mut Cpu, device };
        teach(task, &mut |_, _| Flow::Continue, &mut |_, _| {}).unwrap()
    };
    // On two pictures the same numbers show nothing.
    assert!(!run(2).shown);
    let report = run(12);
    assert!(report.shown && report.claim == Claim::Falls);
    let mut turned = report.sides.clone();
    turned.reverse();
    assert!(!experiment::shown(Claim::Falls, &turned));
    assert!(experiment::shown(Claim::Gains, &turned));
}
