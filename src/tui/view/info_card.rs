//! Cards: what is said of an attack, beside a list or in a window of its own.

use crate::tui::info_card::InfoBlock;
use crate::tui::theme::Theme;
use crate::tui::widgets::text::{columns, wrap};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// The pieces as lines of at most so many columns, with air between what does not belong together.
pub fn lines(pieces: &[InfoBlock], theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width).max(8);
    let mut out: Vec<Line<'static>> = Vec::new();
    let mut before: Option<&InfoBlock> = None;
    // Facts that follow each other stand in columns.
    let names = pieces.iter().map(|piece| match piece {
        InfoBlock::Fact(name, _) => columns(name),
        _ => 0,
    });
    let name = names.max().unwrap_or(0).min(width / 3);
    for piece in pieces {
        let together = matches!(
            (before, piece),
            (Some(InfoBlock::Fact(..) | InfoBlock::Heading(_)), InfoBlock::Fact(..))
                | (Some(InfoBlock::Heading(_)), InfoBlock::Text(_))
        );
        if before.is_some() && !together {
            out.push(Line::default());
        }
        let plain = |text: &str, style: Style| -> Vec<Line<'static>> {
            wrap(text, width).into_iter().map(|line| Line::styled(line, style)).collect()
        };
        match piece {
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
        before = Some(piece);
    }
    out
}
