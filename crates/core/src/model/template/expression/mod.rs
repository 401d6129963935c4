//! The expressions of templates: arithmetic over the keys of a configuration.
//!
//! ```text
//! head_dim ?? hidden_size / num_attention_heads      a key, or else another
//! 8 if layer % 2 == 0 else 0                         a choice
//! layer_types[layer] == 'sliding_attention'          indexing, texts in quotes
//! config.hidden                                      the key, where a name means something else
//! max(64, ceil(hidden / 3)), layer in [0, 4], not tied and bias
//! ```
//!
//! `/` of whole numbers is whole if it divides and a fraction if not; `//` rounds down. `a ?? b` is
//! `b` if `a` is null or one of its keys is missing. From loose to tight: `if else`, `??`, `or`,
//! `and`, comparisons and `in`, sums, products, `**`, `-`, indexing.
//!
//! Functions: `min`, `max` and `sum` of values or of one list; `ceil`, `floor`, `round` (ties to
//! even), `abs`, `sqrt` of a number; `len` of a list or text; `count(list, x)`; `first(list, n)`;
//! `multiple(x, step)`, the multiple of `step` nearest to `x` but at most 10 % below it;
//! `starts_with`, `ends_with`; `at(list, i)`, which is also the value itself if it is no list.

mod evaluate;
mod parse;

use std::sync::Arc;

use super::value::Value;
use crate::diagnostic::{Error, Result};

/// A parsed expression with its text.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Arc<str>,
    root: Node,
}

/// The source of an expression's names.
pub trait Names {
    /// The value of `name`; `None` if nothing is called that.
    ///
    /// # Errors
    /// If the name stands for an expression that has no value.
    fn lookup(&mut self, name: &str) -> Result<Option<Value>, Failure>;

    /// The value of the configuration's key `name`, whatever else has that name: `config.name`.
    ///
    /// # Errors
    /// As [`Names::lookup`].
    fn key(&mut self, name: &str) -> Result<Option<Value>, Failure>;
}

/// The reason why an expression has no value.
#[derive(Debug)]
pub enum Failure {
    /// A key is missing, which `??` forgives.
    Missing(String),
    /// Any other reason.
    Wrong(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Wrong(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing(name) => Error::input(format!("`{name}` is missing")),
            Failure::Wrong(error) => error,
        }
    }
}

/// A node of the tree of an expression.
#[derive(Clone, Debug)]
enum Node {
    /// A value written out: a number, a text in quotes, true, false or null.
    Literal(Value),
    /// A name, looked up in the configuration and the template.
    Name(Arc<str>),
    /// `[a, b]`.
    List(Vec<Node>),
    /// A section, from a file only.
    Map(Vec<(String, Node)>),
    /// `a[b]`: the entry of a list, the letter of a text, the value of a key.
    Index(Box<Node>, Box<Node>),
    /// `a.key`; `config.key` is the configuration's own key.
    Member(Box<Node>, Arc<str>),
    /// `not a`: true for null, false, 0 and empty values.
    Not(Box<Node>),
    /// `-a`.
    Negative(Box<Node>),
    /// Two operands and what joins them.
    Binary(Operation, Box<Node>, Box<Node>),
    /// `b if a else c`, as `[a, b, c]`.
    Choose(Box<[Node; 3]>),
    /// `f(a, b)`.
    Call(Function, Vec<Node>),
}

/// Operations of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// `a ?? b`: b if a is null or a key in it is missing.
    Coalesce,
    /// `a or b`: a if it holds, else b.
    Or,
    /// `a and b`: b if a holds, else a.
    And,
    /// `a == b`; 2 equals 2.0.
    Equal,
    /// `a != b`.
    Differ,
    /// `a < b`, of numbers.
    Less,
    /// `a <= b`, of numbers.
    LessEqual,
    /// `a > b`, of numbers.
    Greater,
    /// `a >= b`, of numbers.
    GreaterEqual,
    /// `a in b`: an item of a list, a key of a section, a part of a text.
    In,
    /// `a not in b`.
    NotIn,
    /// `a + b`, of numbers or texts.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b`: whole if b divides a, else a fraction.
    Divide,
    /// `a // b`, rounded down.
    DivideDown,
    /// `a % b`: the remainder of `//`, never negative.
    Remainder,
    /// `a ** b`: the power.
    Power,
}

