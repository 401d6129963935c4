//! The search itself: every point of a space where there are few, and NSGA-II (Deb et al. 2002,
//! IEEE TEC 6(2)) where there are many.
//!
//! A [`Problem`] says how many values each knob has and judges points. The tally that comes out
//! holds the front of all that was judged, whatever the last generation kept.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use flopcast_core::random::Stream;

use crate::batch::grouped;
use crate::pareto::Front;

/// The value of each knob, by its number.
pub type Digits = Vec<usize>;

/// What is searched.
pub trait Problem: Sync {
    /// What judging a point leaves for the next one.
    type Shared<'p>: Default + Send
    where
        Self: 'p;

    /// How many values each knob has, at least one.
    fn sizes(&self) -> &[usize];

    /// Judges a point.
    fn judge<'p>(&'p self, shared: &mut Self::Shared<'p>, digits: &[usize]) -> Verdict;

    /// A number by which points are judged in an order in which each shares most with the next.
    fn group(&self, _: &[usize]) -> u64 {
        0
    }

    /// Points that share little with one another; the others cost next to nothing beside them.
    fn apart(&self) -> u64 {
        points(self.sizes())
    }
}

/// The points of a space.
pub(super) fn points(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1, |all, size| all.saturating_mul(*size as u64))
}

/// What a point is worth.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It cannot be, or cannot be ranked: why.
    Out(String),
    /// It can be.
    In(Judged),
}

/// A point that can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The objectives, the less the better.
    pub ranks: Vec<f64>,
    /// For every limit by what part of it the point is over it; negative within it, none where a
    /// limit that came earlier has decided.
    pub over: Vec<Option<f64>>,
}

impl Judged {
    /// The largest part by which a limit is passed; 0 within all.
    pub fn excess(&self) -> f64 {
        self.over.iter().flatten().fold(0.0, |most, over| over.max(most))
    }
}

/// How a space is searched.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Points that are judged at most. A space of no more is searched whole, one of up to
    /// [`SHARING`] times as many where no more of its points are apart.
    pub evaluations: u64,
    /// Names the stream of random numbers.
    pub seed: u64,
}

/// What a search found.
#[derive(Debug)]
pub struct Tally {
    /// Points of the space.
    pub points: u64,
    /// Points that were judged.
    pub judged: u64,
    /// Those of them that can be.
    pub valid: u64,
    /// Those of them within every limit.
    pub within: u64,
    /// Whether every point was judged.
    pub whole: bool,
    /// Reasons of points that cannot be, with their number.
    pub reasons: BTreeMap<String, u64>,
    /// For every limit the least part by which a point is over it.
    pub least: Vec<Option<f64>>,
    /// The point that passes its limits by least.
    pub nearest: Option<(Digits, Judged)>,
    /// The points within the limits that no other beats, in order of the first objective.
    pub front: Vec<(Digits, Judged)>,
    /// Some of the points within the limits, evenly picked.
    pub sample: Vec<(Digits, Judged)>,
}

/// Points that share what is costly, for one that is judged alone.
pub const SHARING: u64 = 50;
/// Points whose verdicts are held until all of them are judged.
const TOGETHER: u64 = 1 << 17;
/// Reasons that are told apart, and points of the sample.
const REASONS: usize = 64;
const SAMPLE: usize = 2000;
/// Members of a generation, at least and at most.
const FEWEST: usize = 16;
const MOST: usize = 200;
/// Draws for a child that nobody has seen before a random one is taken.
const DRAWS: usize = 20;
/// Draws for a first generation whose points can be, for each member.
const FIRST_DRAWS: usize = 200;

/// Searches a space; `progress` is told how many points are judged.
pub fn search<P: Problem>(problem: &P, settings: Settings, progress: &dyn Fn(u64)) -> Tally {
    let points = points(problem.sizes());
    let mut collector = Collector::new(points);
    let pool = Pool::default();
    let all = settings.evaluations;
    if points <= all || problem.apart() <= all && points <= SHARING.saturating_mul(all) {
        for start in (0..points).step_by(TOGETHER as usize) {
            let end = points.min(start + TOGETHER);
            whole((problem, &pool), start, end, &mut collector, progress);
        }
        collector.tally.whole = true;
        return collector.finish();
    }
    Evolution {
        problem,
        pool: &pool,
        settings,
        collector,
        seen: BTreeSet::new(),
        random: Stream::new(settings.seed, 0x005e_a2c4),
    }
    .run(progress)
}

