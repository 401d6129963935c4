//! The kinds of adapters, by what they train beside one frozen projection, as huggingface/peft 0.21
//! defines them.

/// What is trained beside a frozen projection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Two matrices of a rank (`LoRA`, Hu et al. 2021, arXiv:2106.09685).
    #[default]
    LowRank,
    /// Two matrices and a value for each of their ranks (`AdaLoRA`, Zhang et al. 2023,
    /// arXiv:2303.10512).
    Adaptive,
    /// The product, element by element, of two pairs of matrices (`LoHa`, Hyeon-Woo et al. 2021,
    /// arXiv:2108.06098).
    Hadamard,
    /// A Kronecker product, whose factors have a rank where that is less (`LoKr`, Yeh et al. 2023,
    /// arXiv:2309.14859).
    Kronecker {
        /// The extent that the first factor comes near; the square root where nobody says.
        factor: Option<u64>,
        /// True if the first factor has a rank too.
        both: bool,
    },
    /// A scale of each output (IA3, Liu et al. 2022, arXiv:2205.05638).
    Scales {
        /// Names of projections whose inputs are scaled.
        inputs_of: Vec<String>,
    },
    /// Scales around two random matrices that all projections share (`VeRA`, Kopiczko et al. 2023,
    /// arXiv:2310.11454).
    Shared,
    /// Rotations of blocks of the inputs (OFT, Qiu et al. 2023, arXiv:2306.07280).
    Rotation {
        /// The number of blocks or their size.
        blocks: Blocks,
        /// True if all blocks share one rotation.
        shared: bool,
    },
    /// Rotations in turns, and a scale of each output (BOFT, Liu et al. 2023, arXiv:2311.06243).
    Butterfly {
        /// The number of blocks or their size.
        blocks: Blocks,
        /// The turns.
        factors: u64,
    },
    /// Reflections of the inputs (HRA, Yuan et al. 2024, arXiv:2405.17484).
    Reflections,
    /// One matrix that serves shards of the inputs (`MiSS`, Kang 2024, arXiv:2409.15371).
    Shards,
    /// Entries of a spectrum (`FourierFT`, Gao et al. 2024, arXiv:2405.03003).
    Spectrum(u64),
}

/// How the inputs of a projection are cut into equal blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// So many of them.
    Number(u64),
    /// Of this size.
    Size(u64),
}

impl Blocks {
    /// The number of blocks and their size; where they do not come out even, those of the nearest
    /// divisor, and of two equally near the smaller one.
    fn of(self, inputs: u64) -> (u64, u64) {
        let near = |wanted: u64| {
            let pairs = divisors(inputs).flat_map(|it| [it, inputs / it]);
            pairs.min_by_key(|it| (it.abs_diff(wanted), *it)).unwrap_or(1)
        };
        match self {
            Self::Number(number) => (near(number), inputs / near(number)),
            Self::Size(size) => (inputs / near(size), near(size)),
        }
    }
}

impl Kind {
    /// Trained elements beside a projection of `inputs` features to `outputs`: for `LoRA`
    /// rank x (inputs + outputs). `name` is the projection's.
    pub(super) fn elements(&self, name: &str, rank: u64, inputs: u64, outputs: u64) -> u64 {
        let low = |rows: u64, columns: u64| rank.saturating_mul(rows.saturating_add(columns));
        match self {
            Self::LowRank => low(inputs, outputs),
            Self::Adaptive => low(inputs, outputs).saturating_add(rank),
            Self::Hadamard => low(inputs, outputs).saturating_mul(2),
            Self::Kronecker { factor, both } => {
                let (in_first, in_second) = factors(inputs, *factor);
                let (out_first, out_second) = factors(outputs, *factor);
                let part = |rows: u64, columns: u64, cut: bool| {
                    if cut && rank.saturating_mul(2) < rows.max(columns) {
                        low(rows, columns)
                    } else {
                        rows.saturating_mul(columns)
                    }
                };
                part(out_first, in_first, *both).saturating_add(part(out_second, in_second, true))
            }
            Self::Scales { inputs_of } if inputs_of.iter().any(|it| it == name) => inputs,
            Self::Scales { .. } => outputs,
            Self::Shared => rank.saturating_add(outputs),
            Self::Rotation { blocks, shared } => {
                let (number, size) = blocks.of(inputs);
                let number = if *shared { 1 } else { number };
                number.saturating_mul(size.saturating_mul(size.saturating_sub(1)) / 2)
            }
            Self::Butterfly { blocks, factors } => {
                let (_, size) = blocks.of(inputs);
                factors.saturating_mul(inputs).saturating_mul(size).saturating_add(outputs)
            }
            Self::Reflections => rank.saturating_mul(inputs),
            Self::Shards => rank.saturating_mul(outputs),
            Self::Spectrum(entries) => *entries,
        }
    }

    /// The word that begins the names of its tensors.
    pub(super) fn word(&self) -> &'static str {
        if matches!(self, Self::LowRank | Self::Adaptive) { WORDS[0] } else { WORDS[1] }
    }

    /// True if its size follows a rank.
    pub(super) fn has_rank(&self) -> bool {
        !matches!(
            self,
            Self::Scales { .. }
                | Self::Rotation { .. }
                | Self::Butterfly { .. }
                | Self::Spectrum(_)
        )
    }
}

/// What begins the last part of an adapter's name.
const WORDS: [&str; 2] = ["lora", "adapter"];

/// True if the last part of a layer's name is an adapter's.
pub(super) fn is_adapter(name: &str) -> bool {
    WORDS.iter().any(|word| name.strip_prefix(word).is_some_and(|rest| rest.starts_with('_')))
}

/// The two factors of an extent, the smaller first: one of them the wanted factor where it divides
/// the extent, else the pair of the smallest sum whose first is at most that.
fn factors(extent: u64, wanted: Option<u64>) -> (u64, u64) {
    let most = match wanted {
        Some(factor) if factor > 0 && extent.is_multiple_of(factor) => {
            return (factor, extent / factor);
        }
        Some(factor) => factor.max(1),
        None => extent,
    };
    let first = divisors(extent).take_while(|it| *it <= most).last().unwrap_or(1);
    (first, extent / first)
}

/// The divisors of an extent up to its square root, rising; of what is larger than any real one,
/// the small ones.
fn divisors(extent: u64) -> impl Iterator<Item = u64> {
    const MOST: u64 = 1 << 16;
    (1..=extent.isqrt().clamp(1, MOST)).filter(move |it| extent.is_multiple_of(*it))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of peft's own docstring of `factorization`.
    #[test]
    fn an_extent_falls_into_two_factors() {
        assert_eq!(factors(256, None), (16, 16));
        assert_eq!(factors(128, None), (8, 16));
        assert_eq!(factors(127, None), (1, 127));
        assert_eq!(factors(128, Some(4)), (4, 32));
    }

    #[test]
    fn blocks_come_out_even() {
        assert_eq!(Blocks::Size(32).of(4096), (128, 32));
        assert_eq!(Blocks::Number(8).of(4096), (8, 512));
        assert_eq!(Blocks::Size(32).of(576), (18, 32));
        assert_eq!(Blocks::Size(33).of(576), (18, 32));
        assert_eq!(Blocks::Size(5000).of(4096), (1, 4096));
    }
}
