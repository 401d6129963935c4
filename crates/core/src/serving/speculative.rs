//! Speculative decoding (Leviathan et al. 2023, arXiv:2211.17192).
//!
//! A draft model proposes `k` tokens of each sequence one after the other, then one step of the model
//! over `k + 1` tokens of each verifies them. Where a draft token is accepted with probability `a` given
//! those before, the accepted length, with the token that the verification adds, is
//! ```text
//! E = 1 + a + a^2 + ... + a^k = (1 - a^(k+1)) / (1 - a)
//! ```
//! tokens of a sequence on average, and over `d` sequences and `p` prompt tokens it takes
//! ```text
//! R(d, p) = verification(d, p) + draft(d, p) + (k - 1) draft(d, 0)
//! ```
//! A step of the simulator stands for a token, so it takes `R(d, 0) / E`; what prompts add to a
//! round, `R(d, p) - R(d, 0)`, is not shared by tokens and counts in full. A round's verification
//! and its `E - 1` further steps then take exactly `R(d, p)` together, and the form stays linear in
//! the context, so the simulator leaps as without drafts.

use super::simulator::StepTime;
use super::step::Roofline;
use crate::provenance::Traced;
use crate::quantity::{Measure as _, Ratio, Time};
use crate::serving::plan::Speculation;

impl Speculation {
    /// Tokens of a sequence that a verification yields on average: the accepted length.
    pub fn tokens_per_verification(&self) -> Traced<Ratio> {
        let (acceptance, drafted) = (self.acceptance.trace(), self.tokens.trace());
        let tokens = if acceptance.value().get() < 1.0 {
            (1.0 - acceptance.pow(&(&drafted + 1.0))) / (1.0 - &acceptance)
        } else {
            &drafted + 1.0
        };
        let tokens: Traced<Ratio> = tokens.retype();
        tokens.named("inference.speculative.tokens_per_verification")
    }
}

/// A step that yields one token of each sequence, where rounds of drafts and a verification yield
/// several.
#[derive(Clone, Debug)]
pub struct Speculative<S> {
    /// A step over a sequence's tokens to verify: all of them at once.
    pub verification: S,
    /// A step of the draft model; none where drafting costs nothing.
    pub draft: Option<S>,
    /// Tokens drafted for each verification; 0 for decoding token by token.
    pub drafted: u32,
    /// Tokens of a sequence that a verification yields, at least 1.
    pub accepted_length: f64,
}

impl<S: StepTime> Speculative<S> {
    /// Decoding token by token.
    pub fn none(time: S) -> Self {
        Self { verification: time, draft: None, drafted: 0, accepted_length: 1.0 }
    }

    /// The time of a round in seconds: the verification of the drafted tokens, and the draft's
    /// passes.
    pub fn round_parts(&self, sequences: f64, context: f64) -> (Time, Time) {
        let step = |time: &S| {
            let windowed = time.windowed().map_or(0.0, |(per_token, window)| {
                per_token.value * context.min(f64::from(window))
            });
            let attention = context * time.context().value + windowed;
            let own = time.tokens(sequences, 0.0, 0.0).value + sequences * attention;
            own.max(time.beneath(sequences, 0.0).value)
        };
        let draft = self.draft.as_ref().map_or(0.0, step);
        (Time::from_stored(draft), Time::from_stored(step(&self.verification)))
    }

    /// Seconds of a round: the passes of the draft and the one that verifies.
    fn round(&self, decode: f64, prefill: f64, prompts: f64) -> f64 {
        let verified = self.verification.tokens(decode, prefill, prompts).value;
        verified + self.drafts(decode, prefill, prompts)
    }

    /// All passes of the draft in a round.
    fn drafts(&self, decode: f64, prefill: f64, prompts: f64) -> f64 {
        let Some(draft) = &self.draft else { return 0.0 };
        let first = draft.tokens(decode, prefill, prompts).value;
        let others = f64::from(self.drafted.saturating_sub(1));
        if decode > 0.0 && others > 0.0 {
            first + others * draft.tokens(decode, 0.0, 0.0).value
        } else {
            first
        }
    }

    /// A token's part of a round that takes `round(decode, prefill, prompts)`.
    fn per_token(
        &self,
        round: impl Fn(f64, f64, f64) -> f64,
        (decode, prefill, prompts): (f64, f64, f64),
    ) -> Time {
        let whole = round(decode, prefill, prompts);
        Time::from_stored(if decode <= 0.0 || self.drafted == 0 {
            whole
        } else if prefill <= 0.0 {
            whole / self.accepted_length
        } else {
            whole - (1.0 - 1.0 / self.accepted_length) * round(decode, 0.0, 0.0)
        })
    }