/// Judges every point from one number to another; their order in the tally is that of their numbers.
fn whole<'p, P: Problem>(
    of: (&'p P, &Pool<P::Shared<'p>>),
    start: u64,
    end: u64,
    collector: &mut Collector,
    progress: &dyn Fn(u64),
) {
    let sizes = of.0.sizes();
    let place = |at: usize, into: &mut [usize]| write_digits(sizes, start + at as u64, into);
    let done = &mut |judged: usize| progress(start + judged as u64);
    let verdicts = verdicts(of, (end - start) as usize, &place, done);
    let mut digits = vec![0; sizes.len()];
    for (at, verdict) in verdicts.into_iter().enumerate() {
        place(at, &mut digits);
        collector.add(&digits, verdict);
    }
}

/// What judged points left for others, while nobody judges by it.
struct Pool<S>(Mutex<Vec<S>>);

impl<S> Default for Pool<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Default> Pool<S> {
    fn with<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shared = lock().pop().unwrap_or_default();
        let result = work(&mut shared);
        lock().push(shared);
        result
    }
}

/// The verdicts on `count` points, whose digits `place` writes; those that share most are judged one
/// after the other, in parallel. `done` hears how many there are so far.
fn verdicts<'p, P: Problem>(
    (problem, pool): (&'p P, &Pool<P::Shared<'p>>),
    count: usize,
    place: &(dyn Fn(usize, &mut [usize]) + Sync),
    done: &mut dyn FnMut(usize),
) -> Vec<Verdict> {
    let knobs = problem.sizes().len();
    let mut verdicts = vec![Verdict::Out(String::new()); count];
    let work = |places: &[u32]| -> Vec<Verdict> {
        pool.with(|shared| {
            let mut digits = vec![0; knobs];
            let mut judge = |at: &u32| {
                place(*at as usize, &mut digits);
                problem.judge(shared, &digits)
            };
            places.iter().map(&mut judge).collect()
        })
    };
    let mut judged = 0;
    let mut take = |places: &[u32], part: Vec<Verdict>| -> Result<(), Infallible> {
        for (at, verdict) in places.iter().zip(part) {
            verdicts[*at as usize] = verdict;
        }
        judged += places.len();
        done(judged);
        Ok(())
    };
    let mut digits = vec![0; knobs];
    let group = |at: usize| {
        place(at, &mut digits);
        problem.group(&digits)
    };
    let Ok(()) = grouped(count, group, work, &mut take);
    verdicts
}

/// The values of a point by its number; the last knob varies fastest.
pub fn digits(sizes: &[usize], number: u64) -> Digits {
    let mut digits = vec![0; sizes.len()];
    write_digits(sizes, number, &mut digits);
    digits
}

/// As [`digits`], into a place that is there.
fn write_digits(sizes: &[usize], mut number: u64, digits: &mut [usize]) {
    for (digit, size) in digits.iter_mut().zip(sizes).rev() {
        *digit = (number % *size as u64) as usize;
        number /= *size as u64;
    }
}

struct Collector {
    tally: Tally,
    front: Front<(Digits, Judged)>,
    stride: u64,
}

impl Collector {
    fn new(points: u64) -> Self {
        let tally = Tally {
            points,
            judged: 0,
            valid: 0,
            within: 0,
            whole: false,
            reasons: BTreeMap::new(),
            least: Vec::new(),
            nearest: None,
            front: Vec::new(),
            sample: Vec::new(),
        };
        Self { tally, front: Front::default(), stride: 1 }
    }

