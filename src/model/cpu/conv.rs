//! Convolutions with one group, and linear layers, which are convolutions of one pixel.
//!
//! No matrix of windows is written: images lie channels last, so that a line of a window is a run
//! of neighbouring numbers, and the weights are sorted to be read beside it. On the backward pass, the
//! pixels whose places agree modulo the stride see the same part of the kernel: to them the gradient
//! is the image, and that part, turned around, the kernel.

use super::kernel::{Answers, Clamp, Correlate, Dots, Level, Outer, Panels, Windows};
use super::map::{CpuRun, Map};
use std::borrow::Cow;

/// Where a kernel stands.
#[derive(Clone, Copy)]
pub(in crate::model) struct Geometry {
    pub kernel: usize,
    pub stride: usize,
    /// Zeros above and to the left.
    pub before: [usize; 2],
    /// Zeros below and to the right.
    pub after: [usize; 2],
}

impl Geometry {
    pub(in crate::model) fn sides(&self, h: usize, w: usize) -> [usize; 2] {
        let side = |n: usize, i: usize| {
            (n + self.before[i] + self.after[i]).saturating_sub(self.kernel) / self.stride + 1
        };
        [side(h, 0), side(w, 1)]
    }

    /// A kernel of one pixel, on every pixel.
    fn is_point(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.before == [0; 2] && self.after == [0; 2]
    }
}

/// Where the weights lie in PyTorch's tensor: that of window value r and output o at
/// `rows[r] + outputs[o]`.
pub(in crate::model) struct Layout {
    pub rows: Vec<usize>,
    pub outputs: Vec<usize>,
}

/// A convolution of one group.
pub(in crate::model) struct Conv {
    geometry: Geometry,
    inputs: usize,
    outputs: usize,
    layout: Layout,
    /// `[kernel·kernel·in, out]`.
    weights: Panels,
    bias: Vec<f32>,
    /// Whether the bias is one of the network's weights.
    biased: bool,
    back: Vec<Phase>,
    linear: bool,
}

/// The backward pass to the pixels whose rows and columns leave these remainders by the stride.
struct Phase {
    remainder: [usize; 2],
    /// Rows and columns of the kernel's part.
    part: [usize; 2],
    /// The gradient's row and column under the part's corner at the first of these pixels.
    corner: [isize; 2],
    weights: Back,
}

enum Back {
    /// `[rows·columns·out, in]`.
    Many(Panels),
    /// `[in, rows·columns·out]`.
    Few(Vec<f32>),
}

/// Fewer channels than this are too narrow for a vector.
const FEW: usize = 5;

impl Conv {
    /// A convolution with PyTorch's weights `[out, in, kernel, kernel]`.
    pub(in crate::model) fn new(
        geometry: Geometry,
        [outputs, inputs]: [usize; 2],
        weight: &[f32],
        bias: Option<Vec<f32>>,
        level: Level,
    ) -> Self {
        let k = geometry.kernel;
        let row = |r: usize| r % inputs * k * k + r / inputs;
        let layout = Layout {
            rows: (0..k * k * inputs).map(row).collect(),
            outputs: (0..outputs).map(|o| o * inputs * k * k).collect(),
        };
        Self::sorted(geometry, layout, inputs, weight, bias, level)
    }

    /// A linear layer with PyTorch's weights `[out, in]`, behind a map `[C, H, W]` that lies
    /// channels last here.
    pub(in crate::model) fn linear(
        [c, h, w]: [usize; 3],
        weight: &[f32],
        bias: Option<Vec<f32>>,
        level: Level,
    ) -> Self {
        let inputs = c * h * w;
        let row = |r: usize| r % c * (h * w) + r / c;
        let layout = Layout {
            rows: (0..inputs).map(row).collect(),
            outputs: (0..weight.len()).step_by(inputs).collect(),
        };
        let point = Geometry { kernel: 1, stride: 1, before: [0; 2], after: [0; 2] };
        Self { linear: true, ..Self::sorted(point, layout, inputs, weight, bias, level) }
    }

    fn sorted(
        geometry: Geometry,
        layout: Layout,
        inputs: usize,
        weight: &[f32],
        bias: Option<Vec<f32>>,
        level: Level,
    ) -> Self {
        let outputs = layout.outputs.len();
        let weights = Panels::pack(weight, &layout.rows, &layout.outputs, level);
        let s = geometry.stride;
        let remainders = (0..s * s).map(|i| [i / s, i % s]);
        let back = remainders.map(|r| Phase::new(r, &geometry, &layout, inputs, weight, level));
        Self {
            geometry,
            inputs,
            outputs,
            weights,
            back: back.collect(),
            layout,
            biased: bias.is_some(),
            bias: bias.unwrap_or_default(),
            linear: false,
        }
    }

