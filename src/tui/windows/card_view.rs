//! How the blocks of a card are drawn, beside a list or in a window of their own.

use crate::tui::theme::Theme;
use crate::tui::widgets::text::{columns, wrap};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// A block of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InfoBlock {
    /// What it is, in one line.
    Lead(String),
    /// A paragraph.
    Text(String),
    /// A heading.
    Heading(String),
    /// A fact: its name, and what it is.
    Fact(String, String),
}

/// The blocks as lines of at most so many columns, with air between what does not belong together.
pub fn lines(blocks: &[InfoBlock], theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width).max(8);
    let mut out: Vec<Line<'static>> = Vec::new();
    let mut before: Option<&InfoBlock> = None;
    // Facts that follow each other stand in columns.
    let names = blocks.iter().map(|block| match block {
        InfoBlock::Fact(name, _) => columns(name),
        _ => 0,
    });
    let name = names.max().unwrap_or(0).min(width / 3);
    for block in blocks {
        let together = matches!(
            (before, block),
            (Some(InfoBlock::Fact(..) | InfoBlock::Heading(_)), InfoBlock::Fact(..))
                | (Some(InfoBlock::Heading(_)), InfoBlock::Text(_))
        );
        if before.is_some() && !together {
            out.push(Line::default());
        }
        let plain = |text: &str, style: Style| -> Vec<Line<'static>> {
            wrap(text, width).into_iter().map(|line| Line::styled(line, style)).collect()
        };
        match block {
            InfoBlock::Lead(text) => out.extend(plain(text, theme.strong)),
            InfoBlock::Text(text) => out.extend(plain(text, theme.base)),
            InfoBlock::Heading(text) => out.extend(plain(text, theme.title)),
            InfoBlock::Fact(label, text) => {
                let pad = |text: &str| " ".repeat((name + 2).saturating_sub(columns(text)).max(1));
                for (i, line) in wrap(text, width.saturating_sub(name + 2)).into_iter().enumerate()
                {
                    let label = if i == 0 { label.as_str() } else { "" };
                    out.push(Line::from(vec![
                        Span::styled(label.to_string(), theme.dim),
                        Span::raw(pad(label)),
                        Span::styled(line, theme.base),
                    ]));
                }
            }
        }
        before = Some(block);
    }
    out
}
