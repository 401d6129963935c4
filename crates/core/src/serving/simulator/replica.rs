//! One engine replica: continuous batching, leaping from event to event.
//!
//! The scheduler is that of a current engine (vLLM V1): every step first gives one token to each
//! decoding sequence, then spends what is left of the token budget on prompts in order of arrival,
//! chunk by chunk. The KV cache is paged; a sequence that needs a block when none is free pre-empts
//! the one admitted last, whose cache is recomputed later.
//!
//! Between two events (arrival, completion, memory running out, a context outgrowing the attention
//! window) the batch is constant and the step time is affine in the context, so a run of k steps
//! takes k T + g k (k + 1) / 2 and is advanced at once. An event costs O(log batch), a token nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::leap::{Event, Pace, Paging};
use super::{Admission, Limits, Scheduler, Stepping};
use crate::quantity::{Measure as _, Time};

/// How long a step takes, as the simulator needs it: affine in the context that decoding attends
/// to, free in everything else.
pub trait StepTime {
    /// A step over `decode` sequences that get a token and `prefill` tokens of `prompts` prompts,
    /// attention over the context left out.
    ///
    /// A closed form asks for means, so these need not be whole.
    fn tokens(&self, decode: f64, prefill: f64, prompts: f64) -> Time;
    /// The least that such a step takes, attention over the context included: what runs beside all
    /// else.
    fn beneath(&self, _decode: f64, _prefill: f64) -> Time {
        Time::from_stored(0.0)
    }
    /// Per token of context that a decoding sequence attends to, in layers with full attention.
    fn context(&self) -> Time;
    /// The same in layers whose attention sees a window only, and the window in tokens.
    fn windowed(&self) -> Option<(Time, u32)> {
        None
    }
    /// Per pair of prompt token and token it attends to: in full layers, in windowed layers.
    fn pairs(&self) -> (Time, Time) {
        (Time::from_stored(0.0), Time::from_stored(0.0))
    }
}

/// One request as an engine sees it; times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Request {
    pub id: u64,
    pub class: u16,
    /// When the client sent it.
    pub sent: f64,
    pub input: u32,
    /// Tokens to generate; at least 1.
    pub output: u32,
    /// Prompt tokens whose KV is there already.
    pub cached: u32,
}

/// A request on its way through an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Job {
    pub request: Request,
    /// Tokens whose KV must be there before the next token can be generated, and how many are.
    target: u32,
    computed: u32,
    generated: u32,
    /// Tokens generated when it leaves.
    last: u32,
    /// When it came to the replica.
    queued: f64,
    /// When it was first admitted and had its first token; NaN before.
    scheduled: f64,
    first_token: f64,
    preemptions: u32,
}

impl Job {
    /// A request that just came.
    pub(crate) fn new(request: Request) -> Self {
        Self {
            target: request.input,
            computed: request.cached.min(request.input - 1),
            generated: 0,
            last: request.output,
            queued: f64::NAN,
            scheduled: f64::NAN,
            first_token: f64::NAN,
            preemptions: 0,
            request,
        }
    }

    /// A request of which only the prompt is processed here.
    pub(crate) fn prompt_only(request: Request) -> Self {
        Self { last: 1, ..Self::new(request) }
    }

    /// A request whose prompt another replica processed: its KV cache comes along.
    pub(crate) fn handed_over(prefilled: &Finished) -> Self {
        Self {
            computed: prefilled.request.input,
            generated: 1,
            scheduled: prefilled.scheduled,
            first_token: prefilled.first_token,
            ..Self::new(prefilled.request)
        }
    }
}

/// The course of a request; times in seconds. One that is refused has no first token, and ends then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Finished {
    pub request: Request,
    pub scheduled: f64,
    pub first_token: f64,
    pub ended: f64,
    pub preemptions: u32,
}

impl Finished {
    /// A request that is refused at this time.
    fn refused(job: &Job, ended: f64) -> Self {
        let Job { request, scheduled, first_token, preemptions, .. } = *job;
        Self { request, scheduled, first_token, ended, preemptions }
    }

    /// True if it got no answer.
    pub(crate) fn is_refused(&self) -> bool {
        self.first_token.is_nan()
    }
}

