//! Header, tabs, sentence and footer.

use super::layout::{self, SizeClass};
use super::wording;
use crate::tui::action::Action;
use crate::tui::app::{App, Message};
use crate::tui::keymap::{self, Context};
use crate::tui::update::context;
use crate::tui::widgets::text::{columns, shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

/// A screen's name in the header.
pub struct ScreenTab {
    /// Where it stands.
    pub place: Rect,
    /// Its key, and its name where there is room.
    pub text: String,
    /// Whether it is the screen now.
    pub here: bool,
    /// What goes there.
    pub action: Action,
}

/// The columns of the program's name.
const NAME: u16 = 12;

/// The screens' names, as they stand in the header: in full, else with keys only, else not at all.
pub fn screens(app: &App, area: Rect) -> Vec<ScreenTab> {
    let all = [
        ('1', "Explore", Context::Explore, Action::Back),
        ('2', "Compare", Context::Compare, Action::Compare),
        ('5', "Learn", Context::Learn, Action::Learn),
    ];
    let now = match () {
        () if app.learn.open => Context::Learn,
        () if app.compare.open => Context::Compare,
        () => Context::Explore,
    };
    let model = app.model.as_ref().map_or(8, |model| columns(&model.card.name)) as u16;
    // Beside the model's name: that it works, on what, and an alarm.
    let room = area.width.saturating_sub(NAME + model + 3 + 20);
    let place = |long: bool| {
        let mut x = area.x + NAME + 1;
        let tabs = all.iter().map(|(key, name, context, action)| {
            let here = *context == now;
            let name = if long || here { format!(" {name}") } else { String::new() };
            let text = format!("{key}{name}");
            let width = columns(&text) as u16 + 2;
            let place = Rect { x, width, ..area };
            x += width;
            ScreenTab { place, text, here, action: *action }
        });
        tabs.collect::<Vec<_>>()
    };
    let fits = |tabs: &Vec<ScreenTab>| tabs.iter().map(|tab| tab.place.width).sum::<u16>() <= room;
    [place(true), place(false)].into_iter().find(fits).unwrap_or_default()
}

/// Program, model and device. Where there is little room, why this device was taken matters more
/// than the model's figures.
pub fn header(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let loading = app.loading.last().map(|(_, name)| format!("loading {name} …"));
    let model = app.model.as_ref().map(|m| match &app.surrogate {
        // Both names where there is room for more than one.
        Some(surrogate) if area.width >= 100 => {
            format!("crafted on {surrogate}, judged on {}", m.card.name)
        }
        _ => m.card.name.clone(),
    });
    let model = loading.or(model).unwrap_or_else(|| "no model".into());
    let busy = if app.busy() { "● working " } else { "" };
    let failures = app.messages.iter().filter(|m| m.failure).count();
    let alarm = if failures > 0 { format!(" ! {failures} ") } else { String::new() };

    let accuracy = app.model.as_ref().and_then(|m| m.card.accuracy.as_ref());
    let brief = accuracy.map(|a| format!("{:.1} %", a.clean * 100.0));
    let clean = accuracy.map(|a| format!("{:.1} % right, n = {}", a.clean * 100.0, a.clean_n));
    let robust = accuracy.and_then(|a| a.robust.first()).map(|r| {
        let percent = r.accuracy * 100.0;
        format!("{percent:.1} % under {} ε {}", r.attack.to_uppercase(), trim(r.epsilon))
    });
    let figures: [Vec<String>; 4] = [
        clean.iter().cloned().chain(robust).collect(),
        clean.into_iter().collect(),
        brief.into_iter().collect(),
        Vec::new(),
    ];
    let (device, note) = wording::device(app);
    let long = note.map_or_else(|| device.clone(), |note| format!("{device} · {note}"));
    let kind = app.device.as_ref().map_or_else(|| "…".to_string(), |(d, _)| d.kind.to_uppercase());

    let tabs = screens(app, area);
    let named = tabs.last().map_or(NAME, |tab| tab.place.right() - area.x);
    let fixed = usize::from(named) + 3 + columns(&model) + 2 + columns(busy) + columns(&alarm) + 1;
    let room = usize::from(area.width).saturating_sub(fixed);
    let needed = |texts: &[String]| texts.iter().map(|t| columns(t) + 3).sum::<usize>();
    let choices =
        [&long, &device, &kind].into_iter().flat_map(|d| figures.iter().map(move |f| (f, d)));
    let fitting =
        choices.into_iter().find(|(figures, device)| needed(figures) + columns(device) <= room);
    let (figures, device) = fitting.unwrap_or((&figures[3], &kind));

    buf.set_string(area.x, area.y, " epsiloscope", theme.accent);
    for ScreenTab { place, text, here, .. } in &tabs {
        let (key, name) = text.split_at(1);
        let style = if *here { theme.selected } else { theme.dim };
        buf.set_style(*place, style);
        buf.set_string(place.x + 1, place.y, key, if *here { style } else { theme.key });
        buf.set_string(place.x + 2, place.y, name, style);
    }
    let mut left = Vec::new();
    let texts = figures.iter().map(|text| Span::styled(text.clone(), theme.dim));
    for text in std::iter::once(Span::styled(model, theme.strong)).chain(texts) {
        left.extend([Span::styled(" │ ", theme.rule), text]);
    }
    buf.set_line(area.x + named, area.y, &Line::from(left), area.width.saturating_sub(named));
    let right = Line::from(vec![
        Span::styled(busy, theme.accent),
        Span::styled(device.clone(), theme.dim),
        Span::styled(" ", theme.base),
        Span::styled(alarm, theme.alarm),
    ]);
    let width = (right.width() as u16).min(area.width);
    buf.set_line(area.right() - width, area.y, &right, width);
}

fn trim(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Where each page's name stands on the tabs, for drawing and for the mouse.
pub fn tab_places(size: (u16, u16), current: usize, area: Rect) -> Vec<(usize, Rect)> {
    let pages = layout::pages(size);
    let all: u16 = pages.iter().map(|p| p.name().len() as u16 + 2).sum();
    let mut x = area.x + 5;
    let fits = all + 5 <= area.width;
    let shown: Vec<usize> = match fits {
        true => (0..pages.len()).collect(),
        // Too many for the row: from the current one on.
        false => (0..pages.len()).map(|i| (current + i) % pages.len()).collect(),
    };
    let mut out = Vec::new();
    for at in shown {
        let width = pages[at].name().len() as u16 + 2;
        if x + width > area.right() {
            break;
        }
        out.push((at, Rect { x, width, ..area }));
        x += width;
    }
    out
}

/// The pages of smaller windows.
pub fn tabs(app: &App, size: (u16, u16), area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    buf.set_string(area.x + 1, area.y, "Tab", app.theme.key);
    let pages = layout::pages(size);
    let current = app.pane.min(pages.len().saturating_sub(1));
    for (at, place) in tab_places(size, current, area) {
        let style = if at == current { app.theme.selected } else { app.theme.dim };
        buf.set_string(place.x, place.y, format!(" {} ", pages[at].name()), style);
    }
}

/// The result in words, on one or two lines.
pub fn sentence(app: &App, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let theme = &app.theme;
    let Some((run, live)) = app.display() else {
        let text =
            if app.loading.is_empty() { "" } else { " one moment: model and pictures are loading" };
        buf.set_stringn(area.x, area.y, text, area.width.into(), theme.dim);
        return;
    };
    let Some(report) = run.report.as_ref().filter(|_| !live) else {
        let text = format!(" {} is running …", wording::attack(&run.job.plan));
        buf.set_stringn(area.x, area.y, text, area.width.into(), theme.dim);
        return;
    };
    let outcome = report.outcome();
    let style = if app.faded() { theme.dim } else { theme.outcome(outcome.holds()) };
    let width = usize::from(area.width).saturating_sub(4);
    let options = wording::sentences(run);
    let mut wrapped = options.iter().map(|text| wrap(text, width));
    let fitting = wrapped.clone().find(|lines| lines.len() <= usize::from(area.height));
    let mut lines = fitting.or_else(|| wrapped.next_back()).unwrap_or_default();
    if lines.len() > usize::from(area.height) {
        lines = vec![shorten(options.last().map_or("", |s| s), width)];
    }
    buf.set_string(area.x + 1, area.y, outcome.glyph(), style);
    for (text, y) in lines.iter().zip(area.y..area.bottom()) {
        buf.set_stringn(area.x + 3, y, text, width, style);
    }
}

/// The keys that do something now, or the last message.
pub fn footer(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    if let Some(message) = app.messages.last().filter(|_| app.message_shown) {
        return say(app, message, area, buf);
    }
    if let Some((_, looked)) = app.searching {
        let text = format!(" looking for a mistake of the model: {looked} samples so far …");
        buf.set_stringn(area.x, area.y, text, area.width.into(), theme.accent);
        return;
    }
    let search = app.epsilon_search.as_ref().filter(|search| search.found.is_none());
    if let Some(search) = search.filter(|_| app.overlays.is_empty()) {
        let text = format!(" looking for the least ε: {} tries so far …  ", search.tried.len());
        let keys = keymap::keys_of(Action::FindMinimumEpsilon).unwrap_or_default();
        let words = [(text, theme.accent), (keys, theme.key), (" shows them".into(), theme.dim)];
        let spans = words.map(|(text, style)| Span::styled(text, style));
        buf.set_line(area.x, area.y, &Line::from(spans.to_vec()), area.width);
        return;
    }
    let context = context(app);
    let mut ends = Vec::new();
    if matches!(context, Context::Explore | Context::Compare) {
        ends = vec![("?".to_string(), "all keys"), ("q".to_string(), "quit")];
        let size = layout::size_of((buf.area.width, buf.area.height));
        if context == Context::Explore && matches!(size, SizeClass::Medium | SizeClass::Small) {
            ends.insert(0, ("Tab".to_string(), "next"));
        }
    }
    let width = |(key, hint): &(String, &str)| columns(key) + columns(hint) + 3;
    let mut room =
        usize::from(area.width).saturating_sub(ends.iter().map(width).sum::<usize>() + 1);
    let mut shown = Vec::new();
    for hint in keymap::hints(context) {
        if width(&hint) > room {
            break;
        }
        room -= width(&hint);
        shown.push(hint);
    }
    shown.extend(ends);
    let mut x = area.x + 1;
    for (key, hint) in shown {
        x = buf.set_stringn(x, area.y, key, area.right().saturating_sub(x).into(), theme.key).0 + 1;
        x = buf.set_stringn(x, area.y, hint, area.right().saturating_sub(x).into(), theme.dim).0
            + 2;
    }
}

/// The last message, over as many rows as it needs: nobody shall miss what to do.
fn say(app: &App, message: &Message, area: Rect, buf: &mut Buffer) {
    let style = if message.failure { app.theme.alarm } else { app.theme.selected };
    let more = if message.failure { "  (! lists messages)" } else { "" };
    let width = usize::from(area.width).saturating_sub(2);
    let lines = wrap(&format!("{}{more}", message.text), width);
    let rows = (lines.len() as u16).clamp(1, area.y.min(4));
    let place = Rect { y: area.bottom() - rows, height: rows, ..area };
    Clear.render(place, buf);
    buf.set_style(place, style);
    for (line, y) in lines.iter().zip(place.y..place.bottom()) {
        buf.set_stringn(place.x + 1, y, line, width, style);
    }
}
