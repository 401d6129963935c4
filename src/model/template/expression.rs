//! The expressions of templates: arithmetic over the keys of a configuration.
//!
//! ```text
//! head_dim ?? hidden_size / num_attention_heads      a key, or else another
//! 8 if layer % 2 == 0 else 0                         a choice
//! layer_types[layer] == 'sliding_attention'          indexing, texts in quotes
//! config.hidden                                      the key, where a name means something else
//! max(64, ceil(hidden / 3)), layer in [0, 4], not tied and bias
//! ```
//! `/` of whole numbers is whole where it divides and a fraction where not; `//` rounds down.
//! `a ?? b` is `b` where `a` is null or one of its keys is missing.

use std::sync::Arc;

use indexmap::IndexMap;

use super::value::Value;
use crate::diagnostic::{Error, Result};

/// A parsed expression with its text.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Arc<str>,
    root: Node,
}

/// Where the names of an expression come from.
pub trait Names {
    /// The value of `name`, `None` where nothing is called that.
    fn lookup(&mut self, name: &str) -> Result<Option<Value>, Failure>;

    /// The value of the configuration's key `name`, whatever else has that name: `config.name`.
    fn key(&mut self, name: &str) -> Result<Option<Value>, Failure>;
}

/// Why an expression has no value.
#[derive(Debug)]
pub enum Failure {
    /// A key is missing, which `??` forgives.
    Missing(String),
    /// Anything else.
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

#[derive(Clone, Debug)]
enum Node {
    Literal(Value),
    Name(Arc<str>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    Index(Box<Node>, Box<Node>),
    Member(Box<Node>, Arc<str>),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operation, Box<Node>, Box<Node>),
    Choose(Box<[Node; 3]>),
    Call(Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Coalesce,
    Or,
    And,
    Equal,
    Differ,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideDown,
    Remainder,
    Power,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Min,
    Max,
    Ceil,
    Floor,
    Round,
    Abs,
    Sqrt,
    Len,
    Sum,
    Count,
    First,
    Multiple,
    StartsWith,
    EndsWith,
    At,
}

impl Function {
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

/// The most nodes of an expression: keeps evaluation within the stack.
const MOST_NODES: usize = 400;
/// The deepest nesting of parentheses.
const MOST_DEPTH: usize = 40;

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Where the text is not one, with what was met instead.
    pub fn parse(text: &str) -> Result<Self> {
        let tokens = tokens(text)?;
        let mut parser = Parser { text, tokens, next: 0, nodes: 0, depth: 0 };
        let root = parser.choice()?;
        match parser.peek() {
            None => Ok(Self { text: text.into(), root }),
            Some(token) => Err(parser.unexpected(&token.to_string())),
        }
    }

    /// An expression that is a value.
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

    /// Its value, with `names` for the keys.
    ///
    /// # Errors
    /// A missing key, an operation that its operands do not have, a division by zero, an overflow.
    pub fn evaluate(&self, names: &mut impl Names) -> Result<Value, Failure> {
        evaluate(&self.root, names)
    }

    /// Calls `found` with each name in it; `optional` where a `??` forgives its absence.
    pub fn names(&self, found: &mut impl FnMut(&str, bool)) {
        walk(&self.root, false, found);
    }
}

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

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(Value),
    Text(Arc<str>),
    Word(Arc<str>),
    Sign(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Word(word) => f.write_str(word),
            Self::Sign(sign) => f.write_str(sign),
        }
    }
}

const SIGNS: [&str; 22] = [
    "??", "==", "!=", "<=", ">=", "//", "**", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[",
    "]", ",", ".", "&&", "||",
];

fn tokens(text: &str) -> Result<Vec<Token>> {
    let wrong = |what: &str| Error::input(format!("`{text}` is not an expression: {what}"));
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if found.len() > 2 * MOST_NODES {
            return Err(Error::input("an expression is too long"));
        }
        let token = if first.is_ascii_digit() {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
            let mut end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
            if rest[..end].ends_with(['e', 'E']) && rest[end..].starts_with('-') {
                let digits = &rest[end + 1..];
                end += 1 + digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            }
            let (number, after) = rest.split_at(end);
            rest = after;
            let plain = number.replace('_', "");
            let value = plain.parse().map(Value::Int).or_else(|_| plain.parse().map(Value::Float));
            Token::Number(value.map_err(|_| wrong(&format!("`{number}` is no number")))?)
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            Token::Word(word.into())
        } else if first == '\'' || first == '"' {
            let (inner, after) =
                rest[1..].split_once(first).ok_or_else(|| wrong("a quote is not closed"))?;
            rest = after;
            Token::Text(inner.into())
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.ok_or_else(|| wrong(&format!("`{first}` has no meaning")))?;
            rest = &rest[sign.len()..];
            Token::Sign(sign)
        };
        found.push(token);
        rest = rest.trim_start();
    }
    Ok(found)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    nodes: usize,
    depth: usize,
}

