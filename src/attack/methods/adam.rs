//! Adam (Kingma and Ba 2015) and cosine annealing, in `f64`, for attacks that optimise a patch, a flow or
//! an image in other coordinates, or whose gradient is an estimate.

/// Cosine annealing (Loshchilov and Hutter 2017): from 1 at the first of `steps` towards 0.
pub(super) fn cosine(step: usize, steps: usize) -> f64 {
    (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos()) / 2.0
}

/// Adam's moments for one vector.
pub(super) struct Adam {
    mean: Vec<f64>,
    square: Vec<f64>,
    step: i32,
}

impl Adam {
    /// For `n` values, before the first step.
    pub fn new(n: usize) -> Self {
        Self { mean: vec![0.0; n], square: vec![0.0; n], step: 0 }
    }

    /// One step of about `rate` up the gradient, with β = (0.9, 0.999). A gradient that was always
    /// zero moves nothing.
    pub fn climb(&mut self, values: &mut [f64], gradient: &[f64], rate: f64) {
        const B1: f64 = 0.9;
        const B2: f64 = 0.999;
        self.step += 1;
        let (c1, c2) = (1.0 - B1.powi(self.step), 1.0 - B2.powi(self.step));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((value, g), (mean, square)) in values.iter_mut().zip(gradient).zip(moments) {
            *mean = B1 * *mean + (1.0 - B1) * g;
            *square = B2 * *square + (1.0 - B2) * g * g;
            *value += rate * (*mean / c1) / ((*square / c2).sqrt() + 1e-8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_steps_by_the_rate_at_first_and_finds_the_top() {
        let mut adam = Adam::new(2);
        let mut x = [3.0, 0.5];
        adam.climb(&mut x, &[-7.0, 0.0], 0.1);
        assert!((x[0] - 2.9).abs() < 1e-6 && x[1] == 0.5);
        for _ in 0..500 {
            let slope = [-2.0 * (x[0] - 1.0), 0.0];
            adam.climb(&mut x, &slope, 0.05);
        }
        assert!((x[0] - 1.0).abs() < 1e-2, "{x:?}");
    }
}
