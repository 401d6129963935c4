//! The input that a model runs on.

/// The rule by which attention products are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttentionCount {
    /// The pairs that the mask lets through: the causal half, the window, the chunk.
    #[default]
    Causal,
    /// Every query against every key, as plain library kernels do: n².
    Full,
}

/// The input of one forward pass.
///
/// A size that is `None` takes the model's default, and the model lists it under its assumptions:
/// `sequence` min(2048, the model's maximum), `decoder_sequence` the encoder's, `image_size` the
/// model's own or 224.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Samples in the batch.
    pub batch: u64,
    /// Tokens (or frames) per sample.
    pub sequence: Option<u64>,
    /// Tokens per sample on the decoder's side of an encoder-decoder.
    pub decoder_sequence: Option<u64>,
    /// Height and width of an image, in pixels.
    pub image_size: Option<u64>,
    /// Images per sample of a model that also reads text; one where their size is given.
    pub images: Option<u64>,
    /// Frames of video per sample.
    pub frames: Option<u64>,
    /// Milliseconds of sound per sample.
    pub sound: Option<u64>,
    /// Steps in which a pipeline of diffusion denoises; as many as are usual for it.
    pub steps: Option<u64>,
    /// True if each step is guided by a second pass without the text (classifier-free guidance, Ho &
    /// Salimans 2022, arXiv:2207.12598); as is usual for the pipeline.
    pub guided: Option<bool>,
    /// True for a pass of training: a pipeline of diffusion denoises a sample once, at a step that is
    /// drawn.
    pub training: bool,
}

impl Default for Input {
    /// One sample at the model's default size.
    fn default() -> Self {
        Self {
            batch: 1,
            sequence: None,
            decoder_sequence: None,
            image_size: None,
            images: None,
            frames: None,
            sound: None,
            steps: None,
            guided: None,
            training: false,
        }
    }
}