/// Binary operations from the loosest to the tightest.
const LEVELS: [&[(&str, Operation)]; 7] = [
    &[("??", Operation::Coalesce)],
    &[("or", Operation::Or), ("||", Operation::Or)],
    &[("and", Operation::And), ("&&", Operation::And)],
    &[
        ("==", Operation::Equal),
        ("!=", Operation::Differ),
        ("<=", Operation::LessEqual),
        (">=", Operation::GreaterEqual),
        ("<", Operation::Less),
        (">", Operation::Greater),
        ("in", Operation::In),
        ("not", Operation::NotIn),
    ],
    &[("+", Operation::Add), ("-", Operation::Subtract)],
    &[
        ("*", Operation::Multiply),
        ("//", Operation::DivideDown),
        ("/", Operation::Divide),
        ("%", Operation::Remainder),
    ],
    &[("**", Operation::Power)],
];

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn takes(&mut self, expected: &str) -> bool {
        let met = match self.peek() {
            Some(Token::Sign(sign)) => *sign == expected,
            Some(Token::Word(word)) => &**word == expected,
            _ => false,
        };
        self.next += usize::from(met);
        met
    }

    fn needs(&mut self, expected: &str) -> Result<()> {
        if self.takes(expected) {
            return Ok(());
        }
        let met = self.peek().map_or("its end".to_owned(), Token::to_string);
        Err(self.unexpected(&met).hint(format!("expected `{expected}`")))
    }

    fn unexpected(&self, met: &str) -> Error {
        Error::input(format!("`{}` is not an expression: did not expect {met}", self.text))
    }

    fn count(&mut self) -> Result<()> {
        self.nodes += 1;
        if self.nodes > MOST_NODES || self.depth > MOST_DEPTH {
            return Err(Error::input("an expression is too large"));
        }
        Ok(())
    }

    /// `a if condition else b`
    fn choice(&mut self) -> Result<Node> {
        self.depth += 1;
        self.count()?;
        let mut node = self.binary(0)?;
        if self.takes("if") {
            let condition = self.binary(0)?;
            self.needs("else")?;
            let otherwise = self.choice()?;
            node = Node::Choose(Box::new([condition, node, otherwise]));
        }
        self.depth -= 1;
        Ok(node)
    }

    fn binary(&mut self, level: usize) -> Result<Node> {
        let Some(operations) = LEVELS.get(level) else {
            return self.unary();
        };
        if level == 3 && self.takes("not") {
            self.count()?;
            self.depth += 1;
            let node = Node::Not(Box::new(self.binary(level)?));
            self.depth -= 1;
            return Ok(node);
        }
        let mut left = self.binary(level + 1)?;
        while let Some((_, operation)) =
            operations.iter().find(|(sign, _)| self.takes(sign)).copied()
        {
            self.count()?;
            if operation == Operation::NotIn {
                self.needs("in")?;
            }
            let right = self.binary(level + 1)?;
            left = Node::Binary(operation, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node> {
        self.count()?;
        if self.takes("-") {
            self.depth += 1;
            let node = Node::Negative(Box::new(self.unary()?));
            self.depth -= 1;
            return Ok(node);
        }
        let mut node = self.primary()?;
        loop {
            if self.takes("[") {
                self.count()?;
                let index = self.choice()?;
                self.needs("]")?;
                node = Node::Index(Box::new(node), Box::new(index));
            } else if self.takes(".") {
                self.count()?;
                match self.tokens.get(self.next) {
                    Some(Token::Word(word)) => node = Node::Member(Box::new(node), word.clone()),
                    _ => return Err(self.unexpected("what follows `.`")),
                }
                self.next += 1;
            } else {
                return Ok(node);
            }
        }
    }

    fn primary(&mut self) -> Result<Node> {
        let token = self.peek().cloned().ok_or_else(|| self.unexpected("its end"))?;
        self.next += 1;
        Ok(match token {
            Token::Number(value) => Node::Literal(value),
            Token::Text(text) => Node::Literal(Value::Text(text)),
            Token::Sign("(") => {
                let node = self.choice()?;
                self.needs(")")?;
                node
            }
            Token::Sign("[") => Node::List(self.items("]")?),
            Token::Sign(sign) => return Err(self.unexpected(sign)),
            Token::Word(word) => match &*word {
                "null" | "none" => Node::Literal(Value::Null),
                "true" => Node::Literal(Value::Bool(true)),
                "false" => Node::Literal(Value::Bool(false)),
                "if" | "else" | "and" | "or" | "in" => return Err(self.unexpected(&word)),
                name if self.takes("(") => {
                    let known = Function::ALL.into_iter().find(|(known, _)| *known == name);
                    let (_, function) = known.ok_or_else(|| {
                        Error::input(format!("`{name}` is not a function"))
                            .suggest(name, Function::ALL.into_iter().map(|(known, _)| known))
                    })?;
                    Node::Call(function, self.items(")")?)
                }
                _ => Node::Name(word),
            },
        })
    }

    fn items(&mut self, end: &str) -> Result<Vec<Node>> {
        let mut items = Vec::new();
        while !self.takes(end) {
            if !items.is_empty() {
                self.needs(",")?;
            }
            items.push(self.choice()?);
        }
        Ok(items)
    }
}

fn wrong(message: String) -> Failure {
    Failure::Wrong(Error::input(message))
}

fn evaluate(node: &Node, names: &mut impl Names) -> Result<Value, Failure> {
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
    let number = |value: &Value| {
        value.number().ok_or_else(|| wrong(format!("{value} is {}, not a number", value.kind())))
    };
    let whole = |number: f64| {
        if number.abs() < 9.0e18 { Value::Int(number as i64) } else { Value::Float(number) }
    };
    let items = |values: &[Value]| -> Vec<Value> {
        match values {
            [Value::List(list)] => list.to_vec(),
            _ => values.to_vec(),
        }
    };
    match function {
        Function::Min | Function::Max => {
            let wants = if matches!(function, Function::Min) {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Greater
            };
            let mut best: Option<Value> = None;
            for value in items(arguments) {
                let better = match &best {
                    Some(best) => number(&value)?.total_cmp(&number(best)?) == wants,
                    None => number(&value).map(|_| true)?,
                };
                if better {
                    best = Some(value);
                }
            }
            best.ok_or_else(|| wrong("the least or greatest of nothing".to_owned()))
        }
        Function::Sum => items(arguments)
            .iter()
            .try_fold(Value::Int(0), |sum, value| arithmetic(Operation::Add, &sum, value)),
        Function::Count => {
            needs(2)?;
            let found =
                items(&arguments[..1]).iter().filter(|item| item.same(&arguments[1])).count();
            Ok(Value::count(found as u64))
        }
        Function::First => {
            needs(2)?;
            let most = arguments[1].whole().and_then(|most| usize::try_from(most).ok());
            match (&arguments[0], most) {
                (Value::List(list), Some(most)) => {
                    Ok(Value::List(list.iter().take(most).cloned().collect()))
                }
                (list, _) => Err(wrong(format!("the first of {}", list.kind()))),
            }
        }
        Function::Multiple => {
            // the multiple of `step` that is nearest to `x`, at least `step`, at most 10 % below x:
            // how MobileNets and EfficientNets round channels
            needs(2)?;
            let (x, step) = (number(&arguments[0])?, number(&arguments[1])?);
            if step <= 0.0 {
                return Err(wrong("multiples of nothing".to_owned()));
            }
            let nearest = ((x + step / 2.0) / step).floor().max(1.0) * step;
            Ok(whole(if nearest < 0.9 * x { nearest + step } else { nearest }))
        }
        Function::At => {
            // the entry of a list, or what serves all entries
            needs(2)?;
            match &arguments[0] {
                Value::List(_) => indexed(&arguments[0], &arguments[1]),
                all => Ok(all.clone()),
            }
        }
        Function::Len => {
            needs(1)?;
            match &arguments[0] {
                Value::List(list) => Ok(Value::count(list.len() as u64)),
                Value::Map(map) => Ok(Value::count(map.len() as u64)),
                Value::Text(text) => Ok(Value::count(text.chars().count() as u64)),
                Value::Int(_) | Value::Float(_) => Ok(Value::count(1)),
                other => Err(wrong(format!("{} has no length", other.kind()))),
            }
        }
        Function::StartsWith | Function::EndsWith => {
            needs(2)?;
            match (&arguments[0], &arguments[1]) {
                (Value::Text(text), Value::Text(part)) => {
                    Ok(Value::Bool(if matches!(function, Function::StartsWith) {
                        text.starts_with(&**part)
                    } else {
                        text.ends_with(&**part)
                    }))
                }
                _ => Ok(Value::Bool(false)),
            }
        }
        Function::Ceil | Function::Floor | Function::Round | Function::Abs | Function::Sqrt => {
            needs(1)?;
            let x = number(&arguments[0])?;
            Ok(match function {
                Function::Ceil => whole(x.ceil()),
                Function::Floor => whole(x.floor()),
                Function::Round => whole(x.round_ties_even()),
                Function::Abs if arguments[0].whole().is_some() => arguments[0].clone(),
                Function::Abs => Value::Float(x.abs()),
                _ if x < 0.0 => return Err(wrong(format!("{x} has no square root"))),
                _ => {
                    let root = x.sqrt();
                    if root.fract().abs() <= 0.0 { whole(root) } else { Value::Float(root) }
                }
            })
        }
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
