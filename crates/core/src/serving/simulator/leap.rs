//! What a leap of a replica is reckoned with: events, the time of a run of steps, whole blocks.

/// An event: the step at which it happens, its slot and the slot's life, packed so that one comparison
/// orders them. An event of a slot's earlier life is void.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event(u128);

impl Event {
    /// An event of a slot at a step.
    pub(super) fn new(step: u64, slot: usize, life: u32) -> Self {
        Self((u128::from(step) << 64) | ((slot as u128) << 32) | u128::from(life))
    }

    /// Its step, slot and life.
    pub(super) fn parts(self) -> (u64, usize, u32) {
        ((self.0 >> 64) as u64, (self.0 >> 32) as u32 as usize, self.0 as u32)
    }
}

/// The blocks of a cache: as good as all of them are of a power of two, which divides by a shift.
#[derive(Clone, Copy)]
pub(super) struct Paging {
    pub block: u64,
    shift: Option<u32>,
}

impl Paging {
    /// Blocks of so many tokens.
    pub(super) fn of(block: u32) -> Self {
        let shift = block.is_power_of_two().then(|| block.trailing_zeros());
        Self { block: block.into(), shift }
    }

    /// Whole blocks in so many tokens, and the tokens beside them.
    #[inline]
    pub(super) fn split(self, tokens: u64) -> (u64, u64) {
        match self.shift {
            Some(shift) => (tokens >> shift, tokens & (self.block - 1)),
            None => (tokens / self.block, tokens % self.block),
        }
    }

    /// Blocks that so many tokens take.
    #[inline]
    pub(super) fn over(self, tokens: u64) -> u64 {
        self.split(tokens + self.block - 1).0
    }
}

/// Time of a step, what each further one takes longer, and the least that each takes.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub first: f64,
    pub growth: f64,
    pub least: f64,
}

impl Pace {
    /// Steps out of `most` that take the least, before the context makes them longer.
    fn held(self, most: u64) -> u64 {
        let below = self.least - self.first;
        if below <= 0.0 {
            0
        } else if self.growth * most as f64 <= below {
            most
        } else {
            ((below / self.growth).ceil() as u64).min(most)
        }
    }

    /// Duration of `count` steps: the closed sum.
    pub(super) fn run(self, count: u64) -> f64 {
        let held = self.held(count);
        let n = (count - held) as f64;
        let first = self.first + self.growth * held as f64;
        self.least * held as f64 + n * first + self.growth * (0.5 * n * (n - 1.0))
    }

    /// The fewest steps, at least one and at most `most`, that take `time` or longer.
    pub(super) fn steps_to(self, time: f64, most: u64) -> u64 {
        if most == 1 || self.run(1) >= time {
            return 1;
        }
        if self.run(most) < time {
            return most;
        }
        let held = self.held(most);
        let least = self.least * held as f64;
        let guess = if time <= least {
            time / self.least
        } else {
            let linear = self.first + self.growth * (held as f64 - 0.5);
            let left = time - least;
            let root = (linear * linear + 2.0 * self.growth * left).sqrt();
            held as f64 + 2.0 * left / (linear + root)
        };
        let mut count = (guess as u64).saturating_add(1).clamp(1, most);
        while count > 1 && self.run(count - 1) >= time {
            count -= 1;
        }
        while count < most && self.run(count) < time {
            count += 1;
        }
        count
    }
}
