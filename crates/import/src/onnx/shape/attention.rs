//! Fused attention: the operator of ONNX since version 23 and those of ONNX Runtime.

use super::super::call::{Call, Inferred};
use super::super::value::Value;
use super::{Outputs, total};

/// Extents of an attention node.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Extents {
    /// Sequences.
    pub(in super::super) batch: u64,
    /// Query heads.
    pub(in super::super) heads: u64,
    /// Heads of keys and values.
    pub(in super::super) kv_heads: u64,
    /// Queries per sequence.
    pub(in super::super) queries: u64,
    /// Keys seen, those of the past included.
    pub(in super::super) keys: u64,
    /// Features of a query and a key head.
    pub(in super::super) qk_dim: u64,
    /// Features of a value head.
    pub(in super::super) v_dim: u64,
}

/// Length of the past in a cache `[..., length, head_dim]` at input `index`; 0 without a cache.
fn past(call: &Call, index: usize) -> Inferred<u64> {
    if call.optional(index).is_none() {
        return Ok(0);
    }
    let cache = call.ranked(index, 4)?;
    Ok(cache[cache.len() - 2])
}

/// A setting that is a number of heads.
fn heads_of(call: &Call, name: &str) -> Inferred<u64> {
    match call.count(name)? {
        Some(heads) if heads > 0 => Ok(heads),
        _ => Err(call.invalid(format!("setting `{name}` is missing or 0"))),
    }
}

/// A sum of extents that 64 bits must hold.
fn sum(call: &Call, a: u64, b: u64) -> Inferred<u64> {
    a.checked_add(b).ok_or_else(|| call.invalid("a dimension overflows"))
}

/// Features per head, which must divide.
fn divide(call: &Call, whole: u64, parts: u64) -> Inferred<u64> {
    if parts > 0 && whole.is_multiple_of(parts) {
        Ok(whole / parts)
    } else {
        Err(call.invalid(format!("{whole} features in {parts} heads")))
    }
}

/// `Attention(q, k, v, mask, past_key, past_value)`: q is `[batch, heads, length, dim]` or
/// `[batch, length, heads x dim]`; in the second form settings `q_num_heads` and `kv_num_heads`
/// have the heads. Keys of the past are seen, too.
pub(in super::super) fn standard(call: &Call) -> Inferred<Extents> {
    let (q, k, v) = (call.ranked(0, 3)?, call.ranked(1, 3)?, call.ranked(2, 3)?);
    let past = past(call, 4)?;
    if q.len() == 4 && k.len() == 4 && v.len() == 4 {
        return Ok(Extents {
            batch: q[0],
            heads: q[1],
            kv_heads: k[1],
            queries: q[2],
            keys: sum(call, k[2], past)?,
            qk_dim: q[3],
            v_dim: v[3],
        });
    }
    let (heads, kv_heads) = (heads_of(call, "q_num_heads")?, heads_of(call, "kv_num_heads")?);
    Ok(Extents {
        batch: q[0],
        heads,
        kv_heads,
        queries: q[1],
        keys: sum(call, k[1], past)?,
        qk_dim: divide(call, q[2], heads)?,
        v_dim: divide(call, v[2], kv_heads)?,
    })
}

/// Output `[batch, heads, queries, dim]` or `[batch, queries, heads x dim]`, present keys and
/// values, scores.
pub(in super::super) fn standard_outputs(call: &Call) -> Outputs {
    let it = standard(call)?;
    let packed = call.ranked(0, 3)?.len() == 3;
    let shape = if packed {
        vec![it.batch, it.queries, total(call, &[it.heads, it.v_dim])?]
    } else {
        vec![it.batch, it.heads, it.queries, it.v_dim]
    };
    let value = |shape| Value::new(call.data_type(0), shape);
    Ok(vec![
        value(shape),
        value(vec![it.batch, it.kv_heads, it.keys, it.qk_dim]),
        value(vec![it.batch, it.kv_heads, it.keys, it.v_dim]),
        value(vec![it.batch, it.heads, it.queries, it.keys]),
    ])
}

