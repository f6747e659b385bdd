//! Cards come from anywhere: what stands in them is printed, and nothing of it may work on a terminal.

use crate::printable::printable;
use toml::{Table, Value};

/// Makes every key and every text of a table [`printable`].
pub(super) fn clean_table(table: &mut Table) {
    let entries = std::mem::take(table);
    table.extend(entries.into_iter().map(|(key, mut value)| {
        clean_value(&mut value);
        (printable(&key), value)
    }));
}

fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = printable(text),
        Value::Array(values) => values.iter_mut().for_each(clean_value),
        Value::Table(table) => clean_table(table),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Card;
    use std::path::Path;

    #[test]
    fn nothing_that_a_card_says_works_on_the_terminal() {
        let text = r#"
            name = "a\u001b[31m"
            title = "b\u202e"
            data = "c\n"
            licence = "d\u009b"
            num_classes = 2
            labels = ["\u001b]0;x\u0007", "\u2067y"]
            layers = [{ op = "flatten" }]
            [input]
            shape = [1, 1, 2]
            [training]
            by = "e\u001b"
            "f\u001b" = ["g\r", { h = "\u007f" }]
            [accuracy]
            clean = 0.5
            clean_n = 2
            robust = [{ attack = "i\u001b", norm = "j\u001b", epsilon = 0.1, parameters = "k\u001b",
                        n = 1, seed = 0, accuracy = 0.5, interval = [0.0, 1.0] }]
        "#;
        let card = Card::parse(text, Path::new("card.toml")).unwrap();
        let told = format!("{card:?}");
        // Debug writes control characters out itself: what is left of them has one backslash.
        assert!(!told.contains(r"\u{1b}[") || told.contains(r"\\u{1b}["), "{told}");
        assert_eq!(card.labels, [r"\u{1b}]0;x\u{7}", r"\u{2067}y"]);
        assert_eq!(card.name, r"a\u{1b}[31m");
        let every = toml::to_string(&card).unwrap();
        for sign in
            ["\u{1b}", r"\u001b", r"\u001B", "\u{202e}", r"\u009", "\u{9b}", r"\r", r"\u007"]
        {
            assert!(!every.contains(sign), "{sign:?} in {every}");
        }
    }
}
