//! The value of an expression's tree.

use std::cmp::Ordering;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{Failure, Function, Names, Node, Operation};
use crate::diagnostic::Error;
use crate::model::template::value::Value;

/// A failure that `??` does not forgive.
fn wrong(message: String) -> Failure {
    Failure::Wrong(Error::input(message))
}

/// The value of a node. `and`, `or`, `??` and `if else` evaluate only the operand that they need;
/// `and` and `or` give the value that decided, as in Python.
///
/// # Errors
/// [`Failure::Missing`] for a key that is absent, which `??` forgives, and [`Failure::Wrong`] for
/// an operation that does not fit its operands.
pub(super) fn evaluate(node: &Node, names: &mut impl Names) -> Result<Value, Failure> {
    match node {
        Node::Literal(value) => Ok(value.clone()),
        Node::Name(name) => names.lookup(name)?.ok_or_else(|| Failure::Missing(name.to_string())),
        Node::List(items) => items
            .iter()
            .map(|item| evaluate(item, names))
            .collect::<Result<_, _>>()
            .map(Value::List),
        Node::Map(items) => {
            let entry = |(key, item): &(String, Node)| Ok((key.clone(), evaluate(item, names)?));
            let map: IndexMap<_, _> = items.iter().map(entry).collect::<Result<_, Failure>>()?;
            Ok(Value::Map(Arc::new(map)))
        }
        Node::Not(of) => Ok(Value::Bool(!evaluate(of, names)?.holds())),
        Node::Negative(of) => {
            arithmetic(Operation::Subtract, &Value::Int(0), &evaluate(of, names)?)
        }
        Node::Choose(parts) => {
            let [condition, then, otherwise] = &**parts;
            let chosen = if evaluate(condition, names)?.holds() { then } else { otherwise };
            evaluate(chosen, names)
        }
        Node::Member(of, key) if matches!(&**of, Node::Name(name) if &**name == "config") => {
            names.key(key)?.ok_or_else(|| Failure::Missing(key.to_string()))
        }
        Node::Member(of, key) => match evaluate(of, names)? {
            Value::Map(map) => map.get(&**key).cloned(),
            Value::Null => None,
            other => return Err(wrong(format!("{} has no `{key}`", other.kind()))),
        }
        .ok_or_else(|| Failure::Missing(key.to_string())),
        Node::Index(of, index) => {
            let (list, index) = (evaluate(of, names)?, evaluate(index, names)?);
            indexed(&list, &index)
        }
        Node::Call(function, arguments) => {
            let arguments: Vec<_> = arguments
                .iter()
                .map(|argument| evaluate(argument, names))
                .collect::<Result<_, _>>()?;
            call(*function, &arguments)
        }
        Node::Binary(Operation::Coalesce, left, right) => match evaluate(left, names) {
            Ok(Value::Null) | Err(Failure::Missing(_)) => evaluate(right, names),
            other => other,
        },
        Node::Binary(Operation::And, left, right) => {
            let left = evaluate(left, names)?;
            if left.holds() { evaluate(right, names) } else { Ok(left) }
        }
        Node::Binary(Operation::Or, left, right) => {
            let left = evaluate(left, names)?;
            if left.holds() { Ok(left) } else { evaluate(right, names) }
        }
        Node::Binary(operation, left, right) => {
            let (left, right) = (evaluate(left, names)?, evaluate(right, names)?);
            match operation {
                Operation::Equal => Ok(Value::Bool(left.same(&right))),
                Operation::Differ => Ok(Value::Bool(!left.same(&right))),
                Operation::In => contains(&right, &left).map(Value::Bool),
                Operation::NotIn => contains(&right, &left).map(|found| Value::Bool(!found)),
                _ => arithmetic(*operation, &left, &right),
            }
        }
    }
}

/// The entry of a list (negative indices count from the end), the letter of a text, or the value of
/// a section's key.
fn indexed(list: &Value, index: &Value) -> Result<Value, Failure> {
    match (list, index) {
        (Value::List(items), Value::Int(at)) => {
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let place = if *at < 0 { at + length } else { *at };
            let item = usize::try_from(place).ok().and_then(|place| items.get(place));
            item.cloned().ok_or_else(|| wrong(format!("a list of {length} has no entry {at}")))
        }
        (Value::Text(text), Value::Int(at)) => {
            let letter = usize::try_from(*at).ok().and_then(|at| text.chars().nth(at));
            letter
                .map(|letter| Value::text(letter.encode_utf8(&mut [0; 4])))
                .ok_or_else(|| wrong(format!("`{text}` has no letter {at}")))
        }
        (Value::Map(map), key) => {
            map.get(&key.to_string()).cloned().ok_or_else(|| Failure::Missing(key.to_string()))
        }
        (Value::Null, _) => Err(Failure::Missing("the list".to_owned())),
        _ => Err(wrong(format!("{} cannot be indexed by {}", list.kind(), index.kind()))),
    }
}

