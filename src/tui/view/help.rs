//! Help: how to read the screen, and every key from the keymap.

use crate::tui::keymap::{self, BINDINGS, Binding};
use crate::tui::theme::Theme;
use crate::tui::widgets::text::{columns, wrap};
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// How the screen is read.
const READING: &[&str] = &[
    "The same picture three times: as it is, what the attack adds, and the sum. ε bounds what may be added.",
    "✓ the answer holds. ✗ the attack reached its goal: the network is fooled. ? the truth is not known: \
     the network's own answer is attacked.",
    "naive: the attack does not know the defence. That it fails then is not robustness. adaptive: it \
     attacks through the defence, straight through where that has no gradient (BPDA).",
    "margin: how far the right answer is ahead; below 0 the network is fooled. ▴ an event of the attack's \
     own. ┊ a new stage or start. Attacks that only ask questions are drawn over queries.",
    "◆ on the slider: the least ε that works. An attack that looks for the least change finds it itself; \
     there, ε only judges. ○ ε does not bound this attack.",
    "Mouse: click a sample, drag the slider, click or drag in the iterations, click a defence; the wheel \
     works on samples, ε and amplification.",
];

/// The window's place.
pub fn place(size: (u16, u16)) -> Rect {
    let (width, height) = (size.0.saturating_sub(4).min(116), size.1.saturating_sub(2).min(44));
    Rect { x: (size.0 - width) / 2, y: (size.1 - height) / 2, width, height }
}

/// The text, in two columns of keys where they fit.
pub fn lines(theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    for text in READING {
        out.extend(wrap(text, width.into()).into_iter().map(|line| Line::styled(line, theme.base)));
    }
    out.push(Line::default());
    let groups = groups();
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

fn groups() -> Vec<Vec<&'static Binding>> {
    let mut out: Vec<Vec<&'static Binding>> = Vec::new();
    for binding in BINDINGS {
        match out.iter_mut().find(|group| group[0].group == binding.group) {
            Some(group) => group.push(binding),
            None => out.push(vec![binding]),
        }
    }
    out
}

fn block(group: &[&'static Binding], theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let mut out = vec![Line::from(Span::styled(group[0].group, theme.title))];
    let mut told: Vec<&str> = Vec::new();
    for binding in group {
        let text = binding.action.description();
        let keys = keymap::keys_text(binding);
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
