//! Pictures on the terminal itself, by viuer: printed once by the command line, and over the full
//! screen by the dashboard. The only file that names viuer.
//!
//! viuer prints where it asks the terminal nothing: half-blocks and iTerm2's protocol. Its questions
//! have no limit in time, and a resize while it waits ends the program. So the terminal is asked by
//! [`ask`], and what it answers to, kitty's protocol and sixel, is printed by `pixels`.

mod pixels;

use crate::data::Image;
use crate::error::{Error, Result};
use crate::terminal::ColourDepth;
use crate::terminal::ask::{self, GraphicsSupport};
use crossterm::style::Print;
use crossterm::terminal::{self, Clear, ClearType};
use crossterm::{cursor, execute, queue};
use image::imageops::{self, FilterType};
use image::{DynamicImage, Rgb, RgbImage};
use std::io::{IsTerminal, Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

/// How pictures are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Graphics {
    /// The best that the terminal can.
    #[default]
    Auto,
    /// kitty's protocol, where the terminal has it.
    Kitty,
    /// iTerm2's protocol, where the terminal has it.
    Iterm,
    /// Sixel, where the terminal has it.
    Sixel,
    /// Half-blocks: two pixels a cell.
    Blocks,
    /// Characters.
    Ascii,
}

/// What is printed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Kitty,
    Iterm,
    Sixel,
    Blocks,
    Ascii,
}

/// Whether pictures lie on the terminal that text does not overwrite.
static PLACED: AtomicBool = AtomicBool::new(false);

/// Columns between two pictures.
const GAP: u32 = 2;
/// xterm cuts wider sixels off.
const WIDEST: u32 = 1000;
const RAMP: &[u8] = b" .:-=+*#%@";

/// Whether what to print with depends on what the terminal answers.
pub fn must_ask(graphics: Graphics) -> bool {
    match graphics {
        Graphics::Auto => !viuer::is_iterm_supported() && ask::can_ask(),
        Graphics::Kitty | Graphics::Sixel => ask::can_ask(),
        Graphics::Iterm | Graphics::Blocks | Graphics::Ascii => false,
    }
}

/// What to print with, on a terminal that is able to do this.
fn protocol(graphics: Graphics, able: GraphicsSupport) -> Protocol {
    match graphics {
        Graphics::Ascii => Protocol::Ascii,
        Graphics::Blocks => Protocol::Blocks,
        Graphics::Iterm | Graphics::Auto if viuer::is_iterm_supported() => Protocol::Iterm,
        Graphics::Kitty | Graphics::Auto if able.kitty => Protocol::Kitty,
        Graphics::Sixel | Graphics::Auto if able.sixel => Protocol::Sixel,
        // Half-blocks need colours; on 16 of them a picture cannot be told.
        Graphics::Auto if ColourDepth::here() <= ColourDepth::Sixteen => Protocol::Ascii,
        _ => Protocol::Blocks,
    }
}

/// Room in cells, and the size of a cell in pixels of the picture printed there.
#[derive(Clone, Copy, Debug)]
struct Room {
    columns: u32,
    rows: u32,
    cell: (u32, u32),
}

fn room(protocol: Protocol) -> Room {
    let window = terminal::window_size().ok().filter(|w| w.columns > 0 && w.rows > 0);
    let (columns, rows) = window.as_ref().map_or((100, 30), |w| (w.columns.into(), w.rows.into()));
    let cell = match (protocol, window) {
        (Protocol::Blocks | Protocol::Ascii, _) => (1, 2),
        (_, Some(w)) if w.width > 0 && w.height > 0 => {
            ((u32::from(w.width) / columns).max(1), (u32::from(w.height) / rows).max(1))
        }
        _ => (8, 16),
    };
    Room { columns, rows, cell }
}

/// Pictures side by side, each in a slot of so many columns.
#[derive(Debug)]
struct Strip {
    image: RgbImage,
    slot: u32,
    columns: u32,
    rows: u32,
}