/// Functions that an expression may call.
#[derive(Clone, Copy, Debug)]
enum Function {
    /// The least of its values, or of the entries of one list.
    Min,
    /// The greatest of its values, or of the entries of one list.
    Max,
    /// The number rounded up.
    Ceil,
    /// The number rounded down.
    Floor,
    /// The number rounded to the nearest whole one, ties to the even one.
    Round,
    /// The number without its sign.
    Abs,
    /// The square root; whole if it is.
    Sqrt,
    /// The length of a list, section or text; 1 for a number.
    Len,
    /// The sum of its values, or of the entries of one list.
    Sum,
    /// `count(list, x)`: the entries that equal x.
    Count,
    /// `first(list, n)`: the first n entries.
    First,
    /// `multiple(x, step)`: the multiple of `step` nearest to x, but at most 10 % below it.
    Multiple,
    /// `starts_with(text, part)`.
    StartsWith,
    /// `ends_with(text, part)`.
    EndsWith,
    /// `at(list, i)`: the entry, or the value itself if it is no list.
    At,
}

impl Function {
    /// The functions by the names under which expressions call them.
    const ALL: [(&'static str, Self); 15] = [
        ("min", Self::Min),
        ("max", Self::Max),
        ("ceil", Self::Ceil),
        ("floor", Self::Floor),
        ("round", Self::Round),
        ("abs", Self::Abs),
        ("sqrt", Self::Sqrt),
        ("len", Self::Len),
        ("sum", Self::Sum),
        ("count", Self::Count),
        ("first", Self::First),
        ("multiple", Self::Multiple),
        ("starts_with", Self::StartsWith),
        ("ends_with", Self::EndsWith),
        ("at", Self::At),
    ];
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// If the text is not one: the error has the part that was not expected.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Self { text: text.into(), root: parse::parse(text)? })
    }

    /// An expression that is a plain value.
    pub fn literal(value: Value) -> Self {
        Self { text: value.to_string().into(), root: Node::Literal(value) }
    }

    /// A list of expressions.
    pub fn list(items: Vec<Self>) -> Self {
        let texts: Vec<_> = items.iter().map(|item| &*item.text).collect();
        let text = format!("[{}]", texts.join(", ")).into();
        Self { text, root: Node::List(items.into_iter().map(|item| item.root).collect()) }
    }

