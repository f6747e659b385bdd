//! Help: how to read the screen, and every key.

use crate::tui::action::{Action, Command};
use crate::tui::keymap::{Binding, KeyTable, Keymap, PROGRAM, char, key, row};
use crate::tui::screen::{Opener, Outcome, Screen, ScreenSpec};
use crate::tui::session::Session;
use crate::tui::theme::Theme;
use crate::tui::widgets::text::{columns, wrap};
use crate::tui::windows::text;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Opens help.
pub const OPEN: Action = Action::Open(Command { id: "help", text: "Help: every key" });

/// Its row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: "help",
    tab: None,
    opener: Some(Opener {
        binding: row(PROGRAM, OPEN, 0, "all keys", &[char('?'), key(KeyCode::F(1))]),
        after: Action::NextTheme,
    }),
    create: || Box::new(Help::default()),
};

/// The help text, scrolled down by so many lines.
#[derive(Default)]
struct Help {
    from: usize,
}

/// The columns and rows that help asks for.
fn wanted(session: &Session) -> (u16, u16) {
    (session.size.0.saturating_sub(4).min(116), 44)
}

impl Screen for Help {
    fn keymap(&self) -> &'static Keymap {
        &text::KEYS
    }

    fn window(&self, session: &Session) -> Option<(u16, u16)> {
        Some(wanted(session))
    }

    fn open(&mut self, _session: &mut Session) -> Outcome {
        self.from = 0;
        Outcome::Show
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        let lines = |width| lines(session.keys, &session.theme, width);
        text::update(&mut self.from, action, wanted(session), lines, session)
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        let lines = |width| lines(session.keys, &session.theme, width);
        text::draw("Help", self.from, lines, &session.theme, area, buf);
    }
}

/// How the screen is read.
const READING: &[&str] = &[
    "The same image three times: clean, what the attack adds (the perturbation), and the sum \
     (adversarial). ε bounds the perturbation.",
    "✓ right: the prediction holds. ✗ fooled: the attack succeeded. ? the true class is not known: the \
     network's own prediction is attacked.",
    "naive: the attack does not know the defence. That it fails then is not robustness. adaptive: it \
     attacks through the defence, straight through where that has no gradient (BPDA).",
    "margin: how far the true class is ahead of the next one; below 0 the network is fooled. ▴ an event of \
     the attack. ┊ a new stage or restart. Black-box attacks are drawn over queries.",
    "◆ on the slider: the least ε that works. An attack that minimises the norm finds it itself; there, ε \
     only judges. ○ ε does not bound this attack.",
    "Mouse: click a sample, drag the slider, click or drag in the iterations, click a defence; the wheel \
     works on samples, ε and amplification.",
];

/// The text, in two columns of keys where they fit.
fn lines(table: &KeyTable, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    for text in READING {
        out.extend(wrap(text, width.into()).into_iter().map(|line| Line::styled(line, theme.base)));
    }
    out.push(Line::default());
    let groups = groups(table);
    let double = width >= 90;
    let half = if double { (width - 2) / 2 } else { width };
    let blocks: Vec<Vec<Line<'static>>> = groups.iter().map(|g| block(g, theme, half)).collect();
    if !double {
        out.extend(blocks.into_iter().flatten());
        return out;
    }
    let all: usize = blocks.iter().map(Vec::len).sum();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for block in blocks {
        // Down the left column until it holds half of all, then down the right one.
        let side = if right.is_empty() && left.len() + block.len() / 2 < all.div_ceil(2) {
            &mut left
        } else {
            &mut right
        };
        side.extend(block);
    }
    for i in 0..left.len().max(right.len()) {
        let mut line = left.get(i).cloned().unwrap_or_default();
        let used = line.width();
        line.push_span(Span::raw(" ".repeat(usize::from(half + 2).saturating_sub(used))));
        right.get(i).iter().flat_map(|l| l.spans.clone()).for_each(|span| line.push_span(span));
        out.push(line);
    }
    out
}

fn groups(table: &KeyTable) -> Vec<Vec<&Binding>> {
    let mut out: Vec<Vec<&Binding>> = Vec::new();
    for (_, binding) in &table.all {
        match out.iter_mut().find(|group| group[0].group == binding.group) {
            Some(group) => group.push(binding),
            None => out.push(vec![binding]),
        }
    }
    out
}

fn block(group: &[&Binding], theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let mut out = vec![Line::from(Span::styled(group[0].group, theme.title))];
    let mut told: Vec<&str> = Vec::new();
    for binding in group {
        let text = binding.action.description();
        let keys = binding.keys_text();
        if told.contains(&text) {
            continue;
        }
        told.push(text);
        let room = usize::from(width).saturating_sub(19);
        for (i, line) in wrap(text, room.max(8)).into_iter().enumerate() {
            let head = if i == 0 { keys.clone() } else { String::new() };
            let pad = " ".repeat(18usize.saturating_sub(columns(&head)).max(1));
            out.push(Line::from(vec![
                Span::styled(head, theme.key),
                Span::raw(pad),
                Span::styled(line, theme.base),
            ]));
        }
    }
    out.push(Line::default());
    out
}