    /// Takes a point in; gives back what it is worth where it can be.
    fn add(&mut self, digits: &[usize], verdict: Verdict) -> Option<Judged> {
        let tally = &mut self.tally;
        tally.judged += 1;
        let judged = match verdict {
            Verdict::In(judged) => judged,
            Verdict::Out(reason) => {
                let room = tally.reasons.len() < REASONS || tally.reasons.contains_key(&reason);
                let key = if room { reason } else { "other reasons".to_owned() };
                *tally.reasons.entry(key).or_default() += 1;
                return None;
            }
        };
        tally.valid += 1;
        tally.least.resize(judged.over.len(), None);
        for (least, over) in tally.least.iter_mut().zip(&judged.over) {
            if let Some(over) = over {
                *least = Some(least.map_or(*over, |least| least.min(*over)));
            }
        }
        let excess = judged.excess();
        if excess > 0.0 {
            if tally.nearest.as_ref().is_none_or(|(_, known)| excess < known.excess()) {
                tally.nearest = Some((digits.to_vec(), judged.clone()));
            }
        } else {
            if tally.within.is_multiple_of(self.stride) {
                tally.sample.push((digits.to_vec(), judged.clone()));
                if tally.sample.len() > SAMPLE {
                    let mut at = 0;
                    tally.sample.retain(|_| {
                        at += 1;
                        at % 2 == 1
                    });
                    self.stride *= 2;
                }
            }
            tally.within += 1;
            self.front.offer(judged.ranks.clone(), || (digits.to_vec(), judged.clone()));
        }
        Some(judged)
    }

    fn finish(mut self) -> Tally {
        self.tally.front = self.front.into_best();
        self.tally
    }
}

/// A point of a generation.
#[derive(Clone, Debug)]
struct Member {
    digits: Digits,
    judged: Judged,
    /// How many layers of better points lie above it.
    layer: usize,
    /// How far its neighbours in its layer are.
    room: f64,
}

impl Member {
    /// Which of two survives: a point within the limits, the one less over them, the one of the
    /// better layer, the lonelier one.
    fn order(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (self.judged.excess(), other.judged.excess());
        let by_limits = mine.total_cmp(&theirs);
        let by_room = other.room.total_cmp(&self.room);
        by_limits.then(self.layer.cmp(&other.layer)).then(by_room)
    }
}

struct Evolution<'a, 'p, P: Problem + 'p> {
    problem: &'p P,
    pool: &'a Pool<P::Shared<'p>>,
    settings: Settings,
    collector: Collector,
    seen: BTreeSet<Digits>,
    random: Stream,
}

impl<'p, P: Problem + 'p> Evolution<'_, 'p, P> {
    fn run(mut self, progress: &dyn Fn(u64)) -> Tally {
        let size = ((self.settings.evaluations / 25) as usize).clamp(FEWEST, MOST);
        let mut generation = self.first(size);
        let mut idle = 0;
        // Rejected points cost next to nothing, but a space may hold nothing else.
        let most = self.settings.evaluations.saturating_mul(20);
        while self.collector.tally.valid < self.settings.evaluations
            && self.collector.tally.judged < most
            && idle < DRAWS
        {
            progress(self.collector.tally.valid.min(self.settings.evaluations));
            let left = (self.settings.evaluations - self.collector.tally.valid) as usize;
            let children: Vec<_> =
                (0..size.min(left)).filter_map(|_| self.child(&generation)).collect();
            idle = if children.is_empty() { idle + 1 } else { 0 };
            let born = self.judge(children);
            generation.extend(born);
            generation = survivors(generation, size);
        }
        self.collector.finish()
    }

    /// Judges points, in parallel; the result keeps their order.
    fn judge(&mut self, points: Vec<Digits>) -> Vec<Member> {
        let place = |at: usize, into: &mut [usize]| into.copy_from_slice(&points[at]);
        let of = (self.problem, self.pool);
        let verdicts = verdicts(of, points.len(), &place, &mut |_| ());
        let add = |(verdict, digits): (Verdict, Digits)| {
            let judged = self.collector.add(&digits, verdict)?;
            Some(Member { digits, judged, layer: 0, room: 0.0 })
        };
        verdicts.into_iter().zip(points).filter_map(add).collect()
    }