    /// A section of expressions.
    pub fn map(items: Vec<(String, Self)>) -> Self {
        let root = Node::Map(items.into_iter().map(|(key, item)| (key, item.root)).collect());
        Self { text: "{...}".into(), root }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value, with `names` for the keys. Whole numbers stay whole as long as they fit 64 bits.
    ///
    /// # Errors
    /// If a key is missing, an operation does not fit its operands, or a divisor is zero.
    pub fn evaluate(&self, names: &mut impl Names) -> Result<Value, Failure> {
        evaluate::evaluate(&self.root, names)
    }

    /// Calls `found` with each name in it; `optional` is true if a `??` forgives its absence.
    pub fn names(&self, found: &mut impl FnMut(&str, bool)) {
        walk(&self.root, false, found);
    }
}

/// Calls `found` with each name below a node.
fn walk(node: &Node, optional: bool, found: &mut impl FnMut(&str, bool)) {
    match node {
        Node::Literal(_) => {}
        Node::Name(name) => found(name, optional),
        Node::List(items) | Node::Call(_, items) => {
            for item in items {
                walk(item, optional, found);
            }
        }
        Node::Map(items) => items.iter().for_each(|(_, item)| walk(item, optional, found)),
        Node::Index(list, index) => {
            walk(list, optional, found);
            walk(index, optional, found);
        }
        Node::Member(of, key) if matches!(&**of, Node::Name(name) if &**name == "config") => {
            found(key, optional);
        }
        Node::Member(of, _) | Node::Not(of) | Node::Negative(of) => walk(of, optional, found),
        Node::Binary(operation, left, right) => {
            walk(left, optional || *operation == Operation::Coalesce, found);
            walk(right, optional, found);
        }
        Node::Choose(parts) => parts.iter().for_each(|part| walk(part, optional, found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Names for Fixed {
        fn lookup(&mut self, name: &str) -> Result<Option<Value>, Failure> {
            Ok(match name {
                "hidden" => Some(Value::Int(4096)),
                "heads" => Some(Value::Int(32)),
                "empty" => Some(Value::Null),
                "kinds" => Some(Value::List([Value::text("full"), Value::text("slide")].into())),
                "rope" => Some(Value::from(&serde_json::json!({"theta": 10000.0}))),
                _ => None,
            })
        }

        fn key(&mut self, name: &str) -> Result<Option<Value>, Failure> {
            self.lookup(name)
        }
    }

    fn value(text: &str) -> String {
        match Expression::parse(text).and_then(|it| Ok(it.evaluate(&mut Fixed)?)) {
            Ok(value) => value.to_string(),
            Err(error) => format!("! {}", error.message()),
        }
    }

    #[test]
    fn expressions_have_their_values() {
        let cases = [
            ("hidden / heads", "128"),
            ("hidden / 3 * 3", "4096"),
            ("7 // 2 + 7 % 2 + 2 ** 3", "12"),
            ("1_000 * 1.5e3", "1500000"),
            ("-3 + 4 - -1", "2"),
            ("2 + 3 * 4 == 14 and not heads < 3", "true"),
            ("missing ?? empty ?? 5", "5"),
            ("missing.inner[3] ?? 1", "1"),
            ("empty[0] ?? 2", "2"),
            ("kinds[1] == 'slide'", "true"),
            ("kinds[-2]", "full"),
            ("'full' in kinds and 'x' not in kinds", "true"),
            ("rope.theta", "10000"),
            ("8 if heads > 40 else 6 if heads > 30 else 4", "6"),
            ("max(1, heads, 4) + min([3, 2]) + ceil(1.2) + len(kinds)", "38"),
            ("multiple(33, 8)", "32"),
            ("multiple(11.2, 8)", "16"),
            ("sum([1, 2, 3]) + count(kinds, 'full')", "7"),
            ("starts_with(kinds[0], 'fu')", "true"),
            ("round(2.5) + sqrt(16)", "6"),
            ("not empty or missing", "true"),
            ("missing", "! `missing` is missing"),
            ("1 / 0", "! 1 is divided by zero"),
            ("kinds[2]", "! a list of 2 has no entry 2"),
            ("kinds + 1", "! [full, slide] and 1 are not both numbers"),
            ("2 +", "! `2 +` is not an expression: did not expect its end"),
            ("(2", "! `(2` is not an expression: did not expect its end"),
            ("2 3", "! `2 3` is not an expression: did not expect 3"),
            ("a $ b", "! `a $ b` is not an expression: `$` has no meaning"),
            ("at(kinds, 1) == 'slide' and at(heads, 1) == 32", "true"),
            ("mx(1)", "! `mx` is not a function"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn size_is_bounded() {
        assert!(Expression::parse(&"(".repeat(100_000)).is_err());
        assert!(Expression::parse(&"-".repeat(1_000)).is_err());
        assert!(Expression::parse(&"1+".repeat(100_000)).is_err());
        assert!(Expression::parse(&"not ".repeat(1_000)).is_err());
        assert_eq!(value("9223372036854775807 + 1"), "9223372036854776000");
    }
}