/// An admitted job. `context` tokens were in the cache when it began to decode at step `since`.
#[derive(Clone, Debug)]
struct Sequence {
    job: Job,
    decoding: bool,
    context: u32,
    since: u64,
    /// Neighbours in the order of admission.
    before: usize,
    after: usize,
    /// The place of its next block among [`Replica::residues`].
    residue: u32,
    /// Tells a live heap entry from one of an earlier life of the slot.
    life: u32,
}

const NONE: usize = usize::MAX;

/// Sums over the life of a replica; `batch` and `kv` are integrals over busy time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    pub busy: f64,
    pub steps: u64,
    pub batch: f64,
    pub most_batch: u32,
    pub kv_blocks: f64,
    pub most_kv_blocks: u64,
    pub preemptions: u64,
    pub prefill_tokens: u64,
    pub decode_tokens: u64,
}

/// Events, the earliest first.
type Events = BinaryHeap<Reverse<Event>>;

/// Seconds of a step for the contexts that it reads; constants of a step time, asked for
/// once.
#[derive(Clone, Copy)]
struct Attention {
    /// For each token of context.
    context: f64,
    /// For each token within a window, and the window.
    windowed: Option<(f64, u32)>,
    /// For each pair of a prompt's token and a token before it: of full and of windowed attention.
    pairs: [f64; 2],
}

impl Attention {
    /// The terms of a step time that grow with the context.
    fn of(time: &impl StepTime) -> Self {
        let (full, windowed) = time.pairs();
        Self {
            context: time.context().value,
            windowed: time.windowed().map(|(each, window)| (each.value, window)),
            pairs: [full.value, windowed.value],
        }
    }
}

pub(crate) struct Replica<'a, S> {
    time: &'a S,
    attention: Attention,
    /// Seconds of a step that only decodes, attention left out, and the least of it, by sequences.
    decoding_alone: Vec<Option<(f64, f64)>>,
    pub limits: Limits,
    pub clock: f64,
    /// Steps that every decoding sequence has taken part in.
    steps: u64,
    slots: Vec<Sequence>,
    unused: Vec<usize>,
    waiting: VecDeque<Job>,
    prefilling: VecDeque<usize>,
    last: usize,
    running: u32,
    decoding: u32,
    finish: Events,
    crossing: Events,
    paging: Paging,
    /// Steps modulo the block.
    phase: u64,
    /// Decoding sequences by (context - steps) modulo the block.
    residues: Vec<u32>,
    free: u64,
    /// Blocks that the answers under way take in the end, where those are set aside.
    promised: u64,
    /// Tokens in the caches of decoding sequences; of them, those that windowed layers see.
    context: u64,
    windowed: u64,
    /// Decoding sequences whose context still fits the window.
    below: u32,
    lives: u32,
    finished_last: u32,
    pub usage: Usage,
}

impl<'a, S: StepTime> Replica<'a, S> {
    /// An idle replica at time zero.
    pub(crate) fn new(time: &'a S, limits: Limits) -> Self {
        // Who waits too long, or finds too many, is known step by step.
        let every = limits.admission != Admission::ALL;
        let stepping = if every { Stepping::Token } else { limits.stepping };
        let limits = Limits { stepping, ..limits };
        Self {
            time,
            attention: Attention::of(time),
            decoding_alone: Vec::new(),
            limits,
            clock: 0.0,
            steps: 0,
            slots: Vec::new(),
            unused: Vec::new(),
            waiting: VecDeque::new(),
            prefilling: VecDeque::new(),
            last: NONE,
            running: 0,
            decoding: 0,
            finish: BinaryHeap::new(),
            crossing: BinaryHeap::new(),
            paging: Paging::of(limits.block),
            phase: 0,
            residues: vec![0; limits.block as usize],
            free: limits.blocks,
            promised: 0,
            context: 0,
            windowed: 0,
            below: 0,
            lives: 0,
            finished_last: 0,
            usage: Usage::default(),
        }
    }

    /// True if the cache could ever hold the job to its end.
    pub(crate) fn can_hold(&self, job: &Job) -> bool {
        self.in_the_end(job) <= self.limits.blocks
    }

    /// Blocks that a job takes in the end.
    fn in_the_end(&self, job: &Job) -> u64 {
        self.own(&job.request, u64::from(job.request.input) + u64::from(job.last) - 1)
    }

