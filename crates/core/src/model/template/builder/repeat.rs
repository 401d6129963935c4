//! Layers that repeat: iterations that differ in nothing but their index are laid out once and counted.

use std::sync::Arc;

use super::super::expression::{Expression, Names as _};
use super::super::node::{Knobs, Node};
use super::super::value::Value;
use super::{Builder, Repeat};
use crate::diagnostic::Result;

impl Builder<'_> {
    /// Runs layers `times` times, with the index as a local.
    pub(super) fn repeat(
        &mut self,
        times: &Expression,
        knobs: &Knobs,
        layers: &[Node],
    ) -> Result<()> {
        let times = self.whole("repeat", times)?;
        let index: Arc<str> = knobs.get("as").map_or("index", |name| name.text()).into();
        let mut done = 0;
        while done < times {
            let (frame, local) = (self.frames.len(), self.frame().locals.len());
            self.frame_mut().locals.push((index.clone(), Value::count(done)));
            self.repeats.push(Repeat { frame, local, reads: 0, indexed: Vec::new() });
            let (start, first) = (self.tensor.clone(), self.emitted.len());
            let result = self.scope(knobs, true).and_then(|scope| {
                self.scopes.push(scope);
                let result = self.run(layers);
                self.scopes.pop();
                result
            });
            let repeat = self.repeats.pop();
            done += 1;
            // Nothing but its index and the tensor differs in the next iteration.
            let alike = match &repeat {
                Some(Repeat { reads: 0, indexed, .. })
                    if result.is_ok() && self.tensor == start =>
                {
                    self.alike(local, indexed, done..times)
                }
                _ => 0,
            };
            self.frame_mut().locals.truncate(local);
            result?;
            done += alike;
            if alike == 0 {
                continue;
            }
            for at in first..self.emitted.len() {
                let (layer, computed, copies) = self.emitted[at];
                self.emitted[at] =
                    (layer, computed.saturating_mul(alike + 1), copies.saturating_mul(alike + 1));
                let layer = &mut self.layers[layer];
                layer.count = layer.count.saturating_add(computed.saturating_mul(alike));
                layer.weight_copies =
                    layer.weight_copies.saturating_add(copies.saturating_mul(alike));
            }
        }
        Ok(())
    }

    /// How many iterations from the next one on have the same values of what depends on the index.
    fn alike(
        &mut self,
        local: usize,
        indexed: &[(Arc<str>, Value)],
        mut rest: std::ops::Range<u64>,
    ) -> u64 {
        if indexed.is_empty() {
            return rest.end - rest.start;
        }
        let start = rest.start;
        let differs = rest.find(|index| {
            self.frame_mut().locals[local].1 = Value::count(*index);
            indexed.iter().any(
                |(name, value)| !matches!(self.lookup(name), Ok(Some(other)) if other == *value),
            )
        });
        differs.unwrap_or(rest.end) - start
    }
}