    /// Whether all pixels of all images are one row: where the kernel sees one pixel at a time.
    fn is_row(&self, run: &CpuRun<'_>) -> bool {
        self.linear || self.geometry.is_point() && !run.wide
    }

    /// How the images are looked at: how many, of how many rows and columns.
    fn view(&self, map: &Map, channels: usize, run: &CpuRun<'_>) -> [usize; 3] {
        match self.is_row(run) {
            true => [1, 1, map.values.len() / channels],
            false => [map.n, map.h, map.w],
        }
    }

    /// The windows over an image of h rows and w columns, padded.
    fn windows<'a>(&self, image: &'a [f32], [h, w]: [usize; 2]) -> Windows<'a> {
        let Geometry { kernel, stride, before, after } = self.geometry;
        let c = self.inputs;
        Windows {
            image,
            line: (before[1] + w + after[1]) * c,
            height: h,
            top: -(before[0] as isize),
            left: 0,
            down: stride,
            across: stride * c,
            lines: kernel,
            run: kernel * c,
        }
    }

    /// Zeros to the left and to the right, as numbers.
    fn margins(&self) -> [usize; 2] {
        [self.geometry.before[1] * self.inputs, self.geometry.after[1] * self.inputs]
    }

    pub(in crate::model) fn forward(&self, x: &Map, clamp: Clamp, run: &CpuRun<'_>) -> Map {
        let [h, w] = match self.linear {
            true => [1, 1],
            false => self.geometry.sides(x.h, x.w),
        };
        let mut values = vec![0.0; x.n * h * w * self.outputs];
        let [n, height, width] = self.view(x, self.inputs, run);
        let padded = pad(&x.values, width * self.inputs, self.margins());
        let [rows, columns] = self.geometry.sides(height, width);
        let line = columns * self.outputs;
        let images = padded.chunks(padded.len() / n).zip(values.chunks_mut(rows * line));
        for (image, values) in images {
            run.bands(values, line, self.layout.rows.len(), |first, values| {
                let rows = first..first + values.len() / line;
                run.level.run(Correlate {
                    windows: self.windows(image, [height, width]),
                    weights: &self.weights,
                    bias: &self.bias,
                    clamp,
                    answers: Answers { values, rows, columns, line, step: self.outputs },
                });
            });
        }
        Map { n: x.n, h, w, c: self.outputs, values }
    }

    /// The gradient of the input, a map of `[h, w, c]`.
    pub(in crate::model) fn backward(
        &self,
        g: &Map,
        [h, w, c]: [usize; 3],
        run: &CpuRun<'_>,
    ) -> Map {
        let mut values = vec![0.0; g.n * h * w * c];
        let [n, rows, columns] = self.view(g, self.outputs, run);
        let [height, width] = if self.is_row(run) { [rows, columns] } else { [h, w] };
        let stride = self.geometry.stride;
        let margins = self.back.iter().map(|phase| phase.margins(columns, width, stride));
        let margins = margins.fold([0, 0], |a, b| [a[0].max(b[0]), a[1].max(b[1])]);
        let padded = pad(&g.values, columns * self.outputs, margins.map(|m| m * self.outputs));
        let line = width * self.inputs;
        let images = values.chunks_mut(height * line).zip(padded.chunks(padded.len() / n));
        for (values, image) in images {
            // A band begins with a row of remainder 0.
            let terms = self.layout.rows.len() * self.outputs / self.inputs / stride.pow(2);
            run.bands(values, line * stride, terms, |first, values| {
                for phase in &self.back {
                    let start = phase.remainder[0] * line + phase.remainder[1] * self.inputs;
                    let count = phase.count([values.len() / line, width], stride);
                    if count.contains(&0) || phase.part.contains(&0) {
                        continue;
                    }
                    let windows = Windows {
                        image,
                        line: (margins[0] + columns + margins[1]) * self.outputs,
                        height: rows,
                        top: phase.corner[0],
                        left: (phase.corner[1] + margins[0] as isize) as usize * self.outputs,
                        down: 1,
                        across: self.outputs,
                        lines: phase.part[0],
                        run: phase.part[1] * self.outputs,
                    };
                    let answers = Answers {
                        values: &mut values[start..],
                        rows: first..first + count[0],
                        columns: count[1],
                        line: line * stride,
                        step: self.inputs * stride,
                    };
                    match &phase.weights {
                        Back::Many(weights) => {
                            let (bias, clamp) = (&[][..], None);
                            let work = Correlate { windows, weights, bias, clamp, answers };
                            run.level.run(work);
                        }
                        Back::Few(weights) => run.level.run(Dots { windows, weights, answers }),
                    }
                }
            });
        }
        Map { n: g.n, h, w, c, values }
    }

    /// Adds the gradients of the weights and of the bias to `sums`.
    pub(in crate::model) fn gradient(&self, x: &Map, g: &Map, sums: &mut Sums, run: &CpuRun<'_>) {
        let [n, height, width] = self.view(x, self.inputs, run);
        let padded = pad(&x.values, width * self.inputs, self.margins());
        let [rows, columns] = self.geometry.sides(height, width);
        let mut sorted = Panels::zeros(rows * columns, self.outputs, run.level);
        let images = padded.chunks(padded.len() / n).zip(g.values.chunks(g.values.len() / n));
        for (image, g) in images {
            sorted.fill(g);
            sorted.add_rows(&mut sums.bias);
            run.level.run(Outer {
                windows: self.windows(image, [height, width]),
                rows,
                columns,
                g: &sorted,
                sums: &mut sums.weights,
            });
        }
    }

    pub(in crate::model) fn zeros(&self, level: Level) -> Sums {
        let weights = Panels::zeros(self.layout.rows.len(), self.outputs, level);
        Sums { weights, bias: vec![0.0; self.outputs] }
    }

    /// The gradients in PyTorch's order: weights, and the bias where there is one.
    pub(in crate::model) fn unpack(&self, sums: Sums) -> Vec<Vec<f32>> {
        let Layout { rows, outputs } = &self.layout;
        let mut weights = vec![0.0; rows.len() * outputs.len()];
        sums.weights.unpack(rows, outputs, &mut weights);
        let mut found = vec![weights];
        found.extend(self.biased.then_some(sums.bias));
        found
    }
}

