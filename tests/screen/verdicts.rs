//! One result, one sign, one colour: whatever came of an attack, every pane says the same.

use crate::snapshots::render;
use crate::{fake, race_and_transfer};
use epsiloscope::experiment::{CleanPrediction, Outcome, Report};
use epsiloscope::tui::app::App;
use epsiloscope::tui::screens::race::Race;
use epsiloscope::tui::screens::transfer::Transfer;
use epsiloscope::tui::theme::ThemeKind;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use std::sync::Arc;

/// What can come of an attack, and the attack that it comes of.
const ENDS: [(&str, &str, Outcome); 6] = [
    ("fooled", "pgd", Outcome::Fooled),
    ("held", "pgd", Outcome::Right),
    ("astray", "pgd", Outcome::Right),
    ("beyond", "deepfool", Outcome::Right),
    ("within", "deepfool", Outcome::Fooled),
    ("wrong", "pgd", Outcome::Wrong),
];

/// Makes a report, and the clean answer before it, end in this way: 7 becomes 2.
fn bend(report: &mut Report, clean: &mut CleanPrediction, end: &str) {
    (report.success, report.reached) = (end == "fooled" || end == "within", end != "held");
    match end {
        "held" => report.adversarial = report.clean.clone(),
        "astray" => {
            let other = (0..10).find(|k| *k != report.adversarial.label && *k != report.label);
            (report.target, report.reached) = (other, false);
        }
        "within" => {
            report.distance = 0.001;
        }
        "wrong" => {
            report.clean = report.adversarial.clone();
            clean.prediction = report.adversarial.clone();
            (report.attacked, report.reached) = (false, false);
        }
        _ => {}
    }
}

/// A dashboard whose result ended in this way; nothing defends the network.
fn ended(attack: &str, end: &str) -> App {
    let mut app = fake::with_attack(ThemeKind::Dark, (160, 48), attack);
    app.session.defences.iter_mut().for_each(|entry| entry.on = false);
    let run = app.session.shown.as_mut().expect("a run");
    let mut report = Report::clone(run.report.as_ref().expect("a report"));
    let mut clean = CleanPrediction::clone(run.clean.as_ref().expect("a clean answer"));
    bend(&mut report, &mut clean, end);
    run.rows.clear();
    (run.report, run.clean) = (Some(Arc::new(report)), Some(Arc::new(clean)));
    app
}

/// The colours of every place where `needle` stands.
fn colours(buffer: &Buffer, needle: &str) -> Vec<Color> {
    let width = usize::from(buffer.area.width);
    let wanted: Vec<String> = needle.chars().map(String::from).collect();
    let symbols: Vec<&str> = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
    let here = |at: &usize| {
        at % width + wanted.len() <= width
            && wanted.iter().zip(&symbols[*at..]).all(|(a, b)| a == b)
    };
    (0..symbols.len()).filter(here).map(|at| buffer.content[at].fg).collect()
}

#[test]
fn every_pane_agrees_with_the_sentence() {
    for (end, attack, outcome) in ENDS {
        let app = ended(attack, end);
        let report =
            app.session.shown.as_ref().and_then(|run| run.report.clone()).expect("a report");
        assert_eq!(report.outcome(), outcome, "{end}");
        let buffer = render(&app);
        let colour = app.session.theme.outcome(outcome.holds()).fg.expect("a colour");
        let (name, sign) = (&report.adversarial.name, outcome.glyph());
        let sentence: String = report.sentence().chars().take(12).collect();
        let cell = match report.is_beyond() {
            true => format!("{sign} {name} beyond ε"),
            false => format!("{sign} {}: {name}", outcome.word()),
        };
        // The sentence, the cell of the strip, the caption and the row of the answer.
        for (needle, least) in
            [(format!("{sign} {sentence}"), 1), (cell, 1), (format!("{sign} {name}"), 2)]
        {
            let found = colours(&buffer, &needle);
            assert!(found.len() >= least, "{end}: '{needle}' stands {} times", found.len());
            assert!(found.iter().all(|found| *found == colour), "{end}: '{needle}' {found:?}");
        }
        // No pane says anything else of the same answer.
        for other in ["✓", "✗", "!"].into_iter().filter(|other| *other != sign) {
            let found = colours(&buffer, &format!("{other} {name} "));
            assert!(found.is_empty(), "{end}: '{other} {name}' beside '{sign} {name}'");
        }
    }
}

#[test]
fn the_race_and_the_matrix_agree_with_the_sentence() {
    for (end, attack, outcome) in ENDS {
        let mut app = race_and_transfer::racing(ThemeKind::Dark, (160, 48), &[attack, "bim"], &[]);
        let race = app.get_mut::<Race>().expect("a race");
        let mut clean = CleanPrediction::clone(race.clean.as_ref().expect("a clean answer"));
        let lane = &mut race.lanes[0];
        let mut report = Report::clone(lane.report().expect("a report"));
        bend(&mut report, &mut clean, end);
        assert_eq!(report.outcome(), outcome, "{end}");
        let report = Arc::new(report);
        lane.result = Some(Ok(report.clone()));
        let colour = app.session.theme.outcome(outcome.holds()).fg.expect("a colour");
        let sign = outcome.glyph();
        let buffer = render(&app);
        let words = match outcome {
            Outcome::Wrong => "wrong before",
            Outcome::Fooled => "becomes",
            _ if report.is_beyond() => "2 only beyond ε",
            _ => "holds",
        };
        assert_eq!(colours(&buffer, &format!("{sign} {words}"))[0], colour, "race: {end}");
        let mut app = fake::app(ThemeKind::Dark, (160, 48));
        race_and_transfer::open_transfer(&mut app, 0);
        let matrix = app.get_mut::<Transfer>().and_then(|screen| screen.matrix.as_mut());
        matrix
            .expect("a matrix")
            .cells
            .iter_mut()
            .flatten()
            .for_each(|cell| *cell = Some(report.clone()));
        let buffer = render(&app);
        let found = colours(&buffer, &format!("{sign} {} (", report.adversarial.name));
        assert_eq!(found, vec![colour; 4], "matrix: {end}");
    }
}
