//! The architectures of the recipes.

use crate::model::Layer;
use crate::model::ops::{
    Conv2d, Dropout, Flatten, GlobalAvgPool2d, Kwta, Linear, MaxPool2d, Padding, RandomSlope, Relu,
    Residual,
};

fn conv(param: &str, inputs: usize, out: usize, [kernel, stride, padding]: [usize; 3]) -> Layer {
    Conv2d {
        param: param.into(),
        inputs,
        out,
        kernel,
        stride,
        padding: Padding::Even(padding),
        groups: 1,
        bias: true,
    }
    .into()
}

fn linear(param: &str, inputs: usize, out: usize) -> Layer {
    Linear { param: param.into(), inputs, out, bias: true }.into()
}

fn pool() -> Layer {
    MaxPool2d { kernel: 2, stride: None, padding: 0 }.into()
}

/// Two 5×5 convolutions with pooling: 215 k weights.
pub fn digits() -> Vec<Layer> {
    vec![
        conv("conv1", 1, 16, [5, 1, 2]),
        Relu {}.into(),
        pool(),
        conv("conv2", 16, 32, [5, 1, 2]),
        Relu {}.into(),
        pool(),
        Flatten {}.into(),
        linear("fc1", 1568, 128),
        Relu {}.into(),
        linear("fc2", 128, 10),
    ]
}

/// Two 3×3 convolutions with pooling: 422 k weights.
pub fn clothes() -> Vec<Layer> {
    vec![
        conv("conv1", 1, 32, [3, 1, 1]),
        Relu {}.into(),
        pool(),
        conv("conv2", 32, 64, [3, 1, 1]),
        Relu {}.into(),
        pool(),
        Flatten {}.into(),
        linear("fc1", 3136, 128),
        Relu {}.into(),
        linear("fc2", 128, 10),
    ]
}

/// Two strided convolutions, in the manner of Wong et al. 2020: 166 k weights.
pub fn small() -> Vec<Layer> {
    strided(16, 32, 100, || Relu {}.into())
}

/// The same, wider: 321 k weights.
pub fn wider() -> Vec<Layer> {
    strided(24, 48, 128, || Relu {}.into())
}

fn strided(first: usize, second: usize, hidden: usize, curve: fn() -> Layer) -> Vec<Layer> {
    vec![
        conv("conv1", 1, first, [4, 2, 1]),
        curve(),
        conv("conv2", first, second, [4, 2, 1]),
        curve(),
        Flatten {}.into(),
        linear("fc1", second * 49, hidden),
        curve(),
        linear("fc2", hidden, 10),
    ]
}

/// [`small`] with dropout before each linear layer, for Monte Carlo dropout.
pub fn dropout() -> Vec<Layer> {
    let mut layers = small();
    for place in [7, 5] {
        layers.insert(place, Dropout { p: 0.3 }.into());
    }
    layers
}

/// [`small`] where only the largest tenth of each layer's values stays (k winners take all).
pub fn winners() -> Vec<Layer> {
    strided(16, 32, 100, || Kwta { share: 0.1, top: None }.into())
}

/// [`small`] with random slopes below zero.
pub fn random_slopes() -> Vec<Layer> {
    strided(16, 32, 100, || RandomSlope { low: 0.0, high: 0.6, top: None }.into())
}

/// Two hidden layers and no convolution: 235 k weights.
pub fn perceptron() -> Vec<Layer> {
    vec![
        Flatten {}.into(),
        linear("fc1", 784, 256),
        Relu {}.into(),
        linear("fc2", 256, 128),
        Relu {}.into(),
        linear("fc3", 128, 10),
    ]
}

/// A residual network that halves its sides early: 241 k weights, 6.9 M multiplications.
pub fn residual() -> Vec<Layer> {
    let body = |param: &str, channels: usize, inner: usize| -> Layer {
        let body = vec![
            conv(&format!("{param}.conv1"), channels, inner, [3, 1, 1]),
            Relu {}.into(),
            conv(&format!("{param}.conv2"), inner, channels, [3, 1, 1]),
        ];
        Residual { body }.into()
    };
    vec![
        conv("stem", 3, 32, [4, 2, 1]),
        Relu {}.into(),
        conv("down1", 32, 64, [3, 2, 1]),
        Relu {}.into(),
        body("block1", 64, 32),
        Relu {}.into(),
        conv("down2", 64, 128, [3, 2, 1]),
        Relu {}.into(),
        body("block2", 128, 48),
        Relu {}.into(),
        GlobalAvgPool2d {}.into(),
        Flatten {}.into(),
        linear("fc", 128, 10),
    ]
}

/// Four plain convolutions and two linear layers: 268 k weights.
pub fn plain() -> Vec<Layer> {
    vec![
        conv("conv1", 3, 24, [5, 2, 2]),
        Relu {}.into(),
        conv("conv2", 24, 48, [3, 1, 1]),
        Relu {}.into(),
        pool(),
        conv("conv3", 48, 64, [3, 1, 1]),
        Relu {}.into(),
        pool(),
        Flatten {}.into(),
        linear("fc1", 1024, 128),
        Relu {}.into(),
        linear("fc2", 128, 10),
    ]
}
