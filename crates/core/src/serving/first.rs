//! The first answer of a computation: most runs ask it again.

use std::sync::OnceLock;

/// The first answer, beside what it was asked of.
#[derive(Clone, Debug)]
pub(super) struct First<K, T>(OnceLock<(K, T)>);

impl<K, T> Default for First<K, T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<K: PartialEq, T: Clone> First<K, T> {
    /// The answer to `asked`: the first one again where it is the same, else as it is computed.
    ///
    /// # Errors
    /// That of the computation; it is not kept.
    pub(super) fn of<E>(
        &self,
        asked: K,
        compute: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        match self.0.get() {
            Some((known, answer)) if *known == asked => Ok(answer.clone()),
            Some(_) => compute(),
            None => {
                let answer = compute()?;
                // Another thread's answer may have come first.
                let _ = self.0.set((asked, answer.clone()));
                Ok(answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_stands_and_others_are_computed() {
        let first = First::default();
        let ask = |key: u32, answer: Result<u32, u32>| first.of(key, || answer);
        assert_eq!(ask(1, Err(7)), Err(7));
        assert_eq!(ask(1, Ok(10)), Ok(10));
        assert_eq!(ask(2, Ok(20)), Ok(20));
        assert_eq!((ask(1, Ok(11)), ask(2, Ok(21))), (Ok(10), Ok(21)));
    }
}