/// Puts pictures side by side into `room`: enlarged by a whole number, or shrunk.
fn compose(pictures: &[Image], room: Room) -> Strip {
    let count = pictures.len().max(1) as u32;
    let (cell_wide, cell_high) = room.cell;
    let slot_most = (room.columns.saturating_sub(GAP * (count - 1)) / count).max(1);
    let (wide, high) = (slot_most * cell_wide, room.rows.max(1) * cell_high);
    let scaled: Vec<RgbImage> = pictures.iter().map(|p| enlarge(&p.to_rgb(), wide, high)).collect();
    let widest = scaled.iter().map(RgbImage::width).max().unwrap_or(1);
    let highest = scaled.iter().map(RgbImage::height).max().unwrap_or(1);
    let slot = widest.div_ceil(cell_wide);
    let columns = slot * count + GAP * (count - 1);
    let rows = highest.div_ceil(cell_high);
    let mut image = RgbImage::new(columns * cell_wide, rows * cell_high);
    for (i, picture) in scaled.iter().enumerate() {
        let left = (slot + GAP) * i as u32 * cell_wide + (slot * cell_wide - picture.width()) / 2;
        imageops::replace(&mut image, picture, i64::from(left), 0);
    }
    Strip { image, slot, columns, rows }
}

fn enlarge(picture: &RgbImage, wide: u32, high: u32) -> RgbImage {
    let (w, h) = picture.dimensions();
    let times = (wide / w).min(high / h);
    if times >= 1 {
        return imageops::resize(picture, w * times, h * times, FilterType::Nearest);
    }
    let scale = (f64::from(wide) / f64::from(w)).min(f64::from(high) / f64::from(h));
    let side = |v: u32| ((f64::from(v) * scale) as u32).max(1);
    imageops::resize(picture, side(w), side(h), FilterType::Triangle)
}

/// The titles above their slots.
fn titles<'a>(texts: impl Iterator<Item = &'a str>, slot: u32) -> String {
    let mut line = String::new();
    for (i, text) in texts.enumerate() {
        let start = (slot + GAP) as usize * i;
        let room = slot as usize;
        let shown: String = text.chars().take(room).collect();
        let before = start + (room - shown.chars().count()) / 2;
        let missing = before.saturating_sub(line.chars().count());
        line.push_str(&" ".repeat(missing));
        line.push_str(&shown);
    }
    line
}

/// Prints a strip at the cursor (`at` none) or at a place of the screen.
fn put(strip: &Strip, protocol: Protocol, at: Option<(u16, u16)>) -> Result<()> {
    if protocol == Protocol::Ascii {
        return characters(&strip.image, at).map_err(|e| failed(&e));
    }
    if matches!(protocol, Protocol::Kitty | Protocol::Sixel) {
        true_pixels(strip, protocol, at).map_err(|e| failed(&e))?;
    } else {
        let (x, y) = at.unwrap_or((0, 0));
        let config = viuer::Config {
            absolute_offset: at.is_some(),
            x,
            y: y as i16,
            width: Some(strip.columns.max(1)),
            height: Some(strip.rows.max(1)),
            use_kitty: false,
            use_iterm: protocol == Protocol::Iterm,
            use_sixel: false,
            ..viuer::Config::default()
        };
        let image = DynamicImage::ImageRgb8(strip.image.clone());
        viuer::print(&image, &config).map_err(|e| failed(&e))?;
    }
    if protocol != Protocol::Blocks {
        PLACED.store(true, Ordering::SeqCst);
    }
    Ok(())
}

