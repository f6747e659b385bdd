//! What the screen shows, cell by cell, in every size and theme.

use crate::{compare, fake, race_and_transfer};
use epsiloscope::tui::action::Action::{self, *};
use epsiloscope::tui::app::App;
use epsiloscope::tui::screens::{attack_parameters, defences, help, messages, race};
use epsiloscope::tui::session::PATIENCE;
use epsiloscope::tui::theme::{Theme, ThemeKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

const SIZES: [(u16, u16); 4] = [(160, 48), (120, 36), (80, 24), (60, 18)];

pub fn render(app: &App) -> Buffer {
    let mut terminal =
        Terminal::new(TestBackend::new(app.session.size.0, app.session.size.1)).expect("a backend");
    terminal.draw(|frame| app.draw(frame.area(), frame.buffer_mut())).expect("a frame");
    terminal.backend().buffer().clone()
}

pub fn text(buffer: &Buffer) -> String {
    let rows = buffer.content.chunks(buffer.area.width.into());
    let line = |row: &[ratatui::buffer::Cell]| -> String {
        row.iter().map(ratatui::buffer::Cell::symbol).collect()
    };
    rows.map(|row| format!("{}\n", line(row).trim_end())).collect()
}

fn after(size: (u16, u16), actions: &[Action]) -> App {
    let mut app = fake::app(ThemeKind::Dark, size);
    for action in actions {
        app.act(*action);
    }
    app
}

/// The foreground of the first place where `needle` stands.
fn colour_of(buffer: &Buffer, needle: &str) -> Option<Color> {
    let width = usize::from(buffer.area.width);
    let wanted: Vec<String> = needle.chars().map(String::from).collect();
    let symbols: Vec<&str> = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
    let at = (0..symbols.len()).find(|at| {
        at % width + wanted.len() <= width
            && wanted.iter().zip(&symbols[*at..]).all(|(a, b)| a == b)
    })?;
    Some(buffer.content[at].fg)
}

#[test]
fn explore_in_every_size_and_theme() {
    for size in SIZES {
        let name = format!("{}x{}", size.0, size.1);
        let dark = text(&render(&fake::app(ThemeKind::Dark, size)));
        insta::assert_snapshot!(format!("explore_{name}"), dark);
        assert_eq!(
            dark,
            text(&render(&fake::app(ThemeKind::Light, size))),
            "themes differ in colours only"
        );
        insta::assert_snapshot!(
            format!("explore_{name}_mono"),
            text(&render(&fake::app(ThemeKind::Mono, size)))
        );
    }
}

#[test]
fn right_is_blue_fooled_is_orange_and_mono_has_no_colours() {
    for kind in [ThemeKind::Dark, ThemeKind::Light] {
        let theme = Theme::new(kind);
        let buffer = render(&fake::app(kind, (120, 36)));
        assert_eq!(colour_of(&buffer, "✓ 7  99.8 %"), theme.right.fg);
        assert_eq!(colour_of(&buffer, "✗ 2  91.3 %"), theme.fooled.fg);
        assert_eq!(colour_of(&buffer, "naive: this is not robustness"), theme.accent.fg);
        // Three pictures of exactly 28×14 cells.
        let pictures = &buffer.content[2 * 120..16 * 120];
        assert_eq!(pictures.iter().filter(|c| c.symbol() == "▀").count(), 3 * 28 * 14);
        assert!(
            buffer
                .content
                .iter()
                .all(|c| matches!(c.fg, Color::Rgb(..)) && matches!(c.bg, Color::Rgb(..)))
        );
    }
    for size in SIZES {
        let buffer = render(&fake::app(ThemeKind::Mono, size));
        assert!(buffer.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
        assert!(buffer.content.iter().any(|c| c.modifier.contains(Modifier::BOLD)));
    }
}

#[test]
fn nothing_is_cut_in_the_three_sizes() {
    for size in [(160, 48), (120, 36), (80, 24)] {
        for pane in 0..5 {
            let mut app = fake::app(ThemeKind::Dark, size);
            app.act(ShowPane(pane));
            let shown = text(&render(&app));
            assert!(!shown.contains('…'), "{size:?}\n{shown}");
        }
    }
}

#[test]
fn every_pane_of_small_windows() {
    for (size, panes) in [((80, 24), 5), ((60, 18), 8)] {
        for pane in 1..panes {
            let mut app = fake::app(ThemeKind::Dark, size);
            app.act(ShowPane(pane));
            insta::assert_snapshot!(
                format!("pane_{}x{}_{pane}", size.0, size.1),
                text(&render(&app))
            );
        }
    }
}

#[test]
fn windows() {
    let cases: [(&str, (u16, u16), &[Action]); 12] = [
        ("help_120x36", (120, 36), &[help::OPEN]),
        ("help_60x18", (60, 18), &[help::OPEN]),
        ("attacks_120x36", (120, 36), &[ChooseAttack]),
        ("attacks_80x24", (80, 24), &[ChooseAttack]),
        ("models_120x36", (120, 36), &[ChooseModel]),
        ("data_80x24", (80, 24), &[ChooseData]),
        ("targets_80x24", (80, 24), &[ChooseTarget]),
        ("palette_80x24", (80, 24), &[Palette]),
        ("attack_editor_80x24", (80, 24), &[attack_parameters::OPEN, Down]),
        ("defence_editor_120x36", (120, 36), &[defences::OPEN]),
        ("epsilon_80x24", (80, 24), &[TypeEpsilon]),
        ("messages_60x18", (60, 18), &[messages::OPEN]),
    ];
    for (name, size, actions) in cases {
        let app = after(size, actions);
        insta::assert_snapshot!(name, text(&render(&app)));
    }
}

#[test]
fn fifty_attacks_to_choose_from() {
    let press = |size, keys: &str| {
        let mut app = fake::app(ThemeKind::Dark, size);
        fake::press(&mut app, keys);
        text(&render(&app))
    };
    insta::assert_snapshot!(
        "attacks_scrolled_120x36",
        press((120, 36), &format!("a{}", "↓".repeat(30)))
    );
    insta::assert_snapshot!(
        "attacks_scrolled_60x18",
        press((60, 18), &format!("a{}", "↓".repeat(30)))
    );
    insta::assert_snapshot!("attacks_searched_80x24", press((80, 24), "ascores"));
    insta::assert_snapshot!("card_120x36", press((120, 36), "acw\t"));
    insta::assert_snapshot!("card_60x18", press((60, 18), "i"));
    insta::assert_snapshot!(
        "long_editor_80x24",
        press((80, 24), &format!("acw\np{}", "↓".repeat(13)))
    );
    insta::assert_snapshot!("long_editor_60x18", press((60, 18), "acw\np↓↓"));
}

#[test]
fn stages_events_and_queries_on_the_course() {
    let course = |size, id: &str, actions: &[Action]| {
        let mut app = fake::with_attack(ThemeKind::Dark, size, id);
        app.act(ShowPane(3));
        for action in actions {
            app.act(*action);
        }
        text(&render(&app))
    };
    insta::assert_snapshot!("stages_160x48", course((160, 48), "autoattack", &[]));
    insta::assert_snapshot!("stages_80x24", course((80, 24), "autoattack", &[Scrub(64)]));
    insta::assert_snapshot!("queries_120x36", course((120, 36), "square", &[Scrub(17)]));
    insta::assert_snapshot!("queries_80x24", course((80, 24), "square", &[Scrub(20)]));
}

#[test]
fn epsilon_judges_a_least_perturbation_and_is_idle_beside_own_bounds() {
    let shown = |size, id: &str, epsilon: f64| {
        let mut app = fake::with_attack(ThemeKind::Dark, size, id);
        app.act(SetEpsilon(epsilon));
        text(&render(&app))
    };
    insta::assert_snapshot!("within_120x36", shown((120, 36), "cw", 2.0));
    insta::assert_snapshot!("beyond_120x36", shown((120, 36), "cw", 0.5));
    insta::assert_snapshot!("beyond_80x24", shown((80, 24), "cw", 0.5));
    let idle = fake::with_attack(ThemeKind::Dark, (120, 36), "stadv");
    insta::assert_snapshot!("own_120x36", text(&render(&idle)));
}

#[test]
fn races_in_every_size() {
    let four = ["pgd", "square", "cw", "stadv"];
    for (size, open) in
        [((160, 48), &[1][..]), ((120, 36), &[]), ((80, 24), &[0, 2]), ((60, 18), &[])]
    {
        let name = format!("race_{}x{}", size.0, size.1);
        insta::assert_snapshot!(
            name,
            text(&render(&race_and_transfer::racing(ThemeKind::Dark, size, &four, open)))
        );
    }
    let mut app = race_and_transfer::racing(ThemeKind::Mono, (120, 36), &four[..2], &[]);
    app.act(race::SWITCH_AXIS);
    insta::assert_snapshot!("race_queries_120x36_mono", text(&render(&app)));
    let mut app = fake::app(ThemeKind::Dark, (80, 24));
    fake::press(&mut app, "A square");
    insta::assert_snapshot!("racers_80x24", text(&render(&app)));
}

#[test]
fn comparisons_in_every_size() {
    for size in SIZES {
        let name = format!("compare_{}x{}", size.0, size.1);
        let dark = text(&render(&compare::comparing(ThemeKind::Dark, size, false)));
        insta::assert_snapshot!(name, dark);
        let light = text(&render(&compare::comparing(ThemeKind::Light, size, false)));
        assert_eq!(dark, light, "themes differ in colours only");
        let mono = render(&compare::comparing(ThemeKind::Mono, size, false));
        assert!(mono.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
    }
    let half = compare::comparing(ThemeKind::Dark, (120, 36), true);
    insta::assert_snapshot!("compare_half_120x36", text(&render(&half)));
    let many = compare::many(ThemeKind::Dark, (80, 24));
    insta::assert_snapshot!("compare_many_80x24", text(&render(&many)));
    let mut app = compare::comparing(ThemeKind::Dark, (80, 24), false);
    fake::press(&mut app, "s/jpeg\n→→→→→");
    insta::assert_snapshot!("compare_filtered_80x24", text(&render(&app)));
    for (name, keys) in [("columns", "apgd"), ("hybrid", "h"), ("export", "e")] {
        let mut app = compare::comparing(ThemeKind::Dark, (80, 24), false);
        fake::press(&mut app, keys);
        insta::assert_snapshot!(format!("compare_{name}_80x24"), text(&render(&app)));
    }
}

#[test]
fn outcomes_in_a_comparison_have_sign_and_colour() {
    for kind in [ThemeKind::Dark, ThemeKind::Light] {
        let theme = Theme::new(kind);
        let buffer = render(&compare::comparing(kind, (120, 36), true));
        assert_eq!(colour_of(&buffer, "64%"), theme.right.fg);
        assert_eq!(colour_of(&buffer, "✗ 2     91%"), theme.fooled.fg);
        assert_eq!(colour_of(&buffer, "▁   5 %"), theme.fooled.fg);
        assert_eq!(colour_of(&buffer, "·      "), theme.dim.fg);
    }
}

#[test]
fn the_least_epsilon_as_it_is_searched_for_and_found() {
    let (mut app, id, _) = race_and_transfer::searching(ThemeKind::Dark, (120, 36));
    insta::assert_snapshot!("searching_120x36", text(&render(&app)));
    race_and_transfer::find(&mut app, id);
    insta::assert_snapshot!("found_120x36", text(&render(&app)));
    app.session.size = (60, 18);
    insta::assert_snapshot!("found_60x18", text(&render(&app)));
    app.act(Accept);
    app.session.size = (80, 24);
    insta::assert_snapshot!("least_on_the_slider_80x24", text(&render(&app)));
}

#[test]
fn transfer_between_models() {
    let mut app = fake::app(ThemeKind::Dark, (120, 36));
    race_and_transfer::open_transfer(&mut app, 0);
    insta::assert_snapshot!("transfer_one_120x36", text(&render(&app)));
    app.session.size = (80, 24);
    race_and_transfer::open_transfer(&mut app, 2);
    insta::assert_snapshot!("transfer_many_80x24", text(&render(&app)));
    app.session.size = (60, 18);
    insta::assert_snapshot!("transfer_many_60x18", text(&render(&app)));
    let mut app = fake::app(ThemeKind::Dark, (120, 36));
    let effects = fake::press(&mut app, "umnist-cnn-at\n");
    for (id, job) in fake::send(&mut app, &mut 50, effects) {
        fake::answers(id, &job).into_iter().for_each(|update| drop(app.on_update(update)));
    }
    insta::assert_snapshot!("surrogate_120x36", text(&render(&app)));
    fake::press(&mut app, "u");
    insta::assert_snapshot!("surrogates_120x36", text(&render(&app)));
}

#[test]
fn playback_blinking_amplification_and_stance() {
    insta::assert_snapshot!(
        "step_120x36",
        text(&render(&after((120, 36), &[Rewind, StepForward, StepForward])))
    );
    insta::assert_snapshot!(
        "blink_adaptive_80x24",
        text(&render(&after((80, 24), &[Blink, ToggleStance, AmplifyMore])))
    );
}

#[test]
fn the_start_the_greeting_and_a_late_result() {
    let (mut app, _) = fake::fresh(ThemeKind::Dark, (120, 36));
    insta::assert_snapshot!("start_120x36", text(&render(&app)));
    app.hint = true;
    app.session.size = (80, 24);
    insta::assert_snapshot!("greeting_80x24", text(&render(&app)));
    let mut app = fake::app(ThemeKind::Dark, (120, 36));
    let before = render(&app);
    app.session.awaited = Some((99, app.session.now));
    assert_eq!(
        render(&app).content[130..1200],
        before.content[130..1200],
        "no flicker before patience ends"
    );
    app.session.tick(app.session.now + PATIENCE);
    let late = render(&app);
    assert_eq!(colour_of(&late, "✗ 2  91.3 %"), app.session.theme.dim.fg);
}

#[test]
fn any_size_can_be_drawn() {
    let mut app = fake::app(ThemeKind::Dark, (80, 24));
    for width in [1, 2, 10, 39, 40, 41, 60, 79, 80, 100, 119, 120, 140, 200, 250] {
        for height in [1, 2, 5, 11, 12, 13, 18, 23, 24, 30, 35, 36, 50, 80] {
            app.session.size = (width, height);
            for pane in 0..9 {
                app.act(ShowPane(pane));
                render(&app);
            }
            fake::press(&mut app, "2");
            render(&app);
            fake::close_all(&mut app);
            for action in [
                help::OPEN,
                messages::OPEN,
                Palette,
                ChooseAttack,
                attack_parameters::OPEN,
                defences::OPEN,
                TypeEpsilon,
            ] {
                app.act(action);
                render(&app);
                fake::close_all(&mut app);
            }
        }
    }
    app.session.size = (39, 11);
    insta::assert_snapshot!("too_small", text(&render(&app)));
}

#[test]
fn many_defences_stand_side_by_side_in_single_lines() {
    let mut app = after((120, 36), &[]);
    for entry in app.session.defences.iter_mut().take(12) {
        entry.on = true;
    }
    let screen = text(&render(&app));
    let strip = screen.lines().skip_while(|line| !line.starts_with(" defences")).skip(1).take(2);
    let strip: Vec<&str> = strip.collect();
    assert!(strip[0].contains("no defence") && strip[1].contains("bit depth"), "{strip:?}");
    assert!(strip.iter().all(|line| line.matches("bit depth").count() <= 1), "{strip:?}");
    assert!(strip[0].contains("median") && strip[1].contains("+5 more"), "{strip:?}");
    for entry in app.session.defences.iter_mut().skip(9) {
        entry.on = false;
    }
    let screen = text(&render(&app));
    assert!(!screen.contains("more: 2") && screen.contains("noise"), "{screen}");
}