/// True if a list has the item, a section the key, or a text the part; null contains nothing.
fn contains(list: &Value, item: &Value) -> Result<bool, Failure> {
    match list {
        Value::List(items) => Ok(items.iter().any(|other| other.same(item))),
        Value::Map(map) => Ok(map.contains_key(&item.to_string())),
        Value::Text(text) => match item {
            Value::Text(part) => Ok(text.contains(&**part)),
            _ => Ok(false),
        },
        Value::Null => Ok(false),
        _ => Err(wrong(format!("{} holds nothing", list.kind()))),
    }
}

/// A sum, product or comparison of two numbers, or two texts joined by `+`.
fn arithmetic(operation: Operation, left: &Value, right: &Value) -> Result<Value, Failure> {
    // Overflow falls through to real numbers, which no extent accepts above 2^63.
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        let whole = match operation {
            Operation::Add => a.checked_add(*b),
            Operation::Subtract => a.checked_sub(*b),
            Operation::Multiply => a.checked_mul(*b),
            Operation::Divide if *b != 0 && a.checked_rem(*b) == Some(0) => a.checked_div(*b),
            Operation::DivideDown => (*b > 0).then(|| a.div_euclid(*b)),
            Operation::Remainder => (*b > 0).then(|| a.rem_euclid(*b)),
            Operation::Power => u32::try_from(*b).ok().and_then(|b| a.checked_pow(b)),
            _ => None,
        };
        if let Some(whole) = whole {
            return Ok(Value::Int(whole));
        }
    }
    if let (Operation::Add, Value::Text(a), Value::Text(b)) = (operation, left, right) {
        return Ok(Value::text(&format!("{a}{b}")));
    }
    let (Some(a), Some(b)) = (left.number(), right.number()) else {
        return Err(wrong(format!("{left} and {right} are not both numbers")));
    };
    let divides =
        matches!(operation, Operation::Divide | Operation::DivideDown | Operation::Remainder);
    if divides && b.abs() <= 0.0 {
        return Err(wrong(format!("{left} is divided by zero")));
    }
    Ok(match operation {
        Operation::Less => Value::Bool(a < b),
        Operation::LessEqual => Value::Bool(a <= b),
        Operation::Greater => Value::Bool(a > b),
        Operation::GreaterEqual => Value::Bool(a >= b),
        Operation::Add => Value::Float(a + b),
        Operation::Subtract => Value::Float(a - b),
        Operation::Multiply => Value::Float(a * b),
        Operation::Divide => Value::Float(a / b),
        Operation::DivideDown => Value::Float((a / b).floor()),
        Operation::Remainder => Value::Float(a.rem_euclid(b)),
        Operation::Power => Value::Float(a.powf(b)),
        _ => return Err(wrong(format!("{left} and {right} cannot be combined"))),
    })
}

