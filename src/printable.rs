//! Text as it may be printed: what comes from outside (labels, names of files, fields of cards,
//! messages of libraries) reaches the terminal as text only, never as a command; percentages,
//! tables.

/// The text with every character that does not show itself written out, such as `\u{1b}`: control
/// characters (ESC, newline, the C1 set) and those that turn the direction of writing.
pub fn printable(text: &str) -> String {
    match text.chars().any(hidden) {
        false => text.to_string(),
        true => text
            .chars()
            .map(|c| match hidden(c) {
                true => c.escape_unicode().to_string(),
                false => c.to_string(),
            })
            .collect(),
    }
}

/// Whether a character works on the terminal or on its neighbours instead of being seen.
fn hidden(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A share of 0..1 in per cent with so many decimals, such as "12.5 %"; a dash where it is no
/// number.
pub fn percent(share: f64, decimals: usize) -> String {
    match share.is_finite() {
        true => format!("{:.decimals$} %", share * 100.0),
        false => "—".to_string(),
    }
}

/// A table in Markdown; the first row is the heading.
pub fn markdown_table(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if at == 0 {
            text.push_str(&format!("|{}\n", "---|".repeat(row.len())));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_on_the_terminal_is_written_out() {
        for (text, shown) in [
            ("sneaker ✓ 靴 👟", "sneaker ✓ 靴 👟"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{1b}]0;pwned\u{7}", "\\u{1b}]0;pwned\\u{7}"),
            ("a\nb\tc\u{7f}", "a\\u{a}b\\u{9}c\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("cat\u{202e}gnp", "cat\\u{202e}gnp"),
            ("\u{2067}x\u{2069}\u{2028}", "\\u{2067}x\\u{2069}\\u{2028}"),
        ] {
            assert_eq!(printable(text), shown);
            assert_eq!(printable(shown), shown);
        }
    }
}
