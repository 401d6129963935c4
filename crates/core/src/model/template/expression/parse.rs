//! The parser of expressions: text to tokens, tokens to a tree, by recursive descent.

use std::sync::Arc;

use super::{Function, Node, Operation};
use crate::diagnostic::{Error, Result};
use crate::model::template::value::Value;

/// The most nodes of an expression. It keeps evaluation within the stack.
const MOST_NODES: usize = 400;

/// The deepest nesting of parentheses.
const MOST_DEPTH: usize = 40;

/// Reads the tree of an expression.
///
/// # Errors
/// If the text is not one: the error has the part that was not expected.
pub(super) fn parse(text: &str) -> Result<Node> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens, next: 0, nodes: 0, depth: 0 };
    // Most are a name or a number.
    let root = match parser.tokens.as_slice() {
        [Token::Word(word)] if &**word == "not" => parser.choice()?,
        [_] => parser.unary()?,
        _ => parser.choice()?,
    };
    match parser.peek() {
        None => Ok(root),
        Some(token) => Err(parser.unexpected(&token.to_string())),
    }
}

/// A token of an expression.
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

/// Signs, so that a longer one comes before its own beginning.
const SIGNS: [&str; 22] = [
    "??", "==", "!=", "<=", ">=", "//", "**", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[",
    "]", ",", ".", "&&", "||",
];

/// The tokens of a text: numbers (with `_` between digits), quoted texts, words and signs.
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

/// The state of the parser. It counts nodes and depth, so that no text can overflow the stack.
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
    /// The next token, if there is one.
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    /// Takes the next token if it is the expected one.
    fn takes(&mut self, expected: &str) -> bool {
        let met = match self.peek() {
            Some(Token::Sign(sign)) => *sign == expected,
            Some(Token::Word(word)) => &**word == expected,
            _ => false,
        };
        self.next += usize::from(met);
        met
    }

    /// Takes the expected token, or fails.
    fn needs(&mut self, expected: &str) -> Result<()> {
        if self.takes(expected) {
            return Ok(());
        }
        let met = self.peek().map_or("its end".to_owned(), Token::to_string);
        Err(self.unexpected(&met).hint(format!("expected `{expected}`")))
    }

    /// The error of a token that was not expected.
    fn unexpected(&self, met: &str) -> Error {
        Error::input(format!("`{}` is not an expression: did not expect {met}", self.text))
    }

    /// Counts a node, of which there is a limit.
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

    /// Operations of a level of [`LEVELS`], from left to right.
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

    /// A sign, then an operand with indices and members behind it.
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

    /// A number, text, name, call, list or parenthesis.
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

    /// Items with commas between them, up to `end`.
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