    /// Ends of the space and random points, until a generation of them can be.
    fn first(&mut self, size: usize) -> Vec<Member> {
        let sizes = self.problem.sizes();
        let mut points = vec![vec![0; sizes.len()], sizes.iter().map(|size| size - 1).collect()];
        let mut members = Vec::new();
        for _ in 0..FIRST_DRAWS {
            while points.len() < size - members.len() {
                points.push(self.anywhere());
            }
            points.retain(|point| self.seen.insert(point.clone()));
            members.extend(self.judge(std::mem::take(&mut points)));
            if members.len() >= size {
                break;
            }
        }
        members
    }

    fn below(&mut self, size: usize) -> usize {
        self.random.between(0, (size.max(1) - 1) as u32) as usize
    }

    fn anywhere(&mut self) -> Digits {
        let sizes = self.problem.sizes();
        sizes.iter().map(|size| self.below(*size)).collect()
    }

    /// The better of two members.
    fn parent(&mut self, generation: &[Member]) -> Digits {
        let (a, b) = (self.below(generation.len()), self.below(generation.len()));
        let better = if generation[a].order(&generation[b]).is_le() { a } else { b };
        generation[better].digits.clone()
    }

    /// A point that nobody has seen, from two parents.
    fn child(&mut self, generation: &[Member]) -> Option<Digits> {
        for draw in 0..2 * DRAWS {
            let point = if generation.is_empty() || draw >= DRAWS {
                self.anywhere()
            } else {
                let (mut point, other) = (self.parent(generation), self.parent(generation));
                for (digit, theirs) in point.iter_mut().zip(&other) {
                    if self.random.uniform() < 0.5 {
                        *digit = *theirs;
                    }
                }
                self.mutate(&mut point);
                point
            };
            if self.seen.insert(point.clone()) {
                return Some(point);
            }
        }
        None
    }

    /// Changes about one knob: most often to a value beside it.
    fn mutate(&mut self, point: &mut Digits) {
        let sizes = self.problem.sizes();
        let chance = 1.0 / sizes.len().max(1) as f64;
        for (digit, &size) in point.iter_mut().zip(sizes) {
            if self.random.uniform() >= chance {
                continue;
            }
            *digit = match self.below(4) {
                0 => self.below(size),
                1 => (*digit + 1 + self.below(2)).min(size - 1),
                2 => digit.saturating_sub(1 + self.below(2)),
                _ if *digit + 1 < size => *digit + 1,
                _ => digit.saturating_sub(1),
            };
        }
    }
}

/// The best members, by layers and the room in them.
fn survivors(mut members: Vec<Member>, size: usize) -> Vec<Member> {
    layers(&mut members);
    members.sort_by(Member::order);
    members.truncate(size);
    members
}

fn beats(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
}

/// Sorts into layers: the first holds what nothing beats, the next what only the first beats.
fn layers(members: &mut [Member]) {
    let mut rest: Vec<usize> = (0..members.len()).collect();
    let mut layer = 0;
    while !rest.is_empty() {
        let ranks = |at: usize| members[at].judged.ranks.as_slice();
        let (best, others): (Vec<usize>, Vec<usize>) =
            rest.iter().partition(|at| !rest.iter().any(|other| beats(ranks(*other), ranks(**at))));
        for at in &best {
            members[*at].layer = layer;
            members[*at].room = 0.0;
        }
        spread(members, &best);
        layer += 1;
        rest = others;
    }
}

