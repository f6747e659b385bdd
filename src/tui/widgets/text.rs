//! Numbers and words brought to the room that they have.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tui_input::Input;

/// A number in three or four characters that matter.
pub fn short(value: f32) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "–".into(),
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        0.01.. => format!("{value:.2}"),
        _ if size == 0.0 => "0.00".into(),
        0.001.. => format!("{value:.4}"),
        _ => format!("{value:.0e}"),
    }
    .replace('-', "−")
}

/// A share as per cent: "99.8".
pub fn percent(share: f32) -> String {
    match share.is_nan() {
        true => "–".into(),
        false => format!("{:.1}", share * 100.0),
    }
}

/// The first of a class's names: ImageNet strings several together.
pub fn first_name(label: &str) -> &str {
    label.split(',').next().unwrap_or(label).trim()
}

/// The text in at most `width` columns; cut at the end of a word where it can be, with an ellipsis.
pub fn shorten(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_string();
    }
    if width == 0 {
        return String::new();
    }
    let mut out = String::new();
    for c in text.chars() {
        if columns(&out) + columns(c.encode_utf8(&mut [0; 4])) + 1 > width {
            break;
        }
        out.push(c);
    }
    if let Some((head, _)) = out.rsplit_once(' ').filter(|(head, _)| columns(head) * 2 >= width) {
        out.truncate(head.len());
    }
    out.push('…');
    out
}

/// How many columns the text takes.
pub fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text broken at blanks into lines of at most `width` columns.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The line being typed, with its cursor.
pub fn input_line<'a>(prompt: &'a str, input: &Input, plain: Style, cursor: Style) -> Line<'a> {
    let (value, at) = (input.value(), input.cursor());
    let head: String = value.chars().take(at).collect();
    let under: String = value.chars().nth(at).map_or(" ".into(), String::from);
    let tail: String = value.chars().skip(at + 1).collect();
    Line::from(vec![
        Span::styled(prompt, cursor),
        Span::styled(head, plain),
        Span::styled(under, cursor.add_modifier(ratatui::style::Modifier::REVERSED)),
        Span::styled(tail, plain),
    ])
}

/// Whether the letters of `wanted` stand in `text` in this order, and how well: lower is better.
pub fn fuzzy(wanted: &str, text: &str) -> Option<usize> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let wanted = wanted.to_lowercase();
    let (mut at, mut cost) = (0, 0);
    for c in wanted.chars().filter(|c| !c.is_whitespace()) {
        let gap = text[at..].iter().position(|t| *t == c)?;
        let begins_word = at + gap == 0 || !text[at + gap - 1].is_alphanumeric();
        cost += if begins_word { gap.min(1) } else { gap * 2 };
        at += gap + 1;
    }
    Some(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_short() {
        for (value, text) in [
            (0.0, "0.00"),
            (-1.234, "−1.23"),
            (123.46, "123.5"),
            (12345.6, "12346"),
            (0.00123, "0.0012"),
        ] {
            assert_eq!(short(value), text);
        }
        assert_eq!(percent(0.9984), "99.8");
    }

    #[test]
    fn words_are_cut_at_blanks() {
        assert_eq!(shorten("golden retriever", 20), "golden retriever");
        assert_eq!(shorten("golden retriever", 12), "golden…");
        assert_eq!(columns(&shorten("abcdefghijkl", 5)), 5);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(first_name("tabby, tabby cat"), "tabby");
    }

    #[test]
    fn fuzzy_finds_letters_in_order_and_prefers_words() {
        assert!(fuzzy("blk", "Blink").is_some() && fuzzy("xyz", "Blink").is_none());
        assert!(fuzzy("theme", "Theme: dark") < fuzzy("theme", "The same eme"));
    }
}