/// Sums of gradients: of the weights as they are sorted here, and of the bias.
pub(in crate::model) struct Sums {
    weights: Panels,
    bias: Vec<f32>,
}

impl Sums {
    pub(in crate::model) fn add(&mut self, other: &Self) {
        super::kernel::add(&mut self.weights.values, &other.weights.values);
        super::kernel::add(&mut self.bias, &other.bias);
    }
}

/// Forgets the gradient where an activation of bounds has none: at and beyond them.
pub(in crate::model) fn unclamp(clamp: Clamp, y: &[f32], g: &mut [f32]) {
    let Some((low, high)) = clamp else { return };
    let each = g.iter_mut().zip(y);
    each.for_each(|(g, y)| *g = if *y > low && *y < high { *g } else { 0.0 });
}

/// Rows of `line` numbers with zeros before and after each.
fn pad(values: &[f32], line: usize, [before, after]: [usize; 2]) -> Cow<'_, [f32]> {
    if before + after == 0 {
        return Cow::Borrowed(values);
    }
    let width = before + line + after;
    let mut padded = vec![0.0; values.len() / line * width];
    for (to, from) in padded.chunks_mut(width).zip(values.chunks(line)) {
        to[before..before + line].copy_from_slice(from);
    }
    Cow::Owned(padded)
}

impl Phase {
    fn new(
        remainder: [usize; 2],
        geometry: &Geometry,
        layout: &Layout,
        inputs: usize,
        weight: &[f32],
        level: Level,
    ) -> Self {
        let Geometry { kernel: k, stride: s, before, .. } = *geometry;
        // Row y of the image lies under the kernel's row ky of the window in row o where
        // y + before = o·s + ky: ky is first, first + s, … for o falling by one.
        let first = [0, 1].map(|i| (remainder[i] + before[i]) % s);
        let part = first.map(|first| k.saturating_sub(first).div_ceil(s));
        let corner =
            [0, 1].map(|i| ((remainder[i] + before[i]) / s) as isize + 1 - part[i] as isize);
        let mut sorted = Vec::new();
        for a in (0..part[0]).rev() {
            for b in (0..part[1]).rev() {
                let at = (first[0] + s * a) * k + first[1] + s * b;
                let row = layout.rows[at * inputs];
                sorted.extend(layout.outputs.iter().map(|output| row + output));
            }
        }
        let channels: Vec<usize> =
            layout.rows[..inputs].iter().map(|row| row - layout.rows[0]).collect();
        let weights = match inputs < FEW {
            true => {
                let of = |channel| sorted.iter().map(move |at| weight[at + channel]);
                Back::Few(channels.iter().flat_map(|channel| of(*channel)).collect())
            }
            false => Back::Many(Panels::pack(weight, &sorted, &channels, level)),
        };
        Self { remainder, part, corner, weights }
    }

    /// How many of the image's rows and columns leave this remainder.
    fn count(&self, sides: [usize; 2], stride: usize) -> [usize; 2] {
        [0, 1].map(|i| sides[i].saturating_sub(self.remainder[i]).div_ceil(stride))
    }

    /// Columns that the windows reach over a gradient of so many columns, for an image of `width`.
    fn margins(&self, columns: usize, width: usize, stride: usize) -> [usize; 2] {
        let last = self.corner[1] + (self.count([0, width], stride)[1] + self.part[1]) as isize - 1;
        [(-self.corner[1]).max(0) as usize, (last - columns as isize).max(0) as usize]
    }
}