/// The room of the members of a layer: the sides of the box between their neighbours.
fn spread(members: &mut [Member], layer: &[usize]) {
    let respects = layer.first().map_or(0, |at| members[*at].judged.ranks.len());
    for respect in 0..respects {
        let mut order = layer.to_vec();
        let value = |members: &[Member], at: usize| members[at].judged.ranks[respect];
        order.sort_by(|a, b| value(members, *a).total_cmp(&value(members, *b)));
        let (first, last) = (order[0], order[order.len() - 1]);
        let range = (value(members, last) - value(members, first)).max(f64::MIN_POSITIVE);
        members[first].room = f64::INFINITY;
        members[last].room = f64::INFINITY;
        for three in order.windows(3) {
            let side = value(members, three[2]) - value(members, three[0]);
            members[three[1]].room += side / range;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::volume::{hypervolume, reference};

    /// A space of made-up scores: a smooth law of size with a bend for every knob, and its cost.
    struct Synthetic {
        sizes: Vec<usize>,
        /// How much a knob adds to the score and to the cost, and where it is best.
        knobs: Vec<[f64; 3]>,
    }

    impl Synthetic {
        fn new(seed: u64) -> Self {
            let mut random = Stream::new(seed, 1);
            let sizes = vec![10, 10, 10, 10, 10];
            let knobs = sizes
                .iter()
                .map(|_| [random.uniform(), random.uniform(), random.uniform()])
                .collect();
            Self { sizes, knobs }
        }
    }

    impl Problem for Synthetic {
        type Shared<'p> = ();

        fn sizes(&self) -> &[usize] {
            &self.sizes
        }

        fn judge(&self, (): &mut (), digits: &[usize]) -> Verdict {
            let (mut score, mut cost) = (0.0, 1.0);
            for ((digit, size), [gain, price, best]) in
                digits.iter().zip(&self.sizes).zip(&self.knobs)
            {
                let x = *digit as f64 / (size - 1) as f64;
                score += gain * (1.0 - (-3.0 * x).exp()) - 0.3 * (x - best).powi(2);
                cost *= 1.0 + 2.0 * price * x;
            }
            // Neighbours of two knobs must not differ by much.
            if digits[0].abs_diff(digits[1]) > 7 {
                return Verdict::Out("the first two knobs differ by more than 7".to_owned());
            }
            Verdict::In(Judged { ranks: vec![-score, cost.ln()], over: Vec::new() })
        }
    }

    fn ranks(tally: &Tally) -> Vec<Vec<f64>> {
        tally.front.iter().map(|(_, judged)| judged.ranks.clone()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

        /// 97 % of the true hypervolume with 3 % of the evaluations.
        #[test]
        fn few_evaluations_find_the_front(seed in 0..1_000_000_u64) {
            let problem = Synthetic::new(seed);
            let whole = search(&problem, Settings { evaluations: 100_000, seed }, &|_| {});
            let some = search(&problem, Settings { evaluations: 3000, seed }, &|_| {});
            prop_assert!(whole.whole && !some.whole);
            prop_assert!(some.valid <= 3000);
            let truth = ranks(&whole);
            let end = reference(whole.sample.iter().map(|(_, it)| it.ranks.as_slice()));
            let share = hypervolume(&ranks(&some), &end) / hypervolume(&truth, &end);
            prop_assert!(share >= 0.97, "{share}");
            let again = search(&problem, Settings { evaluations: 3000, seed }, &|_| {});
            prop_assert_eq!(again.front, some.front);
        }
    }

    /// Points that share what is costly are all judged where those apart are few.
    #[test]
    fn a_space_of_shared_points_is_searched_whole() {
        struct Shared([usize; 2]);
        impl Problem for Shared {
            type Shared<'p> = ();
            fn sizes(&self) -> &[usize] {
                &self.0
            }
            fn judge(&self, (): &mut (), digits: &[usize]) -> Verdict {
                let ranks = vec![(digits[0] * digits[1]) as f64];
                Verdict::In(Judged { ranks, over: Vec::new() })
            }
            fn apart(&self) -> u64 {
                self.0[0] as u64
            }
        }
        let whole = |first, second| {
            let settings = Settings { evaluations: 100, seed: 1 };
            search(&Shared([first, second]), settings, &|_| {}).whole
        };
        assert!(whole(100, 50) && whole(2, 2500));
        assert!(!whole(101, 2) && !whole(2, 2501));
    }

    #[test]
    fn a_space_of_nothing_ends() {
        struct Nothing([usize; 3]);
        impl Problem for Nothing {
            type Shared<'p> = ();
            fn sizes(&self) -> &[usize] {
                &self.0
            }
            fn judge(&self, (): &mut (), _: &[usize]) -> Verdict {
                Verdict::Out("never".to_owned())
            }
        }
        let tally =
            search(&Nothing([100, 100, 100]), Settings { evaluations: 500, seed: 1 }, &|_| {});
        assert_eq!((tally.valid, tally.front.len()), (0, 0));
        assert_eq!(tally.reasons["never"], tally.judged);
    }
}
