//! The shapes that flow between the layers of a network. Cards come from strangers, so every product
//! is a checked one.

/// The shape of a value in a network, without the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// A feature map `[C, H, W]`.
    Map([usize; 3]),
    /// A vector of C·H·W values, with the `[C, H, W]` that it was flattened from; `[K, 1, 1]` where it
    /// never was a map.
    Flat([usize; 3]),
}

impl Shape {
    /// `[C, H, W]`, of a vector those before it was flattened.
    pub(super) fn sides(self) -> [usize; 3] {
        match self {
            Self::Map(sides) | Self::Flat(sides) => sides,
        }
    }

    /// Number of values; none where that is no number of this machine's.
    pub(super) fn count(self) -> Option<usize> {
        self.sides().iter().try_fold(1_usize, |product, side| product.checked_mul(*side))
    }

    /// `[C, H, W]` of a feature map.
    ///
    /// # Errors
    /// That `layer` gets a vector.
    pub(super) fn map(self, layer: &str) -> Result<[usize; 3], String> {
        match self {
            Self::Map(sides) => Ok(sides),
            Self::Flat(_) => Err(format!("{layer} gets {} flat values", self.count().unwrap_or(0))),
        }
    }

    /// As PyTorch prints it without the batch: `[C, H, W]` or `[K]`.
    pub(super) fn listed(self) -> Vec<usize> {
        match self {
            Self::Map(sides) => sides.to_vec(),
            Self::Flat(_) => vec![self.count().unwrap_or(usize::MAX)],
        }
    }
}

/// A larger stride is refused: it skips more than any image has.
const LARGEST_STRIDE: usize = 1 << 14;

/// The shape that square windows make of a map `[C, H, W]`, with zeros `[(top, bottom), (left, right)]`
/// around it; none where a window is larger than that.
pub(super) fn windowed(
    [c, h, w]: [usize; 3],
    kernel: usize,
    stride: usize,
    pad: [(usize, usize); 2],
) -> Option<[usize; 3]> {
    if stride > LARGEST_STRIDE {
        return None;
    }
    let side = |n: usize, (a, b): (usize, usize)| {
        let room = n.checked_add(a)?.checked_add(b)?.checked_sub(kernel)?;
        (room / stride.max(1)).checked_add(1)
    };
    Some([c, side(h, pad[0])?, side(w, pad[1])?])
}
