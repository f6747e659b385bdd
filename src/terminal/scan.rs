//! What stands first in the bytes of a terminal: a key, a sequence, or the beginning of one.

use super::csi;
use super::token::{InputToken, TerminalReply};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

pub(super) const ESC: u8 = 0x1b;
pub(super) const CTRL_C: u8 = 0x03;
const BEL: u8 = 0x07;

/// Longer sequences of control are none.
const LONGEST: usize = 64;
/// Longer answers are none.
pub(super) const LONGEST_ANSWER: usize = 4096;
/// What stands at the beginning of the buffer.
pub(super) enum ScanResult {
    /// So many bytes that mean this, or nothing.
    Whole(usize, Option<InputToken>),
    /// The beginning of something.
    Part,
}

pub(super) fn key(code: KeyCode) -> InputToken {
    pressed_key(code.into())
}

pub(super) fn pressed_key(event: KeyEvent) -> InputToken {
    InputToken::Event(Event::Key(event))
}

pub(super) fn alt(mut event: KeyEvent) -> InputToken {
    event.modifiers |= KeyModifiers::ALT;
    pressed_key(event)
}

/// The key of a control character.
pub(super) fn control(byte: u8) -> Option<KeyEvent> {
    let with_control =
        |letter: u8| KeyEvent::new(KeyCode::Char(char::from(letter)), KeyModifiers::CONTROL);
    Some(match byte {
        b'\r' => KeyCode::Enter.into(),
        b'\t' => KeyCode::Tab.into(),
        0x7f => KeyCode::Backspace.into(),
        0 => with_control(b' '),
        0x01..=0x1a => with_control(byte - 1 + b'a'),
        0x1c..=0x1f => with_control(byte - 0x1c + b'4'),
        _ => return None,
    })
}

/// The first token of `buffer`, which is not empty.
pub(super) fn find(buffer: &[u8]) -> ScanResult {
    match buffer {
        [ESC] => ScanResult::Part,
        [ESC, b'[', rest @ ..] => sequence(rest),
        [ESC, b'O', rest @ ..] => short(rest),
        [ESC, b'_' | b'P' | b']'] => ScanResult::Part,
        [ESC, b'_', b'G', ..] | [ESC, b'P', b'>' | b'!' | b'0' | b'1', ..] => answer(buffer),
        [ESC, b']', b'0'..=b'9', ..] => answer(buffer),
        // Pressed twice, or before a key that must not be lost.
        [ESC, ESC | CTRL_C, ..] => ScanResult::Whole(1, Some(key(KeyCode::Esc))),
        [ESC, rest @ ..] => match plain(rest) {
            ScanResult::Whole(length, Some(InputToken::Event(Event::Key(event)))) => {
                ScanResult::Whole(length + 1, Some(alt(event)))
            }
            ScanResult::Whole(length, _) => ScanResult::Whole(length + 1, None),
            ScanResult::Part => ScanResult::Part,
        },
        _ => plain(buffer),
    }
}

/// A control character, or a character in UTF-8.
fn plain(buffer: &[u8]) -> ScanResult {
    let first = buffer[0];
    if let Some(event) = control(first) {
        return ScanResult::Whole(1, Some(pressed_key(event)));
    }
    let length = match first {
        0x20..=0x7e => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return ScanResult::Whole(1, None),
    };
    let bytes = &buffer[..length.min(buffer.len())];
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let typed = text.chars().next().map(|letter| {
                let shift =
                    if letter.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
                pressed_key(KeyEvent::new(KeyCode::Char(letter), shift))
            });
            ScanResult::Whole(length, typed)
        }
        // Cut off, not wrong.
        Err(error) if error.error_len().is_none() => ScanResult::Part,
        Err(_) => ScanResult::Whole(1, None),
    }
}

/// What follows `ESC [`.
fn sequence(rest: &[u8]) -> ScanResult {
    const BEFORE: usize = 2;
    match rest {
        // The old report of the mouse: three bytes, any of them.
        [b'M', report @ ..] => {
            let wrong = report.iter().take(3).position(|byte| *byte < 0x20);
            return match (wrong, report) {
                (Some(at), _) => ScanResult::Whole(BEFORE + 1 + at, None),
                (None, [button, x, y, ..]) => {
                    let mouse = csi::old_mouse(*button, *x, *y).map(InputToken::Event);
                    ScanResult::Whole(BEFORE + 4, mouse)
                }
                _ => ScanResult::Part,
            };
        }
        // F1 to F5 of the Linux console.
        [b'[', letter @ b'A'..=b'E', ..] => {
            return ScanResult::Whole(BEFORE + 2, Some(key(KeyCode::F(letter - b'A' + 1))));
        }
        [b'['] => return ScanResult::Part,
        _ => {}
    }
    let end = rest.iter().take(LONGEST).position(|byte| !(0x20..0x40).contains(byte));
    match end {
        None if rest.len() < LONGEST => ScanResult::Part,
        None => ScanResult::Whole(BEFORE + LONGEST, None),
        Some(at) if (0x40..0x7f).contains(&rest[at]) => {
            ScanResult::Whole(BEFORE + at + 1, csi::token(&rest[..at], rest[at]))
        }
        // Broken off by what does not belong there: that is read on its own.
        Some(at) => ScanResult::Whole(BEFORE + at, None),
    }
}

/// What follows `ESC O`.
fn short(rest: &[u8]) -> ScanResult {
    let code = match rest {
        [] => return ScanResult::Part,
        [control, ..] if *control < 0x20 => return ScanResult::Whole(2, None),
        [letter, ..] => csi::named(*letter),
    };
    ScanResult::Whole(3, code.map(key))
}

/// A string that ends with `ESC \` or BEL.
fn answer(buffer: &[u8]) -> ScanResult {
    const BEFORE: usize = 2;
    let text = &buffer[BEFORE..];
    let end = text.iter().take(LONGEST_ANSWER).position(|byte| *byte < 0x20);
    let Some(at) = end else {
        let whole = text.len() >= LONGEST_ANSWER;
        return if whole {
            ScanResult::Whole(BEFORE + LONGEST_ANSWER, None)
        } else {
            ScanResult::Part
        };
    };
    match &text[at..] {
        [BEL, ..] => ScanResult::Whole(BEFORE + at + 1, meant(buffer[1], &text[..at])),
        [ESC, b'\\', ..] => ScanResult::Whole(BEFORE + at + 2, meant(buffer[1], &text[..at])),
        [ESC] => ScanResult::Part,
        _ => ScanResult::Whole(BEFORE + at, None),
    }
}

/// Of all strings, only kitty's answer to our own question means something.
fn meant(kind: u8, text: &[u8]) -> Option<InputToken> {
    let ours = kind == b'_' && text.starts_with(b"Gi=31");
    ours.then(|| InputToken::Reply(TerminalReply::Kitty(text.ends_with(b";OK"))))
}
