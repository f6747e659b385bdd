//! Pictures brought to the size of their place: enlarged by a whole number (nearest), shrunk by area.
//! A perturbation is shrunk by its *signed extreme*: averages of sign noise would be mud.

use crate::data::Image;

/// The size in pixels at which a picture of `width` × `height` is shown in `columns` × `rows` cells;
/// a cell holds two pixels, one above the other.
pub fn fit(width: usize, height: usize, columns: u16, rows: u16) -> (usize, usize) {
    let (wide, high) = (usize::from(columns), usize::from(rows) * 2);
    if width == 0 || height == 0 || wide == 0 || high == 0 {
        return (0, 0);
    }
    let times = (wide / width).min(high / height);
    if times >= 1 {
        return (width * times, height * times);
    }
    let scale = (wide as f64 / width as f64).min(high as f64 / height as f64);
    let side = |v: usize| ((v as f64 * scale).floor() as usize).max(1);
    (side(width), side(height))
}

/// How many cells high a picture of so many pixel rows is.
pub fn cell_rows(pixels: usize) -> u16 {
    pixels.div_ceil(2) as u16
}

/// The span of source pixels behind target pixel `at`, as (first, end, weights' origin).
fn span(at: usize, target: usize, source: usize) -> (f64, f64) {
    let scale = source as f64 / target as f64;
    (at as f64 * scale, (at + 1) as f64 * scale)
}

/// A picture at the size `width` × `height`, row by row, as RGB in 0..1.
pub fn scale(picture: &Image, width: usize, height: usize) -> Vec<[f32; 3]> {
    let (w, h) = (picture.width(), picture.height());
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            out.push(match width >= w {
                true => picture.rgb(y * h / height, x * w / width),
                false => mean(picture, span(y, height, h), span(x, width, w)),
            });
        }
    }
    out
}

/// The mean over an area with fractional edges.
fn mean(picture: &Image, rows: (f64, f64), columns: (f64, f64)) -> [f32; 3] {
    let weight = |i: usize, (from, to): (f64, f64)| ((i + 1) as f64).min(to) - (i as f64).max(from);
    let ends =
        |(from, to): (f64, f64), size: usize| (from as usize, (to.ceil() as usize).min(size));
    let (top, bottom) = ends(rows, picture.height());
    let (left, right) = ends(columns, picture.width());
    let (mut sum, mut total) = ([0.0f64; 3], 0.0);
    for y in top..bottom {
        for x in left..right {
            let share = weight(y, rows).max(0.0) * weight(x, columns).max(0.0);
            let colour = picture.rgb(y, x);
            (0..3).for_each(|i| sum[i] += share * f64::from(colour[i]));
            total += share;
        }
    }
    sum.map(|v| (v / total.max(1e-12)) as f32)
}

/// The signed change of each pixel (of its channels the one that changed most), at the size
/// `width` × `height`; where pixels are pooled, the one that changed most counts, with its sign.
pub fn change(from: &Image, to: &Image, width: usize, height: usize) -> Vec<f32> {
    let [channels, h, w] = from.shape();
    if to.shape() != from.shape() {
        return vec![0.0; width * height];
    }
    let (a, b) = (from.pixels(), to.pixels());
    let extreme = |one: f32, other: f32| if other.abs() > one.abs() { other } else { one };
    let at = |y: usize, x: usize| {
        let changes = (0..channels).map(|c| (c * h + y) * w + x).map(|i| b[i] - a[i]);
        changes.fold(0.0, extreme)
    };
    // Whole pixels, each in exactly one pool: pools that overlap would blow strong changes up.
    let ends = |(from, to): (f64, f64), size: usize| {
        let first = from as usize;
        first..(to as usize).max(first + 1).min(size)
    };
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            out.push(match width >= w {
                true => at(y * h / height, x * w / width),
                false => {
                    let columns = ends(span(x, width, w), w);
                    let rows = ends(span(y, height, h), h);
                    rows.flat_map(|y| columns.clone().map(move |x| (y, x)))
                        .map(|(y, x)| at(y, x))
                        .fold(0.0, extreme)
                }
            });
        }
    }
    out
}

/// The largest change of any value.
pub fn largest_change(from: &Image, to: &Image) -> f32 {
    let pairs = from.pixels().iter().zip(to.pixels());
    pairs.map(|(a, b)| (b - a).abs()).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_grow_by_whole_numbers_and_large_ones_shrink() {
        assert_eq!(fit(28, 28, 28, 14), (28, 28));
        assert_eq!(fit(28, 28, 55, 40), (28, 28));
        assert_eq!(fit(28, 28, 56, 28), (56, 56));
        assert_eq!(fit(28, 28, 26, 14), (26, 26));
        assert_eq!(fit(224, 224, 40, 20), (40, 40));
        assert_eq!(fit(224, 112, 40, 20), (40, 20));
        assert_eq!(fit(28, 28, 0, 4), (0, 0));
        assert_eq!(cell_rows(27), 14);
    }

    #[test]
    fn shrinking_averages_and_enlarging_repeats() {
        let picture = Image::new([1, 2, 2], vec![0.0, 1.0, 0.5, 0.5]);
        assert_eq!(scale(&picture, 1, 1), vec![[0.5; 3]]);
        assert_eq!(scale(&picture, 4, 4)[3], [1.0; 3]);
        let bar = Image::new([1, 1, 3], vec![0.0, 0.0, 1.0]);
        let two = scale(&bar, 2, 1);
        assert!((two[0][0] - 0.0).abs() < 1e-6 && (two[1][0] - 2.0 / 3.0).abs() < 1e-6, "{two:?}");
    }

    #[test]
    fn every_pixel_is_pooled_exactly_once() {
        for (from, to) in [(28, 26), (224, 43), (32, 31), (28, 7)] {
            let ends = |at: usize| {
                let (first, end) = span(at, to, from);
                (first as usize)..(end as usize).max(first as usize + 1).min(from)
            };
            let all: Vec<usize> = (0..to).flat_map(ends).collect();
            assert_eq!(all, (0..from).collect::<Vec<_>>(), "{from} to {to}");
        }
    }

    #[test]
    fn changes_are_pooled_by_the_signed_extreme() {
        let from = Image::new([1, 2, 2], vec![0.5; 4]);
        let to = Image::new([1, 2, 2], vec![0.6, 0.6, 0.6, 0.2]);
        let pooled = change(&from, &to, 1, 1);
        assert!((pooled[0] + 0.3).abs() < 1e-6, "{pooled:?}");
        assert!((largest_change(&from, &to) - 0.3).abs() < 1e-6);
        let colour = Image::new([3, 1, 1], vec![0.5, 0.5, 0.5]);
        let moved = Image::new([3, 1, 1], vec![0.6, 0.1, 0.5]);
        assert!((change(&colour, &moved, 1, 1)[0] + 0.4).abs() < 1e-6);
    }
}
