//! Bytes of a terminal → keys, mouse, pasted text, and its answers to questions.
//!
//! A sequence may stay unfinished: Alt-[ is the beginning of an arrow key, and a paste may never be
//! closed. So what is unfinished has a limit in time, and a control character ends it at once: Ctrl-C
//! always arrives.

pub use super::token::{InputToken, TerminalReply};

use super::scan::{CTRL_C, ESC, ScanResult, alt, control, find, key, pressed_key};
use crossterm::event::{Event, KeyCode, KeyEvent};
use std::time::Duration;

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// What follows Esc where it begins a sequence.
const BEGIN: &[u8] = b"[OP]_";

/// More pasted text than this is dropped.
const MOST_PASTED: usize = 1 << 16;

/// Whether Esc was pressed, or begins a sequence.
const AFTER_ESCAPE: Duration = Duration::from_millis(50);
/// How long the rest of a sequence may take.
const AFTER_PART: Duration = Duration::from_millis(50);
/// How long a Ctrl-C in pasted text may be followed by the rest of that text.
const AFTER_CTRL_C: Duration = Duration::from_millis(100);
/// How long the rest of a paste may take.
const AFTER_PASTE: Duration = Duration::from_secs(2);

/// Turns bytes into tokens.
#[derive(Debug, Default)]
pub struct Parser {
    /// What is unfinished.
    buffer: Vec<u8>,
    /// The text of the paste that is under way.
    paste: Option<Vec<u8>>,
}

impl Parser {
    /// Takes in what was read.
    pub fn feed(&mut self, bytes: &[u8], tokens: &mut Vec<InputToken>) {
        // An Esc that run_watchdog alone was pressed, unless it goes on as the sequences do.
        let goes_on = bytes.first().is_some_and(|next| BEGIN.contains(next));
        if self.paste.is_none() && self.buffer == [ESC] && !goes_on && !bytes.is_empty() {
            self.buffer.clear();
            tokens.push(key(KeyCode::Esc));
        }
        self.buffer.extend_from_slice(bytes);
        self.parse(tokens);
    }

    fn parse(&mut self, tokens: &mut Vec<InputToken>) {
        while !self.buffer.is_empty() {
            if self.paste.is_some() {
                if !self.pasted(tokens) {
                    return;
                }
                continue;
            }
            if self.buffer.starts_with(PASTE_BEGINS) {
                self.buffer.drain(..PASTE_BEGINS.len());
                self.paste = Some(Vec::new());
                continue;
            }
            match find(&self.buffer) {
                ScanResult::Part => return,
                ScanResult::Whole(length, token) => {
                    self.buffer.drain(..length);
                    tokens.extend(token);
                }
            }
        }
    }

    /// Moves text from the buffer into the paste; true when that is closed.
    fn pasted(&mut self, tokens: &mut Vec<InputToken>) -> bool {
        let text = self.paste.get_or_insert_default();
        let end = self.buffer.windows(PASTE_ENDS.len()).position(|bytes| bytes == PASTE_ENDS);
        // The end may stand in the buffer in part only.
        let kept = PASTE_ENDS.len() - 1;
        let taken = end.unwrap_or(self.buffer.len().saturating_sub(kept));
        let room = MOST_PASTED.saturating_sub(text.len());
        text.extend_from_slice(&self.buffer[..taken.min(room)]);
        self.buffer.drain(..taken + end.map_or(0, |_| PASTE_ENDS.len()));
        if end.is_some() {
            let text = self.paste.take().unwrap_or_default();
            tokens.push(paste(&text));
        }
        end.is_some()
    }

    /// How long to wait for the rest of what is unfinished; none where nothing is.
    pub fn patience(&self) -> Option<Duration> {
        match (&self.paste, self.buffer.as_slice()) {
            (Some(_), [.., CTRL_C]) => Some(AFTER_CTRL_C),
            (Some(_), _) => Some(AFTER_PASTE),
            (None, []) => None,
            (None, [ESC]) => Some(AFTER_ESCAPE),
            (None, _) => Some(AFTER_PART),
        }
    }

