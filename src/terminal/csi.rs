//! Sequences of the form `ESC [ parameters letter`: keys, mouse reports, answers.

use super::token::{InputToken, TerminalReply};
use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

/// What a whole sequence means; none where it means nothing here.
pub(super) fn token(parameters: &[u8], last: u8) -> Option<InputToken> {
    let text = std::str::from_utf8(parameters).ok()?;
    let event = match (text.as_bytes().first(), last) {
        (Some(b'?'), b'c') => {
            let sixel = text[1..].split(';').any(|attribute| attribute == "4");
            return Some(InputToken::Reply(TerminalReply::Attributes { sixel }));
        }
        (Some(b'<'), b'M' | b'm') => mouse(&text[1..], 0, last == b'm')?,
        (Some(b'0'..=b'9'), b'M') => mouse(text, 32, false)?,
        (None, b'Z') => Event::Key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT)),
        // The place of the cursor; F3 comes in another way.
        (Some(b'0'..=b'9'), b'R') => return None,
        (Some(b'0'..=b'9'), b'~') => key(numbered(text)?, text),
        (Some(b'0'..=b'9'), b'u') => key(coded(text)?, text),
        (None | Some(b'0'..=b'9' | b';'), _) => key(named(last)?, text),
        _ => return None,
    };
    Some(InputToken::Event(event))
}

/// A key with the modifiers of the second parameter, `mask:kind`.
fn key(code: KeyCode, text: &str) -> Event {
    let mut second = text.split(';').nth(1).unwrap_or_default().split(':');
    let mut number = || second.next().and_then(|part| part.parse::<u8>().ok());
    let mask = number().unwrap_or(1).saturating_sub(1);
    let kind = match number() {
        Some(2) => KeyEventKind::Repeat,
        Some(3) => KeyEventKind::Release,
        _ => KeyEventKind::Press,
    };
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in
        [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)]
    {
        modifiers.set(modifier, mask & bit != 0);
    }
    let code = match code {
        KeyCode::Tab if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        code => code,
    };
    Event::Key(KeyEvent::new_with_kind(code, modifiers, kind))
}

/// The key that a letter at the end names.
pub(super) fn named(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        _ => return None,
    })
}

/// The key of `number ~`.
fn numbered(text: &str) -> Option<KeyCode> {
    Some(match text.split(';').next()?.parse::<u8>().ok()? {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        n @ 11..=15 => KeyCode::F(n - 10),
        n @ 17..=21 => KeyCode::F(n - 11),
        n @ 23..=26 => KeyCode::F(n - 12),
        n @ 28..=29 => KeyCode::F(n - 15),
        n @ 31..=34 => KeyCode::F(n - 17),
        _ => return None,
    })
}

/// The key of `code u`: a character by its number.
fn coded(text: &str) -> Option<KeyCode> {
    let code = text.split([';', ':']).next()?.parse::<u32>().ok()?;
    Some(match char::from_u32(code)? {
        '\x1b' => KeyCode::Esc,
        '\r' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        '\x7f' => KeyCode::Backspace,
        // Keys without a character.
        '\u{e000}'..='\u{f8ff}' => return None,
        letter => KeyCode::Char(letter),
    })
}

/// A report `button;column;row`, the button counted from `base`.
fn mouse(text: &str, base: u16, released: bool) -> Option<Event> {
    let mut numbers = text.split(';').map(|part| part.parse::<u16>().ok());
    let button = numbers.next()??.checked_sub(base)?;
    let (column, row) = (numbers.next()??, numbers.next()??);
    report(u8::try_from(button).ok()?, column, row, released)
}

/// The old report: three bytes, each counted from a space.
pub(super) fn old_mouse(button: u8, column: u8, row: u8) -> Option<Event> {
    let place = |byte: u8| u16::from(byte.saturating_sub(32));
    report(button.checked_sub(32)?, place(column), place(row), false)
}

/// A report of the mouse; columns and rows are counted from 1.
fn report(bits: u8, column: u16, row: u16, released: bool) -> Option<Event> {
    let number = (bits & 0b11) | ((bits & 0b1100_0000) >> 4);
    let dragging = bits & 0b10_0000 != 0;
    let button = match number {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (button, number, dragging) {
        (Some(button), _, true) => MouseEventKind::Drag(button),
        (Some(button), _, false) if released => MouseEventKind::Up(button),
        (Some(button), _, false) => MouseEventKind::Down(button),
        (None, 3, false) => MouseEventKind::Up(MouseButton::Left),
        (None, 3..=5, true) => MouseEventKind::Moved,
        (None, 4, false) => MouseEventKind::ScrollUp,
        (None, 5, false) => MouseEventKind::ScrollDown,
        (None, 6, false) => MouseEventKind::ScrollLeft,
        (None, 7, false) => MouseEventKind::ScrollRight,
        _ => return None,
    };
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in
        [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)]
    {
        modifiers.set(modifier, bits & bit != 0);
    }
    let (column, row) = (column.saturating_sub(1), row.saturating_sub(1));
    Some(Event::Mouse(MouseEvent { kind, column, row, modifiers }))
}
