//! From what is trained to the weights that answer, and back: the weights themselves, spectrally
//! normalised ones (Miyato et al. 2018), or a draw from a posterior (Blundell et al. 2015). And
//! adversarial weight perturbation (Wu et al. 2020), which moves a copy.

use crate::rng::KeyedRng;
use crate::training::adam::WeightTensor;
use crate::training::spectral::{self, Norm};

/// What a posterior's spread is named by behind the parameter's name.
pub const SPREAD: &str = ".rho";

/// How weights came from parameters.
pub enum Reparametrisation {
    /// They are the parameters.
    Plain,
    /// Each matrix was divided by its largest singular value.
    Spectral(Vec<Option<Norm>>),
    /// Drawn: mean + softplus(ρ)·noise. The parameters are all means, then all ρ.
    Drawn {
        /// The standard normal numbers.
        noise: Vec<Vec<f32>>,
        /// Standard deviation of the prior.
        prior: f64,
        /// 1 / the number of images: the divergence counts once a pass.
        share: f64,
    },
}

/// ln(1 + eˣ).
pub fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The x whose softplus is `y`.
pub fn inverse_softplus(y: f64) -> f32 {
    (y.exp_m1()).ln() as f32
}

/// The ρ parameters of means, all at the standard deviation `sigma`.
pub fn spreads(means: &[WeightTensor], sigma: f64) -> Vec<WeightTensor> {
    let rho = inverse_softplus(sigma);
    let spread = |p: &WeightTensor| {
        WeightTensor::new(&format!("{}{SPREAD}", p.name), &p.shape, vec![rho; p.value.len()])
    };
    means.iter().map(spread).collect()
}

/// The weights that are the parameters.
pub fn plain(parameters: &[WeightTensor]) -> (Vec<Vec<f32>>, Reparametrisation) {
    (parameters.iter().map(|p| p.value.clone()).collect(), Reparametrisation::Plain)
}

/// Weights divided by their largest singular values, which one power iteration brings up to date.
pub fn normalised(parameters: &mut [WeightTensor]) -> (Vec<Vec<f32>>, Reparametrisation) {
    let mut norms = Vec::new();
    let weights = parameters.iter_mut().map(|p| {
        if p.shape.len() < 2 {
            norms.push(None);
            return p.value.clone();
        }
        let norm = spectral::iterate(&p.value, &mut p.singular);
        let weights = p.value.iter().map(|w| w / norm.value).collect();
        norms.push(Some(norm));
        weights
    });
    let weights = weights.collect();
    (weights, Reparametrisation::Spectral(norms))
}

/// A draw from the posterior.
pub fn drawn(
    parameters: &[WeightTensor],
    prior: f64,
    share: f64,
    seed: u64,
    step: usize,
) -> (Vec<Vec<f32>>, Reparametrisation) {
    let (means, spreads) = parameters.split_at(parameters.len() / 2);
    let noise: Vec<Vec<f32>> = (0..means.len())
        .map(|at| {
            let mut draws = KeyedRng::new(seed, step as u64, (5 << 32) + at as u64);
            means[at].value.iter().map(|_| draws.normal()).collect()
        })
        .collect();
    let weights = (0..means.len()).map(|at| {
        let both = means[at].value.iter().zip(&spreads[at].value);
        both.zip(&noise[at]).map(|((mean, rho), n)| mean + softplus(*rho) * n).collect()
    });
    (weights.collect(), Reparametrisation::Drawn { noise, prior, share })
}

impl Reparametrisation {
    /// Gradients of the parameters from those of the weights, and what the form itself adds to the
    /// loss: a posterior's divergence from its prior, in closed form.
    pub fn back(
        &self,
        parameters: &[WeightTensor],
        weights: &[Vec<f32>],
        gradients: Vec<Vec<f32>>,
    ) -> (Vec<Vec<f32>>, f64) {
        match self {
            Self::Plain => (gradients, 0.0),
            Self::Spectral(norms) => {
                let each = gradients.into_iter().zip(norms).zip(weights);
                let back = each.map(|((gradient, norm), weights)| match norm {
                    Some(norm) => norm.back(gradient, weights),
                    None => gradient,
                });
                (back.collect(), 0.0)
            }
            Self::Drawn { noise, prior, share } => {
                posterior(parameters, noise, gradients, *prior, *share)
            }
        }
    }
}

/// KL(N(μ, σ²) ‖ N(0, prior²)) = ln(prior/σ) + (σ² + μ²) / (2 prior²) − ½, summed over the weights.
fn posterior(
    parameters: &[WeightTensor],
    noise: &[Vec<f32>],
    gradients: Vec<Vec<f32>>,
    prior: f64,
    share: f64,
) -> (Vec<Vec<f32>>, f64) {
    let (means, spreads) = parameters.split_at(parameters.len() / 2);
    let (mut on_means, mut on_spreads, mut divergence) = (Vec::new(), Vec::new(), 0.0_f64);
    let precision = 1.0 / (prior * prior);
    for (at, gradient) in gradients.into_iter().enumerate() {
        let mut on_mean = Vec::with_capacity(gradient.len());
        let mut on_rho = Vec::with_capacity(gradient.len());
        let values = means[at].value.iter().zip(&spreads[at].value);
        for (((mean, rho), n), g) in values.zip(&noise[at]).zip(gradient) {
            let (mean, sigma) = (f64::from(*mean), f64::from(softplus(*rho)));
            divergence +=
                (prior / sigma).ln() + 0.5 * (sigma * sigma + mean * mean) * precision - 0.5;
            let rises = 1.0 / (1.0 + f64::from(-*rho).exp());
            on_mean.push(g + (share * mean * precision) as f32);
            let on_sigma = f64::from(g * n) + share * (sigma * precision - 1.0 / sigma);
            on_rho.push((on_sigma * rises) as f32);
        }
        on_means.push(on_mean);
        on_spreads.push(on_rho);
    }
    on_means.append(&mut on_spreads);
    (on_means, share * divergence)
}

/// Weights moved against the training: every tensor of more than one dimension by γ times its own
/// length, along its gradient of the loss.
pub fn perturbed(
    weights: &[Vec<f32>],
    shapes: &[WeightTensor],
    gradients: &[Vec<f32>],
    gamma: f64,
) -> Vec<Vec<f32>> {
    let length = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let each = weights.iter().zip(shapes).zip(gradients);
    each.map(|((weights, parameter), gradient)| {
        let along = length(gradient);
        if parameter.shape.len() < 2 || along == 0.0 {
            return weights.clone();
        }
        let by = (gamma * length(weights) / along) as f32;
        weights.iter().zip(gradient).map(|(w, g)| w + by * g).collect()
    })
    .collect()
}