/// Prints a strip by kitty's protocol or sixel, and ends the line.
fn true_pixels(strip: &Strip, protocol: Protocol, at: Option<(u16, u16)>) -> std::io::Result<()> {
    let mut out = stdout().lock();
    if let Some((x, y)) = at {
        queue!(out, cursor::MoveTo(x, y))?;
    }
    match protocol {
        Protocol::Kitty => pixels::kitty(&mut out, &strip.image, strip.columns, strip.rows)?,
        _ if strip.image.width() > WIDEST => {
            let high = strip.image.height() * WIDEST / strip.image.width();
            let narrower =
                imageops::resize(&strip.image, WIDEST, high.max(1), FilterType::Triangle);
            pixels::sixel(&mut out, &narrower)?;
        }
        _ => pixels::sixel(&mut out, &strip.image)?,
    }
    writeln!(out)?;
    out.flush()
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::failure(
        format!("cannot print the picture: {error}"),
        "terminal",
        "try --graphics blocks",
    )
}

/// Two pixel rows a line, as characters.
fn characters(image: &RgbImage, at: Option<(u16, u16)>) -> std::io::Result<()> {
    let grey = |Rgb([r, g, b]): &Rgb<u8>| {
        (u32::from(*r) * 299 + u32::from(*g) * 587 + u32::from(*b) * 114) / 1000
    };
    let mut out = stdout().lock();
    for row in 0..image.height() / 2 {
        let line: String = (0..image.width())
            .map(|x| {
                (grey(image.get_pixel(x, 2 * row)) + grey(image.get_pixel(x, 2 * row + 1))) / 2
            })
            .map(|v| char::from(RAMP[(v as usize * (RAMP.len() - 1) + 127) / 255]))
            .collect();
        match at {
            Some((x, y)) => queue!(out, cursor::MoveTo(x, y + row as u16), Print(line))?,
            None => writeln!(out, "{}", line.trim_end())?,
        }
    }
    out.flush()
}

/// Prints pictures side by side with their titles, once, at the cursor. Where standard output is no
/// terminal, only what was asked for by name is printed.
///
/// # Errors
/// Failure, when the terminal cannot be written to.
pub fn print(pictures: &[(&str, Image)], graphics: Graphics) -> Result<()> {
    if pictures.is_empty() || (graphics == Graphics::Auto && !stdout().is_terminal()) {
        return Ok(());
    }
    let able = if must_ask(graphics) { ask::able() } else { GraphicsSupport::default() };
    let protocol = protocol(graphics, able);
    let whole = room(protocol);
    let rows = whole.rows.saturating_sub(4).clamp(8, 28);
    let images: Vec<Image> = pictures.iter().map(|(_, picture)| picture.clone()).collect();
    let strip = compose(&images, Room { rows, ..whole });
    let title = titles(pictures.iter().map(|(title, _)| *title), strip.slot);
    let mut out = stdout();
    writeln!(out, "{title}").and_then(|()| out.flush()).map_err(|e| failed(&e))?;
    let printed = put(&strip, protocol, None);
    // What is printed here stays, as text does.
    PLACED.store(false, Ordering::SeqCst);
    printed
}

/// All pictures in a row; only the first and the last where that makes them much larger, as with
/// half-blocks, whose pixels are coarse.
fn arrange(pictures: &[(String, Image)], room: Room) -> (Vec<&(String, Image)>, Strip) {
    let strip = |shown: &[&(String, Image)]| {
        let images: Vec<Image> = shown.iter().map(|(_, picture)| picture.clone()).collect();
        compose(&images, room)
    };
    let all: Vec<_> = pictures.iter().collect();
    let row = strip(&all);
    if let ([first, _, .., last], (1, _)) = (pictures, room.cell) {
        let ends = vec![first, last];
        let pair = strip(&ends);
        if pair.slot * 10 >= row.slot * 14 {
            return (ends, pair);
        }
    }
    (all, row)
}

