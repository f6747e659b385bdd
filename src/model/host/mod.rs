//! The input gradient of a frozen network on the CPU, without an autodiff graph.
//!
//! Attacks spend their time in one thing: forward, and backward to the pixels. burn's CPU backend
//! spends two thirds of it around the matrix products (layout, packing, clearing). Here pictures lie
//! channels-last, so that a window's row of pixels is one copy, a convolution is one product of the
//! windows with the weights, and everything else is a loop over neighbouring values; nothing is kept
//! for weight gradients. The products are burn's own.
//!
//! It answers what the network behind it answers, up to rounding (tests/core/host.rs), and stands
//! aside (`Host::build` gives none) for layers it does not know.

mod build;
mod conv;
mod pointwise;
mod pool;

use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use conv::{Conv, Depthwise};
pub(super) use pointwise::Curve;
use pointwise::{Affine, curve, curve_back};
use pool::Pool;

/// N pictures, channels last: `[N, H, W, C]`; flat values are maps of one pixel.
pub(super) struct Map {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
    values: Vec<f32>,
}

impl Map {
    fn size(&self) -> usize {
        self.h * self.w * self.c
    }
}

/// A layer. What it must remember for the way back it writes onto the tape.
pub(super) enum Op {
    Conv(Conv),
    Depthwise(Depthwise),
    Affine(Affine),
    /// Weight `[in, out]`, in the channels-last order of its input.
    Linear {
        weight: Tensor<2>,
        bias: Vec<f32>,
    },
    Curve(Curve),
    MaxPool(Pool),
    AvgPool(Pool),
    Flatten,
    Residual(Vec<Op>),
}

/// What a layer remembers.
enum Saved {
    Nothing,
    /// Height, width and channels of its input.
    Shape([usize; 3]),
    /// Its input, or its output, value by value.
    Values(Vec<f32>),
    /// Which input value each output value is.
    Places([usize; 3], Vec<u32>),
    Tape(Vec<Saved>),
}

/// A frozen network on the host.
pub(super) struct Host {
    input: [usize; 3],
    device: Device,
    /// 1/std and −mean/std of each channel.
    normalisation: Option<(Vec<f32>, Vec<f32>)>,
    ops: Vec<Op>,
}

impl Host {
    pub(super) fn new(
        input: [usize; 3],
        device: Device,
        normalisation: Option<(Vec<f32>, Vec<f32>)>,
        ops: Vec<Op>,
    ) -> Self {
        Self { input, device, normalisation, ops }
    }

    /// Logits `[N, K]` of pictures `[N, C, H, W]`.
    pub(super) fn logits(&self, images: &[f32]) -> Result<Vec<f32>> {
        let mut map = self.enter(images);
        for op in &self.ops {
            map = op.forward(map, &self.device, None)?;
        }
        Ok(map.values)
    }

    /// Logits, and the gradient of Σ logits·`start(logits)` with respect to the pixels,
    /// `[N, C, H, W]`.
    pub(super) fn slope(
        &self,
        images: &[f32],
        start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut map = self.enter(images);
        let mut tape = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            map = op.forward(map, &self.device, Some(&mut tape))?;
        }
        let mut back = Map { values: start(&map.values), ..map };
        let logits = map.values;
        for op in self.ops.iter().rev() {
            let saved = tape.pop().unwrap_or(Saved::Nothing);
            back = op.backward(back, saved, &self.device)?;
        }
        Ok((logits, self.leave(&back)))
    }

    fn enter(&self, images: &[f32]) -> Map {
        let [c, h, w] = self.input;
        let n = images.len() / (c * h * w);
        let mut values = vec![0.0; images.len()];
        for (from, to) in images.chunks(c * h * w).zip(values.chunks_mut(c * h * w)) {
            for (channel, plane) in from.chunks(h * w).enumerate() {
                let (scale, shift) = match &self.normalisation {
                    Some((scale, shift)) => (scale[channel], shift[channel]),
                    None => (1.0, 0.0),
                };
                let places = to.iter_mut().skip(channel).step_by(c);
                places.zip(plane).for_each(|(to, from)| *to = from * scale + shift);
            }
        }
        Map { n, h, w, c, values }
    }

    fn leave(&self, map: &Map) -> Vec<f32> {
        let [c, h, w] = self.input;
        let mut images = vec![0.0; map.values.len()];
        for (from, to) in map.values.chunks(c * h * w).zip(images.chunks_mut(c * h * w)) {
            for (channel, plane) in to.chunks_mut(h * w).enumerate() {
                let scale = self.normalisation.as_ref().map_or(1.0, |(scale, _)| scale[channel]);
                let places = from.iter().skip(channel).step_by(c);
                plane.iter_mut().zip(places).for_each(|(to, from)| *to = from * scale);
            }
        }
        images
    }
}