    /// The rest did not come: what is unfinished is what it is.
    pub fn flush(&mut self, tokens: &mut Vec<InputToken>) {
        let rest = std::mem::take(&mut self.buffer);
        if let Some(mut text) = self.paste.take() {
            let pressed = rest.iter().rev().take_while(|byte| **byte == CTRL_C).count();
            text.extend_from_slice(&rest[..rest.len() - pressed]);
            tokens.push(paste(&text));
            tokens.extend((0..pressed).filter_map(|_| control(CTRL_C)).map(pressed_key));
            return;
        }
        match rest.as_slice() {
            [ESC] => tokens.push(key(KeyCode::Esc)),
            [ESC, letter] if BEGIN.contains(letter) => {
                tokens.push(alt(KeyEvent::from(KeyCode::Char(char::from(*letter)))));
            }
            _ => {}
        }
    }
}

fn paste(text: &[u8]) -> InputToken {
    InputToken::Event(Event::Paste(String::from_utf8_lossy(text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::scan::LONGEST_ANSWER;
    use super::*;
    use crossterm::event::{KeyModifiers, MouseButton, MouseEventKind};
    use proptest::prelude::*;

    /// Tokens of chunks that arrive at once, one after the other.
    fn tokens(chunks: &[&[u8]]) -> Vec<InputToken> {
        let (mut parser, mut tokens) = (Parser::default(), Vec::new());
        chunks.iter().for_each(|chunk| parser.feed(chunk, &mut tokens));
        parser.flush(&mut tokens);
        assert_eq!(parser.patience(), None);
        tokens
    }

    /// Keys in short: `C-c`, `M-x`, `Esc` …; other tokens as they are.
    fn told(chunks: &[&[u8]]) -> Vec<String> {
        let tell = |token: InputToken| match token {
            InputToken::Event(Event::Key(event)) => {
                let mut text = String::new();
                for (modifier, letter) in [
                    (KeyModifiers::CONTROL, "C-"),
                    (KeyModifiers::ALT, "M-"),
                    (KeyModifiers::SHIFT, "S-"),
                ] {
                    text += if event.modifiers.contains(modifier) { letter } else { "" };
                }
                match event.code {
                    KeyCode::Char(letter) => text.push(letter),
                    code => text += &format!("{code:?}"),
                }
                text
            }
            InputToken::Event(Event::Paste(text)) => format!("paste {text:?}"),
            other => format!("{other:?}"),
        };
        tokens(chunks).into_iter().map(tell).collect()
    }

    #[test]
    fn keys_of_every_kind() {
        let bytes = b"qQ\xc3\xa4\r\t\x7f\0\x03\x1a\x1c\n";
        let keys =
            ["q", "S-Q", "ä", "Enter", "Tab", "Backspace", "C- ", "C-c", "C-z", "C-4", "C-j"];
        assert_eq!(told(&[bytes]), keys);
        let bytes = b"\x1b[A\x1bOB\x1b[1;5C\x1b[1;2D\x1b[H\x1bOF\x1b[Z\x1b[3~\x1b[6;3~\x1b[[A\x1bOQ\x1b[15~";
        let keys = [
            "Up",
            "Down",
            "C-Right",
            "S-Left",
            "Home",
            "End",
            "S-BackTab",
            "Delete",
            "M-PageDown",
            "F(1)",
            "F(2)",
            "F(5)",
        ];
        assert_eq!(told(&[bytes]), keys);
        assert_eq!(told(&[b"\x1bx\x1b\r\x1b[97;5u\x1b[27u"]), ["M-x", "M-Enter", "C-a", "Esc"]);
    }

    #[test]
    fn escape_alone_and_before_a_key() {
        assert_eq!(told(&[b"\x1b"]), ["Esc"]);
        assert_eq!(told(&[b"\x1b", b"j"]), ["Esc", "j"]);
        assert_eq!(told(&[b"\x1b", b"[A"]), ["Up"]);
        assert_eq!(told(&[b"\x1b\x1b[A"]), ["Esc", "Up"]);
        assert_eq!(told(&[b"\x1b["]), ["M-["]);
        assert_eq!(told(&[b"\x1bO"]), ["M-O"]);
    }

    #[test]
    fn the_mouse_in_three_ways() {
        let report = |column, row, kind| {
            let modifiers = KeyModifiers::NONE;
            let event = crossterm::event::MouseEvent { kind, column, row, modifiers };
            InputToken::Event(Event::Mouse(event))
        };
        let down = MouseEventKind::Down(MouseButton::Left);
        let up = MouseEventKind::Up(MouseButton::Left);
        let sgr = tokens(&[b"\x1b[<0;5;7M\x1b[<0;5;7m\x1b[<64;1;1M\x1b[<0;0;0M\x1b[<32;300;2M"]);
        let drag = MouseEventKind::Drag(MouseButton::Left);
        assert_eq!(
            sgr,
            [
                report(4, 6, down),
                report(4, 6, up),
                report(0, 0, MouseEventKind::ScrollUp),
                report(0, 0, down),
                report(299, 1, drag),
            ]
        );
        assert_eq!(
            tokens(&[b"\x1b[M %'", b"\x1b[32;5;7M"]),
            [report(4, 6, down), report(4, 6, down)]
        );
    }

    #[test]
    fn a_control_character_ends_what_is_unfinished() {
        for begun in [
            &b"\x1b["[..],
            b"\x1b[1;",
            b"\x1b[<0;5",
            b"\x1b[M ",
            b"\x1bO",
            b"\x1b_Gi=31;O",
            b"\x1b]11;rgb:00",
            b"\x1bP>|x",
            b"\xe2\x82",
            b"\x1b",
            b"\x1b[?62;",
        ] {
            let shown = String::from_utf8_lossy(begun).into_owned();
            assert_eq!(told(&[begun, b"\x03"]).last().unwrap(), "C-c", "{shown:?}");
            assert_eq!(told(&[&[begun, b"\x03"].concat()]).last().unwrap(), "C-c", "{shown:?}");
        }
    }

    #[test]
    fn pasted_text_is_one_piece_and_never_keeps_ctrl_c() {
        let whole = &b"\x1b[200~q\x03 \x1b[A\xc3\xa4\r\x1b[201~x"[..];
        let told_whole = ["paste \"q\\u{3} \\u{1b}[Aä\\r\"", "x"];
        assert_eq!(told(&[whole]), told_whole);
        for at in 1..whole.len() - 1 {
            let (before, after) = whole.split_at(at);
            assert_eq!(told(&[before, after]), told_whole, "cut at {at}");
        }
        assert_eq!(told(&[b"\x1b[200~abc\x03"]), ["paste \"abc\"", "C-c"]);
        let mut parser = Parser::default();
        parser.feed(b"\x1b[200~abc", &mut Vec::new());
        assert_eq!(parser.patience(), Some(AFTER_PASTE));
        parser.feed(b"\x03", &mut Vec::new());
        assert_eq!(parser.patience(), Some(AFTER_CTRL_C));
    }

    #[test]
    fn endless_sequences_take_no_memory() {
        let mut parser = Parser::default();
        for begun in [&b"\x1b[200~"[..], b"\x1b[", b"\x1b_G", b"\x1b["] {
            parser.feed(begun, &mut Vec::new());
            for _ in 0..200 {
                parser.feed(&[b'1'; 1024], &mut Vec::new());
            }
            assert!(parser.buffer.len() <= LONGEST_ANSWER, "{}", parser.buffer.len());
            assert!(parser.paste.as_ref().is_none_or(|text| text.len() <= MOST_PASTED));
            parser.flush(&mut Vec::new());
        }
    }

    #[test]
    fn answers_are_told_from_keys() {
        let bytes = b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4;22c\x1b[?6c\x1b_Gi=31;EINVAL:x\x1b\\\x1b]11;rgb:0/0/0\x07\x1b[0nq";
        let attributes = |sixel| InputToken::Reply(TerminalReply::Attributes { sixel });
        let kitty = |able| InputToken::Reply(TerminalReply::Kitty(able));
        let q = key(KeyCode::Char('q'));
        let expected = [kitty(true), attributes(true), attributes(false), kitty(false), q];
        assert_eq!(tokens(&[bytes]), expected);
        for at in 2..bytes.len() - 2 {
            let (before, after) = bytes.split_at(at);
            assert_eq!(tokens(&[before, after]), expected, "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_ctrl_c_arrives(
            chunks in proptest::collection::vec(
                proptest::collection::vec(
                    prop_oneof![any::<u8>(), proptest::sample::select(&b"\x1b[O_G;?<M201~\x03"[..])],
                    0..40,
                ),
                0..8,
            ),
        ) {
            let mut all: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            all.push(b"\x03");
            let keys = told(&all);
            prop_assert_eq!(keys.last().map(String::as_str), Some("C-c"));
        }
    }
}