/// The value of a function call.
///
/// # Errors
/// If there are too many values or too few, or they are of a kind that the function does not take.
fn call(function: Function, arguments: &[Value]) -> Result<Value, Failure> {
    let needs = |count: usize| {
        let names = Function::ALL.iter().find(|(_, known)| *known as u8 == function as u8);
        let name = names.map_or("a function", |(name, _)| name);
        if arguments.len() == count {
            Ok(())
        } else {
            Err(wrong(format!("`{name}` takes {count} values, not {}", arguments.len())))
        }
    };
    match function {
        Function::Min => extreme(items(arguments), Ordering::Less),
        Function::Max => extreme(items(arguments), Ordering::Greater),
        Function::Sum => items(arguments)
            .iter()
            .try_fold(Value::Int(0), |sum, value| arithmetic(Operation::Add, &sum, value)),
        Function::Count => {
            needs(2)?;
            let found = items(&arguments[..1]).iter().filter(|it| it.same(&arguments[1])).count();
            Ok(Value::count(found as u64))
        }
        Function::First => {
            needs(2)?;
            first(&arguments[0], &arguments[1])
        }
        Function::Multiple => {
            needs(2)?;
            multiple(number(&arguments[0])?, number(&arguments[1])?)
        }
        Function::At => {
            // The entry of a list, or the one value that serves all entries.
            needs(2)?;
            match &arguments[0] {
                Value::List(_) => indexed(&arguments[0], &arguments[1]),
                all => Ok(all.clone()),
            }
        }
        Function::Len => {
            needs(1)?;
            length(&arguments[0])
        }
        Function::StartsWith | Function::EndsWith => {
            needs(2)?;
            let (Value::Text(text), Value::Text(part)) = (&arguments[0], &arguments[1]) else {
                return Ok(Value::Bool(false));
            };
            let starts = matches!(function, Function::StartsWith);
            let holds = if starts { text.starts_with(&**part) } else { text.ends_with(&**part) };
            Ok(Value::Bool(holds))
        }
        Function::Ceil | Function::Floor | Function::Round | Function::Abs | Function::Sqrt => {
            needs(1)?;
            let x = number(&arguments[0])?;
            match function {
                Function::Ceil => Ok(whole(x.ceil())),
                Function::Floor => Ok(whole(x.floor())),
                Function::Round => Ok(whole(x.round_ties_even())),
                Function::Abs if arguments[0].whole().is_some() => Ok(arguments[0].clone()),
                Function::Abs => Ok(Value::Float(x.abs())),
                _ => root(x),
            }
        }
    }
}

/// The number of a value.
fn number(value: &Value) -> Result<f64, Failure> {
    value.number().ok_or_else(|| wrong(format!("{value} is {}, not a number", value.kind())))
}

/// A whole number as such; one beyond 9e18 stays a real number.
fn whole(number: f64) -> Value {
    if number.abs() < 9.0e18 { Value::Int(number as i64) } else { Value::Float(number) }
}

/// The values that a function is over: those of its one list, or its arguments.
fn items(values: &[Value]) -> Vec<Value> {
    match values {
        [Value::List(list)] => list.to_vec(),
        _ => values.to_vec(),
    }
}

/// The least or the greatest of some numbers, the first of equals.
fn extreme(values: Vec<Value>, wanted: Ordering) -> Result<Value, Failure> {
    let mut best: Option<(f64, Value)> = None;
    for value in values {
        let found = number(&value)?;
        if best.as_ref().is_none_or(|(best, _)| found.total_cmp(best) == wanted) {
            best = Some((found, value));
        }
    }
    best.map(|(_, value)| value).ok_or_else(|| wrong("the least or greatest of nothing".to_owned()))
}

/// The first entries of a list, as many as `most` says.
fn first(list: &Value, most: &Value) -> Result<Value, Failure> {
    let most = most.whole().and_then(|most| usize::try_from(most).ok());
    match (list, most) {
        (Value::List(list), Some(most)) => {
            Ok(Value::List(list.iter().take(most).cloned().collect()))
        }
        (list, _) => Err(wrong(format!("the first of {}", list.kind()))),
    }
}

/// The multiple of `step` that is nearest to `x`, at least `step`, at most 10 % below x.
/// Image networks for phones round their channels in this way.
fn multiple(x: f64, step: f64) -> Result<Value, Failure> {
    if step <= 0.0 {
        return Err(wrong("multiples of nothing".to_owned()));
    }
    let nearest = ((x + step / 2.0) / step).floor().max(1.0) * step;
    Ok(whole(if nearest < 0.9 * x { nearest + step } else { nearest }))
}

/// Entries of a list, keys of a section, letters of a text; a number is one entry.
fn length(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::List(list) => Ok(Value::count(list.len() as u64)),
        Value::Map(map) => Ok(Value::count(map.len() as u64)),
        Value::Text(text) => Ok(Value::count(text.chars().count() as u64)),
        Value::Int(_) | Value::Float(_) => Ok(Value::count(1)),
        other => Err(wrong(format!("{} has no length", other.kind()))),
    }
}

/// The square root, a whole number where it is one.
fn root(x: f64) -> Result<Value, Failure> {
    if x < 0.0 {
        return Err(wrong(format!("{x} has no square root")));
    }
    let root = x.sqrt();
    Ok(if root.fract().abs() <= 0.0 { whole(root) } else { Value::Float(root) })
}