impl Op {
    fn forward(&self, x: Map, device: &Device, tape: Option<&mut Vec<Saved>>) -> Result<Map> {
        let shape = [x.h, x.w, x.c];
        let tracked = tape.is_some();
        let (y, saved) = match self {
            Self::Conv(conv) => (conv.forward(&x, device)?, Saved::Shape(shape)),
            Self::Depthwise(conv) => (conv.forward(&x), Saved::Shape(shape)),
            Self::Affine(affine) => (affine.forward(x), Saved::Nothing),
            Self::Linear { weight, bias } => {
                let inputs = x.size();
                let n = x.n;
                let mut values = product(x.values, [n, inputs], weight.clone(), device)?;
                values.chunks_mut(bias.len()).for_each(|row| add(row, bias));
                (Map { n, h: 1, w: 1, c: bias.len(), values }, Saved::Shape(shape))
            }
            Self::Curve(kind) => {
                let (values, saved) = curve(*kind, x.values, tracked);
                (Map { values, ..x }, saved.map_or(Saved::Nothing, Saved::Values))
            }
            Self::MaxPool(pool) => {
                let (y, places) = pool.largest(&x);
                (y, Saved::Places(shape, places))
            }
            Self::AvgPool(pool) => (pool.mean(&x), Saved::Shape(shape)),
            Self::Flatten => {
                let c = x.size();
                (Map { n: x.n, h: 1, w: 1, c, values: x.values }, Saved::Shape(shape))
            }
            Self::Residual(body) => {
                let mut tapes = Vec::with_capacity(body.len());
                let mut y = Map { values: x.values.clone(), ..x };
                for op in body {
                    y = op.forward(y, device, tracked.then_some(&mut tapes))?;
                }
                add(&mut y.values, &x.values);
                (y, Saved::Tape(tapes))
            }
        };
        if let Some(tape) = tape {
            tape.push(saved);
        }
        Ok(y)
    }

    fn backward(&self, g: Map, saved: Saved, device: &Device) -> Result<Map> {
        Ok(match (self, saved) {
            (Self::Conv(conv), Saved::Shape(shape)) => conv.backward(g, shape, device)?,
            (Self::Depthwise(conv), Saved::Shape(shape)) => conv.backward(&g, shape),
            (Self::Affine(affine), _) => affine.backward(g),
            (Self::Linear { weight, bias }, Saved::Shape([h, w, c])) => {
                let back = weight.clone().transpose();
                let values = product(g.values, [g.n, bias.len()], back, device)?;
                Map { n: g.n, h, w, c, values }
            }
            (Self::Curve(kind), Saved::Values(kept)) => {
                Map { values: curve_back(*kind, g.values, &kept), ..g }
            }
            (Self::MaxPool(_), Saved::Places(shape, places)) => pool::scatter(&g, shape, &places),
            (Self::AvgPool(pool), Saved::Shape(shape)) => pool.share(&g, shape),
            (Self::Flatten, Saved::Shape([h, w, c])) => Map { h, w, c, ..g },
            (Self::Residual(body), Saved::Tape(mut tapes)) => {
                let mut back = Map { values: g.values.clone(), ..g };
                for op in body.iter().rev() {
                    let saved = tapes.pop().unwrap_or(Saved::Nothing);
                    back = op.backward(back, saved, device)?;
                }
                add(&mut back.values, &g.values);
                back
            }
            // Every layer finds what it wrote.
            (_, _) => g,
        })
    }
}

/// `left [m, k] · right [k, n]`, row by row.
fn product(
    left: Vec<f32>,
    shape: [usize; 2],
    right: Tensor<2>,
    device: &Device,
) -> Result<Vec<f32>> {
    let left = Tensor::<2>::from_data(TensorData::new(left, shape), device);
    left.matmul(right).try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))
}

fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
}
