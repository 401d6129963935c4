//! A store of earlier results, shared by threads. A result is computed at most once
//! per thread that asks at the same time; the same key gives the same result, so it does not matter
//! whose stays.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Earlier results, up to `MOST` entries; shared by threads.
#[derive(Debug)]
pub struct Memo<K, V, const MOST: usize = 1024>(Mutex<BTreeMap<K, V>>);

impl<K, V, const MOST: usize> Default for Memo<K, V, MOST> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord, V: Clone, const MOST: usize> Memo<K, V, MOST> {
    /// The result under a key; it is computed now if there is none.
    pub fn of(&self, key: K, compute: impl FnOnce() -> V) -> V {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = known().get(&key) {
            return value.clone();
        }
        // Nobody waits meanwhile; what two compute at once is the same.
        let value = compute();
        let mut known = known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_once_and_forgets_in_time() {
        let memo: Memo<i32, &str> = Memo::default();
        assert_eq!(memo.of(1, || "one"), "one");
        assert_eq!(memo.of(1, || "another"), "one");
        (2..5000).for_each(|key| assert_eq!(memo.of(key, || "more"), "more"));
        assert!(memo.0.lock().unwrap().len() <= 1024);
    }
}
