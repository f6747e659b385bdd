//! The evaluation lamps: a row, a cell where there is little room, and the list of all of them.

use crate::metrics::checks::CheckStatus;
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::checks::{CheckSummary, check_summaries, words};
use crate::tui::keymap;
use crate::tui::theme::Theme;
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{columns, shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// The columns of the cell.
pub const CELL: u16 = 16;

/// The rows that the list asks for.
pub const HEIGHT: u16 = 30;

fn style(theme: &Theme, colour: CheckStatus) -> Style {
    match colour {
        CheckStatus::Red => theme.fooled,
        CheckStatus::Amber => theme.accent,
        CheckStatus::Green => theme.right,
        CheckStatus::Unlit => theme.dim,
    }
}

fn count(summaries: &[CheckSummary], colour: CheckStatus) -> usize {
    summaries.iter().filter(|lamp| lamp.colour() == colour).count()
}

/// Those that warn by name, the worst first; the others counted; and why the worst one warns.
pub fn row(app: &App, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    if area.width <= CELL {
        return cell(app, area, buf);
    }
    let theme = &app.theme;
    let mut spans = vec![
        Span::styled("lamps  ", theme.title),
        Span::styled(keymap::keys_of(Action::Checks).unwrap_or_default(), theme.key),
        Span::raw("  "),
    ];
    let summaries = check_summaries(app);
    let mut named: Vec<&CheckSummary> =
        summaries.iter().filter(|lamp| lamp.colour() > CheckStatus::Unlit).collect();
    named.sort_by_key(|lamp| std::cmp::Reverse(lamp.colour()));
    let warns = named.iter().take_while(|lamp| lamp.colour().warns()).count();
    let faded = |colour| if app.faded() { theme.dim } else { style(theme, colour) };
    let mut left = usize::from(area.width).saturating_sub(40);
    // Where something warns, why is worth more than the names of what does not.
    let most = if warns > 0 { warns } else { named.len() };
    let mut shown = 0;
    for lamp in named.iter().take(most) {
        let text = format!("{} {}  ", lamp.colour().glyph(), lamp.lamp.name);
        if columns(&text) > left {
            break;
        }
        left -= columns(&text);
        shown += 1;
        spans.push(Span::styled(text, faded(lamp.colour())));
    }
    let rest: Vec<&&CheckSummary> = named.iter().skip(shown).collect();
    for colour in [CheckStatus::Red, CheckStatus::Amber, CheckStatus::Green] {
        let n = rest.iter().filter(|lamp| lamp.colour() == colour).count();
        if n > 0 {
            let more = if shown > 0 { " more" } else { "" };
            spans.push(Span::styled(format!("{} {n}{more}  ", colour.glyph()), faded(colour)));
        }
    }
    let unlit = count(&summaries, CheckStatus::Unlit);
    if unlit > 0 {
        spans.push(Span::styled(format!("{} {unlit}  ", CheckStatus::Unlit.glyph()), theme.dim));
    }
    if app.asking.is_some() {
        spans.push(Span::styled("asking …  ", theme.accent));
    }
    let line = Line::from(spans);
    let used = line.width();
    buf.set_line(area.x, area.y, &line, area.width);
    if let Some(worst) = named.first().filter(|lamp| lamp.colour().warns()) {
        let room = usize::from(area.width).saturating_sub(used);
        let mut words = std::iter::once(worst.reason()).chain(worst.brief());
        if let Some(text) = words.find(|text| columns(text) <= room) {
            buf.set_string(area.x + used as u16, area.y, text, theme.dim);
        }
    }
}

/// How many show what.
fn cell(app: &App, area: Rect, buf: &mut Buffer) {
    let summaries = check_summaries(app);
    if summaries.is_empty() {
        return;
    }
    let theme = &app.theme;
    let key = keymap::keys_of(Action::Checks).unwrap_or_default();
    let mut spans = vec![Span::styled(key, theme.key)];
    for colour in [CheckStatus::Red, CheckStatus::Amber, CheckStatus::Green] {
        let n = count(&summaries, colour);
        let style = if n == 0 || app.faded() { theme.dim } else { style(theme, colour) };
        spans.push(Span::styled(format!(" {}{n}", colour.glyph()), style));
    }
    let line = Line::from(spans);
    let x = area.right().saturating_sub(line.width() as u16 + 1);
    buf.set_line(x, area.y, &line, area.width);
}

/// The first row of the list that is shown, and how many are.
fn span(place: Rect, at: usize, count: usize) -> (usize, usize) {
    let inner = usize::from(place.height.saturating_sub(2));
    // The reason, the rule and the source need rows, too.
    let room = count.min(inner.saturating_sub(9).max(inner / 2));
    ((at + 1).saturating_sub(room), room)
}

/// The lamp under a row of the screen.
pub fn row_at(app: &App, at: usize, place: Rect, y: u16) -> Option<usize> {
    let count = check_summaries(app).len();
    let (first, room) = span(place, at, count);
    let row = usize::from(y.checked_sub(place.y + 1)?);
    (row < room).then_some(first + row).filter(|at| *at < count)
}

/// Draws the list, and what there is to say of the lamp under the cursor.
pub fn draw(app: &App, at: usize, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let summaries = check_summaries(app);
    let (first, room) = span(place, at, summaries.len());
    let title = match room < summaries.len() {
        true => format!("Evaluation lamps {}–{} of {}", first + 1, first + room, summaries.len()),
        false => "Evaluation lamps: what may be wrong with this result".into(),
    };
    let inner = window(&title, place, theme, buf);
    let Some(current) = summaries.get(at) else {
        buf.set_string(inner.x, inner.y, "there is no result yet", theme.dim);
        return;
    };
    let names = summaries.iter().map(|lamp| columns(lamp.lamp.name)).max().unwrap_or(0);
    let shown = summaries.iter().enumerate().skip(first).take(room);
    for ((i, lamp), y) in shown.zip(inner.y..) {
        let row = Rect { y, height: 1, ..inner };
        let mut style = style(theme, lamp.colour());
        if i == at {
            buf.set_style(row, theme.selected);
            style = Style { fg: style.fg, ..theme.selected };
        }
        let mark = if i == at { "▸" } else { " " };
        let head = format!("{mark}{} {:names$}  ", lamp.colour().glyph(), lamp.lamp.name);
        let x = buf.set_stringn(row.x, y, &head, row.width.into(), style).0;
        let width = usize::from(row.right().saturating_sub(x));
        let faint = if i == at { theme.selected } else { theme.base };
        buf.set_stringn(x, y, shorten(&lamp.reason(), width), width, faint);
    }
    let below = Rect {
        y: inner.y + room as u16 + 1,
        height: inner.height.saturating_sub(room as u16 + 1),
        ..inner
    };
    for (line, y) in about(theme, current, inner.width.into()).iter().zip(below.y..below.bottom()) {
        buf.set_line(below.x, y, line, below.width);
    }
    let enter = match (current.colour().warns(), current.cure(), current.ask()) {
        (true, Some(cure), _) => format!(" Enter {} ", words(app, cure)),
        (_, _, Some(_)) => " Enter asks the model ".into(),
        _ => String::new(),
    };
    let all = match summaries.iter().any(|lamp| lamp.ask().is_some()) {
        _ if app.asking.is_some() => " asking … ".to_string(),
        true => " L asks for all ".to_string(),
        false => String::new(),
    };
    let x = inner.right().saturating_sub(columns(&all) as u16);
    buf.set_string(x, place.bottom() - 1, &all, theme.accent);
    buf.set_stringn(inner.x, place.bottom() - 1, &enter, usize::from(x - inner.x), theme.accent);
}

/// What a lamp watches, what it shows of each result, when it lights, and who says so.
fn about(theme: &Theme, lamp: &CheckSummary, width: usize) -> Vec<Line<'static>> {
    let mut out = vec![Line::styled(lamp.lamp.watches, theme.strong)];
    let worst = lamp.colour();
    // Results that show it for the same reason are named together.
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (of, verdict) in lamp.shown.iter().take_while(|(_, v)| v.status == worst) {
        match reasons.iter_mut().find(|(reason, _)| *reason == verdict.reason) {
            Some((_, names)) => names.push(of),
            None => reasons.push((&verdict.reason, vec![of])),
        }
    }
    let mut add = |text: &str, style: Style| {
        out.extend(wrap(text, width).into_iter().map(|line| Line::styled(line, style)));
    };
    for (reason, names) in reasons.iter().take(3) {
        let names = names.join(" · ");
        let of = if names.is_empty() { names } else { format!("{names}: ") };
        add(&format!("{} {of}{reason}", worst.glyph()), style(theme, worst));
    }
    add(lamp.lamp.rule, theme.base);
    add(&format!("what helps: {}", lamp.lamp.remedy), theme.base);
    add(lamp.lamp.source, theme.dim);
    out
}
