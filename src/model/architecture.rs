//! Networks known by name, written out as layers.

use crate::error::{Error, Result};
use crate::model::card::Card;
use crate::model::ops::{
    BatchNorm2d, Conv2d, Flatten, GlobalAvgPool2d, Layer, Linear, Padding, Relu6, Residual,
};

/// The layers of a card, those of its architecture where it names one.
///
/// # Errors
/// Usage, for an unknown architecture.
pub(super) fn layers_of(card: &Card) -> Result<Vec<Layer>> {
    match &card.architecture {
        Some(name) => named(name),
        None => Ok(card.layers.clone()),
    }
}

fn named(name: &str) -> Result<Vec<Layer>> {
    match name {
        "efficientnet-lite0" => Ok(efficientnet_lite0()),
        _ => Err(Error::unknown(
            "architecture",
            name,
            "card",
            ["efficientnet-lite0"],
            "the README's 'Bring a model'",
        )),
    }
}

/// Batch norm's ε in EfficientNet-Lite.
const EPS: f64 = 1e-3;

/// TensorFlow's SAME padding, fixed for even input sizes: with stride 2 the odd pixel goes to the
/// bottom and the right.
fn same(kernel: usize, stride: usize) -> Padding {
    match stride {
        1 => Padding::Even(kernel / 2),
        _ => Padding::Sides([kernel / 2 - 1, kernel / 2 - 1, kernel / 2, kernel / 2]),
    }
}

fn conv_norm(
    layers: &mut Vec<Layer>,
    conv: String,
    norm: String,
    [inputs, out, kernel, stride, groups]: [usize; 5],
) {
    let padding = same(kernel, stride);
    let param = conv;
    let bias = false;
    layers.push(Conv2d { param, inputs, out, kernel, stride, padding, groups, bias }.into());
    layers.push(BatchNorm2d { param: norm, features: out, eps: EPS }.into());
}

/// EfficientNet-Lite0 (Tan and Le 2019; the Lite variants by R. Liu, 2020: ReLU6, no squeeze and
/// excitation), with the tensor names of its PyTorch port.
fn efficientnet_lite0() -> Vec<Layer> {
    // (kernel, stride, inputs, expansion, outputs), one row a block.
    const BLOCKS: [(usize, usize, usize, usize, usize); 16] = [
        (3, 1, 32, 1, 16),
        (3, 2, 16, 6, 24),
        (3, 1, 24, 6, 24),
        (5, 2, 24, 6, 40),
        (5, 1, 40, 6, 40),
        (3, 2, 40, 6, 80),
        (3, 1, 80, 6, 80),
        (3, 1, 80, 6, 80),
        (5, 1, 80, 6, 112),
        (5, 1, 112, 6, 112),
        (5, 1, 112, 6, 112),
        (5, 2, 112, 6, 192),
        (5, 1, 192, 6, 192),
        (5, 1, 192, 6, 192),
        (5, 1, 192, 6, 192),
        (3, 1, 192, 6, 320),
    ];
    let mut net = Vec::new();
    conv_norm(&mut net, "_conv_stem".into(), "_bn0".into(), [3, 32, 3, 2, 1]);
    net.push(Relu6 {}.into());
    for (i, (kernel, stride, inputs, expansion, out)) in BLOCKS.into_iter().enumerate() {
        let name = |part: &str| format!("_blocks.{i}.{part}");
        let mid = inputs * expansion;
        let mut body = Vec::new();
        if expansion != 1 {
            conv_norm(&mut body, name("_expand_conv"), name("_bn0"), [inputs, mid, 1, 1, 1]);
            body.push(Relu6 {}.into());
        }
        conv_norm(
            &mut body,
            name("_depthwise_conv"),
            name("_bn1"),
            [mid, mid, kernel, stride, mid],
        );
        body.push(Relu6 {}.into());
        conv_norm(&mut body, name("_project_conv"), name("_bn2"), [mid, out, 1, 1, 1]);
        match stride == 1 && inputs == out {
            true => net.push(Residual { body }.into()),
            false => net.append(&mut body),
        }
    }
    conv_norm(&mut net, "_conv_head".into(), "_bn1".into(), [320, 1280, 1, 1, 1]);
    net.push(Relu6 {}.into());
    net.push(GlobalAvgPool2d {}.into());
    net.push(Flatten {}.into());
    net.push(Linear { param: "_fc".into(), inputs: 1280, out: 1000, bias: true }.into());
    net
}