/// Covers the screen with pictures side by side and a line of words, the longest of `words` that
/// fits, on a terminal that is `able` to do this. The caller sees to it that nothing is drawn until
/// the user goes on.
///
/// # Errors
/// Failure, when the terminal cannot be written to.
pub fn zoom(
    pictures: &[(String, Image)],
    words: &[String],
    graphics: Graphics,
    able: GraphicsSupport,
) -> Result<()> {
    let protocol = protocol(graphics, able);
    let whole = room(protocol);
    // A line above, a line below, and one to spare: every protocol ends with a line feed.
    let room = Room { rows: whole.rows.saturating_sub(3).max(1), ..whole };
    let (shown, strip) = arrange(pictures, room);
    let left = (whole.columns.saturating_sub(strip.columns) / 2) as u16;
    let title = titles(shown.iter().map(|(title, _)| title.as_str()), strip.slot);
    let last = whole.rows.saturating_sub(1) as u16;
    let top = 1 + (room.rows.saturating_sub(strip.rows) / 2) as u16;
    // The longest words that fit.
    let fitting = words.iter().find(|text| text.chars().count() + 2 <= whole.columns as usize);
    let words: String = fitting
        .or(words.last())
        .map_or("", |text| text)
        .chars()
        .take(whole.columns as usize)
        .collect();
    execute!(
        stdout(),
        Clear(ClearType::All),
        cursor::MoveTo(left, top.saturating_sub(1)),
        Print(title),
        cursor::MoveTo(1, last),
        Print(words),
    )
    .map_err(|e| failed(&e))?;
    put(&strip, protocol, Some((left, top)))
}

/// Removes pictures that text does not overwrite.
pub fn erase() {
    if PLACED.swap(false, Ordering::SeqCst) {
        let mut out = stdout();
        let _ = out.write_all(b"\x1b_Ga=d,d=A,q=2\x1b\\").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: usize, height: usize) -> Image {
        Image::new([1, height, width], vec![0.5; width * height])
    }

    #[test]
    fn small_pictures_grow_by_whole_numbers_and_stand_side_by_side() {
        let pictures = [grey(28, 28), grey(28, 28), grey(28, 28)];
        let strip = compose(&pictures, Room { columns: 180, rows: 30, cell: (1, 2) });
        assert_eq!((strip.slot, strip.columns, strip.rows), (56, 172, 28));
        assert_eq!(strip.image.dimensions(), (172, 56));
        assert_eq!(strip.image.get_pixel(57, 0).0, [0; 3]);
        assert_eq!(strip.image.get_pixel(58, 0).0, [128; 3]);
    }

    #[test]
    fn large_pictures_shrink_into_the_room() {
        let strip = compose(
            &[grey(224, 224), grey(224, 224)],
            Room { columns: 80, rows: 20, cell: (1, 2) },
        );
        assert!(strip.columns <= 80 && strip.rows <= 20, "{}×{}", strip.columns, strip.rows);
        let sharp = compose(&[grey(224, 224)], Room { columns: 80, rows: 24, cell: (10, 20) });
        assert_eq!(sharp.image.dimensions(), (450, 460));
    }

    #[test]
    fn coarse_pixels_go_to_original_and_adversarial_alone() {
        let pictures: Vec<(String, Image)> =
            (0..3).map(|i| (i.to_string(), grey(28, 28))).collect();
        let blocks = Room { columns: 120, rows: 33, cell: (1, 2) };
        let (shown, strip) = arrange(&pictures, blocks);
        assert_eq!((shown.len(), strip.slot), (2, 56));
        let (shown, _) = arrange(&pictures, Room { cell: (10, 20), ..blocks });
        assert_eq!(shown.len(), 3);
        let (shown, _) = arrange(&pictures, Room { columns: 200, ..blocks });
        assert_eq!(shown.len(), 3);
    }

    #[test]
    fn titles_stand_above_their_pictures() {
        assert_eq!(titles(["one", "two"].into_iter(), 7), "  one      two");
        assert_eq!(titles(["abcdefgh"].into_iter(), 4), "abcd");
    }
}