    /// Times of full and of windowed attention with those of the draft's `passes`; a draft with
    /// another window than the model's is taken to see everything.
    fn attention(&self, of: impl Fn(&S) -> (f64, f64), passes: f64) -> (f64, f64) {
        let (mut full, mut windowed) = of(&self.verification);
        if let Some(draft) = &self.draft {
            let window = |time: &S| time.windowed().map(|(_, window)| window);
            let (draft_full, draft_windowed) = of(draft);
            full += passes * draft_full;
            if window(draft) == window(&self.verification) {
                windowed += passes * draft_windowed;
            } else {
                full += passes * draft_windowed;
            }
        }
        (full, windowed)
    }

    /// Seconds per token of context: over the whole of it, and within a window.
    fn of_context(time: &S) -> (f64, f64) {
        (time.context().value, time.windowed().map_or(0.0, |(time, _)| time.value))
    }
}

impl Speculative<Roofline> {
    /// The same engine, every step taking `factor` times as long.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            verification: self.verification.scaled(factor),
            draft: self.draft.map(|draft| draft.scaled(factor)),
            ..self
        }
    }
}

impl<S: StepTime> StepTime for Speculative<S> {
    fn tokens(&self, decode: f64, prefill: f64, prompts: f64) -> Time {
        self.per_token(|d, p, n| self.round(d, p, n), (decode, prefill, prompts))
    }

    fn beneath(&self, decode: f64, prefill: f64) -> Time {
        let beneath = |decode, prefill, prompts| {
            let least = self.verification.beneath(decode, prefill).value;
            if least > 0.0 { least + self.drafts(decode, prefill, prompts) } else { 0.0 }
        };
        self.per_token(beneath, (decode, prefill, 0.0))
    }

    fn context(&self) -> Time {
        let (full, _) = self.attention(Self::of_context, f64::from(self.drafted));
        Time::from_stored(full / self.accepted_length)
    }

    fn windowed(&self) -> Option<(Time, u32)> {
        let (_, window) = self.verification.windowed()?;
        let (_, windowed) = self.attention(Self::of_context, f64::from(self.drafted));
        Some((Time::from_stored(windowed / self.accepted_length), window))
    }

    fn pairs(&self) -> (Time, Time) {
        let of = |time: &S| {
            let (full, windowed) = time.pairs();
            (full.value, windowed.value)
        };
        let (full, windowed) = self.attention(of, 1.0);
        (Time::from_stored(full), Time::from_stored(windowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step of 10 ms and `token` seconds more for each token; 1 us per token of context.
    #[derive(Clone, Debug)]
    struct Plain(f64, Option<u32>);

    impl StepTime for Plain {
        fn tokens(&self, decode: f64, prefill: f64, _: f64) -> Time {
            Time::from_stored(1e-2 + self.0 * (decode + prefill))
        }
        fn context(&self) -> Time {
            Time::from_stored(1e-6)
        }
        fn windowed(&self) -> Option<(Time, u32)> {
            self.1.map(|window| (Time::from_stored(5e-7), window))
        }
        fn pairs(&self) -> (Time, Time) {
            (Time::from_stored(1e-9), Time::from_stored(1e-10))
        }
    }

    fn drafting(draft: Option<Plain>, drafted: u32, accepted_length: f64) -> Speculative<Plain> {
        Speculative { verification: Plain(1e-4, Some(512)), draft, drafted, accepted_length }
    }

    #[test]
    fn without_guesses_nothing_changes() {
        let (plain, none) = (Plain(1e-4, Some(512)), Speculative::none(Plain(1e-4, Some(512))));
        for (decode, prefill) in [(0.0, 700.0), (8.0, 0.0), (8.0, 700.0)] {
            assert_eq!(none.tokens(decode, prefill, 1.0), plain.tokens(decode, prefill, 1.0));
        }
        assert_eq!(
            (none.context(), none.windowed(), none.pairs()),
            (plain.context(), plain.windowed(), plain.pairs())
        );
    }

    #[test]
    fn a_round_and_its_tokens_take_the_same_time() {
        let time = drafting(Some(Plain(1e-5, None)), 4, 2.7);
        let step = |decode, prefill| time.tokens(decode, prefill, 1.0).value;
        // Four passes of the draft and one of the model over 8 sequences.
        let round = 1e-2 + 8e-4 + 4.0 * (1e-2 + 8e-5);
        assert!((2.7 * step(8.0, 0.0) - round).abs() < 1e-12);
        // 500 prompt tokens pass both, once.
        let mixed = step(8.0, 500.0) + 1.7 * step(8.0, 0.0);
        assert!((mixed - round - 500.0 * (1e-4 + 1e-5)).abs() < 1e-12);
        assert!((time.pairs().0.value - 2.1e-9).abs() < 1e-20);
    }

    #[test]
    fn a_window_of_its_own_is_not_the_models() {
        let full = |window| drafting(Some(Plain(0.0, window)), 4, 1.0).context().value;
        assert!((full(Some(512)) - 5e-6).abs() < 1e-15);
        assert!((full(Some(1024)) - 7e-6).abs() < 1e-15);
        assert!((full(None) - 5e-6).abs() < 1e-15);
    }
}