/// `com.microsoft.Attention(x, weights, bias, mask, past)`: the projections of query, key and
/// value are part of it, `[inputs, q + k + v]`.
pub(in super::super) fn projecting(call: &Call) -> Inferred<Extents> {
    let (x, w) = (call.ranked(0, 3)?, call.ranked(1, 2)?);
    let heads = heads_of(call, "num_heads")?;
    let (qk, v) = match call.ints("qkv_hidden_sizes") {
        Some(&[q, _, v]) if q >= 0 && v >= 0 => (q as u64, v as u64),
        _ => (w[1] / 3, w[1] / 3),
    };
    Ok(Extents {
        batch: x[0],
        heads,
        kv_heads: heads,
        queries: x[1],
        keys: sum(call, x[1], past(call, projecting_past(call))?)?,
        qk_dim: divide(call, qk, heads)?,
        v_dim: divide(call, v, heads)?,
    })
}

/// The input that holds the past.
fn projecting_past(call: &Call) -> usize {
    if call.operator.ends_with("QAttention") { 8 } else { 4 }
}

/// Output `[batch, queries, heads x dim]` and present `[2, batch, heads, keys, dim]`.
pub(in super::super) fn projecting_outputs(call: &Call) -> Outputs {
    let it = projecting(call)?;
    let value = |shape| Value::new(call.data_type(0), shape);
    Ok(vec![
        value(vec![it.batch, it.queries, total(call, &[it.heads, it.v_dim])?]),
        value(vec![2, it.batch, it.heads, it.keys, it.qk_dim]),
    ])
}

/// `com.microsoft.MultiHeadAttention(q, k, v, bias, padding, relative, past_key, past_value)`.
/// Keys may come with their heads apart, `[batch, heads, keys, dim]`, or all three packed as
/// `[batch, length, heads, 3, dim]`.
pub(in super::super) fn multi_head(call: &Call) -> Inferred<Extents> {
    let heads = heads_of(call, "num_heads")?;
    let q = call.ranked(0, 3)?;
    if q.len() == 5 {
        let (qk_dim, v_dim) = (q[4], q[4]);
        let (queries, keys) = (q[1], q[1]);
        return Ok(Extents { batch: q[0], heads, kv_heads: heads, queries, keys, qk_dim, v_dim });
    }
    let qk_dim = divide(call, q[2], heads)?;
    let (keys, v_dim) = match call.optional(1) {
        None => (q[1], qk_dim),
        Some(_) => match (call.ranked(1, 3)?.as_slice(), call.optional(2)) {
            (k, Some(_)) if k.len() == 3 => (k[1], divide(call, call.ranked(2, 3)?[2], heads)?),
            (k, Some(_)) => (k[2], call.ranked(2, 4)?[3]),
            (k, None) => (k[1], qk_dim),
        },
    };
    let keys = sum(call, keys, past(call, 6)?)?;
    Ok(Extents { batch: q[0], heads, kv_heads: heads, queries: q[1], keys, qk_dim, v_dim })
}

/// Output, present keys and values, as in `head_outputs`.
pub(in super::super) fn multi_head_outputs(call: &Call) -> Outputs {
    head_outputs(call, multi_head(call)?)
}

/// `com.microsoft.GroupQueryAttention(q, k, v, past_key, past_value, ...)`; without `k` all
/// three are packed into `q`.
pub(in super::super) fn grouped(call: &Call) -> Inferred<Extents> {
    let (heads, kv_heads) = (heads_of(call, "num_heads")?, heads_of(call, "kv_num_heads")?);
    let q = call.ranked(0, 3)?;
    let query_heads =
        if call.optional(1).is_some() { heads } else { sum(call, heads, 2 * kv_heads)? };
    let dim = divide(call, q[2], query_heads)?;
    let keys = sum(call, q[1], past(call, 3)?)?;
    Ok(Extents { batch: q[0], heads, kv_heads, queries: q[1], keys, qk_dim: dim, v_dim: dim })
}

/// Output, present keys and values, as in `head_outputs`.
pub(in super::super) fn grouped_outputs(call: &Call) -> Outputs {
    head_outputs(call, grouped(call)?)
}

/// Output `[batch, queries, heads x dim]`, present keys and values `[batch, kv_heads, keys, dim]`.
fn head_outputs(call: &Call, it: Extents) -> Outputs {
    let value = |shape| Value::new(call.data_type(0), shape);
    Ok(vec![
        value(vec![it.batch, it.queries, total(call, &[it.heads, it.v_dim])?]),
        value(vec![it.batch, it.kv_heads, it.keys, it.qk_dim]),
        value(vec![it.batch, it.kv_heads, it.keys, it.v_dim]),
    ])
}