    /// Blocks that the cache of a request takes for itself.
    fn own(&self, request: &Request, tokens: u64) -> u64 {
        let shared = match self.limits.shared {
            0 => 0,
            shared => u64::from(shared).min(self.paging.split(request.input.into()).0),
        };
        self.paging.over(tokens) - shared
    }

    /// Takes a job in that is there at `now`; every step that begins before must have run.
    pub(crate) fn enqueue(&mut self, now: f64, job: Job) {
        if self.is_idle() {
            self.clock = self.clock.max(now);
        }
        self.waiting.push_back(Job { queued: now, ..job });
    }

    /// True if nothing runs or waits here.
    pub(crate) fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }

    /// Requests that were sent here and not finished at `now`.
    pub(crate) fn outstanding(&self, now: f64) -> u32 {
        let late = if self.clock > now { self.finished_last } else { 0 };
        self.running + self.waiting.len() as u32 + late
    }

    /// The number of requests that wait for a place in the batch.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Blocks of the KV cache in use.
    pub(crate) fn blocks_used(&self) -> u64 {
        self.limits.blocks - self.free
    }

    /// Runs every step that begins before `horizon`.
    pub(crate) fn run_until(&mut self, horizon: f64, out: &mut dyn FnMut(Finished)) {
        while self.clock < horizon && !self.is_idle() {
            self.step(horizon, out);
        }
        self.give_up(horizon, out);
    }

    /// Takes a job that is there at `now`, or refuses it where as many wait as may.
    pub(crate) fn offer(&mut self, now: f64, job: Job, out: &mut dyn FnMut(Finished)) {
        let most = self.limits.admission.queue;
        if most.is_some_and(|most| self.waiting.len() >= most as usize) {
            out(Finished::refused(&job, now));
        } else {
            self.enqueue(now, job);
        }
    }

    /// Refuses those that have waited too long at `now`; one that had its place once stays.
    fn give_up(&mut self, now: f64, out: &mut dyn FnMut(Finished)) {
        let Some(timeout) = self.limits.admission.timeout else { return };
        while let Some(job) = self.waiting.front()
            && job.scheduled.is_nan()
            && now - job.queued > timeout.value
        {
            out(Finished::refused(job, job.queued + timeout.value));
            self.waiting.pop_front();
        }
    }

    /// One step, or as many alike as there are before the next event or `horizon`.
    pub(crate) fn step(&mut self, horizon: f64, out: &mut dyn FnMut(Finished)) {
        self.finished_last = 0;
        let preempted = self.make_room();
        self.give_up(self.clock, out);
        if self.is_idle() {
            return;
        }
        let Chunks { tokens, prompts, pairs, windowed_pairs, completed } = self.schedule(preempted);
        let alone = self.limits.scheduler == Scheduler::PrefillFirst && tokens > 0;
        let decoding = if alone { 0 } else { self.decoding };
        let pace = self.pace(decoding, tokens, prompts);
        let used = self.blocks_used();
        let (count, duration) = if tokens > 0 {
            let [full, windowed] = self.attention.pairs;
            let attention = full * pairs as f64 + windowed * windowed_pairs as f64;
            (1, (pace.first + attention).max(pace.least))
        } else {
            let count = self.leap(pace, horizon, preempted);
            (count, pace.run(count))
        };
        self.clock += duration;
        if decoding > 0 {
            self.advance(count);
        }
        self.tally(duration, count, decoding, tokens, used);
        for _ in 0..completed {
            if let Some(slot) = self.prefilling.pop_front() {
                self.slots[slot].job.generated += 1;
                let first = &mut self.slots[slot].job.first_token;
                *first = if first.is_nan() { self.clock } else { *first };
                self.decode(slot, out);
            }
        }
        while let Some(slot) = next_due(&mut self.finish, &self.slots, self.steps) {
            self.retire(slot, out);
        }
    }

    /// Makes sure of a block for the next token of every decoding sequence, at the cost of those
    /// admitted last.
    fn make_room(&mut self) -> bool {
        let mut preempted = false;
        while self.new_blocks(1) > self.free {
            self.preempt(self.last);
            preempted = true;
        }
        preempted
    }

    /// Spends the token budget on prompts: those begun first, then those that wait.
    fn schedule(&mut self, preempted: bool) -> Chunks {
        let alone = self.limits.scheduler == Scheduler::PrefillFirst;
        let mut chunks = Chunks::default();
        loop {
            let decoding = if alone { 0 } else { self.decoding };
            let budget = self.limits.tokens.saturating_sub(decoding + chunks.tokens);
            let begun = chunks.completed < self.prefilling.len();
            if budget == 0 || !begun && (preempted || !self.admit()) {
                return chunks;
            }
            let Some(&slot) = self.prefilling.get(chunks.completed) else { continue };
            let job = &mut self.slots[slot].job;
            let chunk = (job.target - job.computed).min(budget);
            chunks.tokens += chunk;
            chunks.prompts += 1;
            chunks.pairs += pairs(job.computed, chunk, u32::MAX);
            if let Some((_, window)) = self.attention.windowed {
                chunks.windowed_pairs += pairs(job.computed, chunk, window);
            }
            job.computed += chunk;
            chunks.completed += usize::from(job.computed == job.target);
        }
    }

    /// Takes the first waiting job in, if batch and cache allow.
    fn admit(&mut self) -> bool {
        let Some(&job) = self.waiting.front() else { return false };
        let ready = job.computed == job.target;
        let blocks = self.own(&job.request, u64::from(job.target + u32::from(ready)));
        if self.running >= self.limits.sequences || blocks + self.new_blocks(1) > self.free {
            return false;
        }
        if self.limits.sets_aside {
            let promised = self.promised + self.in_the_end(&job);
            if promised > self.limits.blocks {
                return false;
            }
            self.promised = promised;
        }
        self.waiting.pop_front();
        self.free -= self.own(&job.request, u64::from(job.target));
        self.running += 1;
        self.lives += 1;
        let mut sequence = Sequence {
            job,
            decoding: false,
            context: 0,
            since: 0,
            before: self.last,
            after: NONE,
            residue: 0,
            life: self.lives,
        };
        if job.scheduled.is_nan() {
            sequence.job.scheduled = self.clock;
        }
        let slot = if let Some(slot) = self.unused.pop() {
            self.slots[slot] = sequence;
            slot
        } else {
            self.slots.push(sequence);
            self.slots.len() - 1
        };
        if self.last != NONE {
            self.slots[self.last].after = slot;
        }
        self.last = slot;
        if ready {
            self.decode(slot, &mut |_| {});
        } else {
            self.prefilling.push_back(slot);
        }
        true
    }

    /// Seconds of a step, attention left out, and the least of it. Most steps only decode, and their
    /// batches are the same ones again and again.
    fn tokens(&mut self, decoding: u32, prefill: u32, prompts: u32) -> (f64, f64) {
        let time = self.time;
        let asked = || {
            let step = time.tokens(decoding.into(), prefill.into(), prompts.into());
            (step.value, time.beneath(decoding.into(), prefill.into()).value)
        };
        if prefill > 0 {
            return asked();
        }
        let batch = decoding as usize;
        if batch >= self.decoding_alone.len() {
            self.decoding_alone.resize(batch + 1, None);
        }
        *self.decoding_alone[batch].get_or_insert_with(asked)
    }

    /// Time of the next step and its growth while nothing but the context changes.
    fn pace(&mut self, decoding: u32, prefill: u32, prompts: u32) -> Pace {
        let (first, least) = self.tokens(decoding, prefill, prompts);
        let mut pace = Pace { first, growth: 0.0, least };
        if decoding > 0 {
            let full = self.attention.context;
            pace.growth = full * f64::from(decoding);
            pace.first += full * (self.context + u64::from(decoding)) as f64;
            if let Some((windowed, _)) = self.attention.windowed {
                pace.growth += windowed * f64::from(self.below);
                pace.first += windowed * (self.windowed + u64::from(self.below)) as f64;
            }
        }
        pace
    }

    /// How many steps there are to the next event.
    fn leap(&mut self, pace: Pace, horizon: f64, preempted: bool) -> u64 {
        if self.limits.stepping == Stepping::Token || preempted && !self.waiting.is_empty() {
            return 1;
        }
        let most = self.steps_to_event();
        pace.steps_to(horizon - self.clock, most)
    }

    /// How many steps the batch stays as it is, were time endless.
    fn steps_to_event(&mut self) -> u64 {
        let finish = next(&mut self.finish, &self.slots).map_or(u64::MAX, |(step, _)| step);
        let crossing = next(&mut self.crossing, &self.slots).map_or(u64::MAX, |(step, _)| step);
        self.fitting(finish.min(crossing) - self.steps)
    }

    /// The last moment at which as many are outstanding as at `now` and no step is under way in which
    /// an answer ends, if no request comes.
    pub(crate) fn quiet_until(&mut self, now: f64) -> f64 {
        let is_late = self.clock > now && self.finished_last > 0;
        if is_late {
            return self.clock.next_down();
        }
        if self.is_idle() {
            return f64::INFINITY;
        }
        let only_decodes = self.waiting.is_empty() && self.prefilling.is_empty();
        let leaps = only_decodes && self.limits.stepping == Stepping::Leap;
        if !leaps || self.new_blocks(1) > self.free {
            return self.clock;
        }
        let most = self.steps_to_event();
        self.clock + self.pace(self.decoding, 0, 0).run(most - 1)
    }

    /// Blocks that `count` further steps of the present batch take.
    #[inline]
    fn new_blocks(&self, count: u64) -> u64 {
        let (cycles, partial) = self.paging.split(count);
        let mut taken = cycles * u64::from(self.decoding);
        let mut place = self.full_now();
        for _ in 0..partial {
            taken += u64::from(self.residues[place]);
            place = place.checked_sub(1).unwrap_or(self.residues.len() - 1);
        }
        taken
    }

    /// The place among the residues of the decoding sequences whose last block is full: those of the
    /// next step are one below, that of 0 after all others.
    #[inline]
    fn full_now(&self) -> usize {
        if self.phase == 0 { 0 } else { (self.paging.block - self.phase) as usize }
    }

    /// The most steps up to `count` whose blocks are free; the first step's are.
    #[inline]
    fn fitting(&self, count: u64) -> u64 {
        let (cycles, _) = self.paging.split(count);
        let most = (cycles + 1).saturating_mul(self.decoding.into());
        if most <= self.free || self.new_blocks(count) <= self.free {
            return count;
        }
        let cycles = (self.free / u64::from(self.decoding)).saturating_sub(1);
        let mut taken = cycles * u64::from(self.decoding);
        let mut steps = cycles * self.paging.block;
        let mut place = self.full_now();
        loop {
            taken += u64::from(self.residues[place]);
            if taken > self.free {
                return steps;
            }
            steps += 1;
            place = place.checked_sub(1).unwrap_or(self.residues.len() - 1);
        }
    }

    /// Every decoding sequence gets `count` tokens.
    fn advance(&mut self, count: u64) {
        self.free -= self.new_blocks(count);
        self.context += count * u64::from(self.decoding);
        self.windowed += count * u64::from(self.below);
        self.steps += count;
        self.phase = self.paging.split(self.phase + count).1;
        self.usage.decode_tokens += count * u64::from(self.decoding);
        while next_due(&mut self.crossing, &self.slots, self.steps).is_some() {
            self.crossing.pop();
            self.below -= 1;
        }
    }

    /// Adds steps to the use of the replica: time, batch, and the mean of the blocks before and
    /// after them.
    fn tally(&mut self, duration: f64, count: u64, decoding: u32, prefill: u32, used: u64) {
        let usage = &mut self.usage;
        let after = self.limits.blocks - self.free;
        usage.busy += duration;
        usage.steps += count;
        usage.batch += duration * f64::from(self.running);
        usage.most_batch = usage.most_batch.max(decoding.max(self.running));
        usage.kv_blocks += duration * 0.5 * (used + after) as f64;
        usage.most_kv_blocks = usage.most_kv_blocks.max(after);
        usage.prefill_tokens += u64::from(prefill);
    }

    /// The sequence has its whole context in the cache: it decodes from the next step on.
    fn decode(&mut self, slot: usize, out: &mut dyn FnMut(Finished)) {
        let steps = self.steps;
        let (_, offset) = self
            .paging
            .split(u64::from(self.slots[slot].job.target) + self.paging.block - self.phase);
        let Sequence { job, decoding, context, since, residue, life, .. } = &mut self.slots[slot];
        (*decoding, *context, *since, *residue) = (true, job.target, steps, offset as u32);
        let finish = steps + u64::from(job.last - job.generated);
        self.decoding += 1;
        self.context += u64::from(job.target);
        let (life, context) = (*life, job.target);
        self.residues[offset as usize] += 1;
        if let Some((_, window)) = self.attention.windowed {
            self.windowed += u64::from(context.min(window));
            if context < window {
                self.below += 1;
                let step = steps + u64::from(window - context);
                self.crossing.push(Reverse(Event::new(step, slot, life)));
            }
        }
        if finish == steps {
            self.retire(slot, out);
        } else {
            self.finish.push(Reverse(Event::new(finish, slot, life)));
        }
    }

    /// Takes a decoding sequence out of the batch; returns the tokens in its cache.
    fn stop_decoding(&mut self, slot: usize) -> u32 {
        let Sequence { context, since, residue, .. } = self.slots[slot];
        let now = context + (self.steps - since) as u32;
        self.residues[residue as usize] -= 1;
        self.decoding -= 1;
        self.context -= u64::from(now);
        if let Some((_, window)) = self.attention.windowed {
            self.windowed -= u64::from(now.min(window));
            self.below -= u32::from(now < window);
        }
        now
    }

    /// Gives slot and blocks back.
    fn release(&mut self, slot: usize, tokens: u32) {
        let Sequence { before, after, .. } = self.slots[slot];
        if before != NONE {
            self.slots[before].after = after;
        }
        if after == NONE {
            self.last = before;
        } else {
            self.slots[after].before = before;
        }
        if self.limits.sets_aside {
            self.promised -= self.in_the_end(&self.slots[slot].job);
        }
        self.slots[slot].life = 0;
        self.unused.push(slot);
        self.running -= 1;
        self.free += self.own(&self.slots[slot].job.request, u64::from(tokens));
    }

    /// Ends the sequence of a slot: its blocks are free, and its answer is told.
    fn retire(&mut self, slot: usize, out: &mut dyn FnMut(Finished)) {
        let tokens = self.stop_decoding(slot);
        self.release(slot, tokens);
        self.finished_last += 1;
        let Job { request, scheduled, first_token, preemptions, .. } = self.slots[slot].job;
        out(Finished { request, scheduled, first_token, ended: self.clock, preemptions });
    }

    /// Back to the head of the queue; what it generated becomes part of its prompt.
    fn preempt(&mut self, slot: usize) {
        let mut job = self.slots[slot].job;
        if self.slots[slot].decoding {
            job.generated += (self.steps - self.slots[slot].since) as u32;
            let tokens = self.stop_decoding(slot);
            self.release(slot, tokens);
        } else {
            self.prefilling.retain(|&other| other != slot);
            self.release(slot, job.target);
        }
        job.target = job.request.input + job.generated;
        // What all prompts begin with stays.
        let shared = self.limits.shared.saturating_mul(self.limits.block);
        job.computed = shared.min(job.request.cached).min(job.target - 1);
        job.preemptions += 1;
        self.usage.preemptions += 1;
        self.waiting.push_front(job);
    }
}

/// Prompt tokens of one step.
#[derive(Default)]
struct Chunks {
    tokens: u32,
    prompts: u32,
    pairs: u64,
    windowed_pairs: u64,
    completed: usize,
}

/// Pairs of a chunk's tokens with the tokens they attend to: each sees itself and those before it,
/// at most `window` of them.
fn pairs(before: u32, chunk: u32, window: u32) -> u64 {
    let (before, chunk, window) = (u64::from(before), u64::from(chunk), u64::from(window));
    let growing = window.saturating_sub(before).min(chunk);
    growing * before + growing * (growing + 1) / 2 + (chunk - growing) * window
}

/// The next live event.
#[inline]
fn next(events: &mut Events, slots: &[Sequence]) -> Option<(u64, usize)> {
    while let Some(Reverse(event)) = events.peek() {
        let (step, slot, life) = event.parts();
        if slots[slot].life == life {
            return Some((step, slot));
        }
        events.pop();
    }
    None
}

/// The next live event, if it is due at `step`.
#[inline]
fn next_due(events: &mut Events, slots: &[Sequence], step: u64) -> Option<usize> {
    next(events, slots).filter(|(due, _)| *due == step).map(|(_, slot)| slot)
}
