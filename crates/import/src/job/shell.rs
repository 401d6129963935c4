//! Shell scripts as job files hold them: variables are filled in, and each command becomes a
//! program with its settings. No command is run, and what a program would say in `$(...)` stays
//! unknown.
//!
//! The reader knows words, quotes, comments, assignments, arrays, `${NAME:-default}`, `$((...))` of
//! whole numbers, the texts of files (`<<END`), and the directives of batch systems. Of a condition
//! that compares words it reads the branch that holds; any other one, and loops, are read as if
//! every branch ran.

use std::collections::BTreeMap;

use super::setting::Setting;

/// The most commands of a script; longer ones are no job file.
const MOST_COMMANDS: usize = 10_000;
/// The most bytes that filling in variables may write; the rest is cut.
const MOST_BYTES: usize = 1 << 20;
/// The longest name of a variable in `$(NAME)`.
const LONGEST_NAME: usize = 128;

/// Variables by name, each of its words.
pub(super) type Variables = BTreeMap<String, Vec<String>>;

/// A command of a script.
#[derive(Clone, Debug, Default)]
pub(super) struct Command {
    /// Program and arguments.
    pub words: Vec<String>,
}

/// A script's commands, and the files that it writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    /// The commands in their order.
    pub commands: Vec<Command>,
    /// The texts that the script writes into files (`cat > file <<EOF`), by the name of the file.
    pub files: BTreeMap<String, String>,
    /// The texts that the script hands to a program (`kubectl apply -f - <<EOF`).
    pub texts: Vec<String>,
    /// The variables as its last line leaves them.
    pub variables: Variables,
    written: usize,
    /// The conditions that are open, innermost last.
    branches: Vec<Branch>,
}

/// An open `if`.
#[derive(Clone, Copy, Debug)]
struct Branch {
    /// The branch that is read now does not run.
    skipped: bool,
    /// An earlier branch ran, so that no later one does.
    taken: bool,
    /// Its condition is still being read.
    asking: bool,
}

impl Script {
    /// Reads a script under variables that are set already; it never fails, for what it cannot
    /// read stays as it is written.
    pub(super) fn read(text: &str, variables: &Variables) -> Self {
        let mut script = Self { variables: variables.clone(), ..Self::default() };
        for tokens in commands(text) {
            script.command(&tokens);
        }
        script
    }

    /// A text with its variables: `$NAME`, `${NAME}`, and `$(NAME)` as Kubernetes writes it.
    pub(super) fn filled(&mut self, text: &str) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("$(") {
            plain.push_str(&rest[..at]);
            rest = &rest[at + 2..];
            let end = rest.bytes().take(LONGEST_NAME).position(|byte| byte == b')');
            let name = end.map(|end| &rest[..end]);
            if let Some(name) = name.filter(|name| self.variables.contains_key(*name)) {
                plain = plain + "${" + name + "}";
                rest = &rest[name.len() + 1..];
            } else {
                plain.push_str("$(");
            }
        }
        plain.push_str(rest);
        self.fill(&Lexer::new(&plain).text()).join(" ")
    }

    /// Fills in the variables of a command, or keeps its assignments.
    fn command(&mut self, tokens: &[Token]) {
        let keyword = match tokens.first() {
            Some(Token::Word(word)) => word.plain(),
            _ => "",
        };
        if let ("then" | "else", [word, rest @ ..]) = (keyword, tokens)
            && !rest.is_empty()
        {
            self.command(std::slice::from_ref(word));
            return self.command(rest);
        }
        let within = self.branches.last().is_some_and(|branch| branch.skipped && !branch.asking);
        if within && !["if", "elif", "else", "fi"].contains(&keyword) {
            return;
        }
        let mut filled = Vec::new();
        let (mut here, mut into) = (None, None);
        for token in tokens {
            match token {
                Token::Here(text) => here = Some(self.fill(text).join(" ")),
                Token::Into(file) => into = Some(self.fill(file).join(" ")),
                Token::Word(word) => filled.extend(self.fill(word)),
                Token::Assign(name, words) if name.ends_with('+') => {
                    let more: Vec<_> = words.iter().flat_map(|word| self.fill(word)).collect();
                    let name = name.trim_end_matches('+').to_owned();
                    self.variables.entry(name).or_default().extend(more);
                }
                Token::Assign(name, words) => {
                    let value = words.iter().flat_map(|word| self.fill(word)).collect();
                    self.variables.insert(name.clone(), value);
                }
            }
        }
        if self.branch(&filled, within) {
            return;
        }
        if let Some(here) = here {
            // `read -r -d '' NAME <<END` is a variable.
            let read = filled.first().is_some_and(|word| word == "read");
            if let Some(name) = filled.pop_if(|_| read) {
                self.variables.insert(name, vec![here]);
                return;
            }
            let tee = filled.first().is_some_and(|word| word == "tee");
            match into.or_else(|| filled.get(1).filter(|_| tee).cloned()) {
                Some(file) => drop(self.files.insert(file, here)),
                None => self.texts.push(here),
            }
        }
        if !filled.is_empty() && self.commands.len() < MOST_COMMANDS {
            self.commands.push(Command { words: filled });
        }
    }

    /// Follows `if`, `elif`, `else`, `then` and `fi`; true if the command is one of them and
    /// nothing else. `within` says that it stands in a branch that does not run.
    fn branch(&mut self, words: &[String], within: bool) -> bool {
        let Some(keyword) = words.first() else { return false };
        let holds = || condition(&words[1..]);
        match (keyword.as_str(), self.branches.last_mut()) {
            ("if", _) if within => {
                self.branches.push(Branch { skipped: true, taken: true, asking: false });
            }
            ("if", _) => {
                let holds = holds();
                let (skipped, taken) = (holds == Some(false), holds == Some(true));
                self.branches.push(Branch { skipped, taken, asking: true });
            }
            ("elif", Some(branch)) => {
                branch.skipped = branch.taken || holds() == Some(false);
                branch.taken |= holds() == Some(true);
                branch.asking = !branch.taken;
            }
            ("else", Some(branch)) => {
                branch.skipped = branch.taken;
                branch.asking = false;
            }
            ("elif" | "else" | "then", None) => {}
            ("fi", _) => drop(self.branches.pop()),
            ("then", Some(branch)) => {
                branch.asking = false;
            }
            // More than one comparison: nobody says which branch runs.
            (_, Some(branch)) if branch.asking => {
                (branch.skipped, branch.taken) = (false, false);
                return words[0].starts_with('[');
            }
            _ => return false,
        }
        true
    }

    /// A word with its variables; several words where an unquoted variable holds several.
    fn fill(&mut self, word: &Word) -> Vec<String> {
        let mut words = vec![String::new()];
        for piece in &word.pieces {
            if self.written > MOST_BYTES {
                break;
            }
            let (text, split) = match piece {
                Piece::Plain(text) => (vec![text.clone()], false),
                Piece::Variable { name, quoted, default } => match self.variables.get(name) {
                    // What a command would say stays one word.
                    Some(value) => (value.clone(), !quoted && !value.concat().contains("$(")),
                    None => (vec![default.clone().unwrap_or_else(|| format!("${name}"))], false),
                },
                Piece::Arithmetic(text) => {
                    let text = self.plain(text);
                    (vec![arithmetic(&text).map_or(text, |value| value.to_string())], false)
                }
            };
            self.written += text.iter().map(String::len).sum::<usize>();
            let mut parts: Vec<String> = if split {
                text.iter().flat_map(|it| it.split_whitespace().map(str::to_owned)).collect()
            } else {
                text
            };
            if parts.is_empty() {
                continue;
            }
            let first = parts.remove(0);
            if let Some(last) = words.last_mut() {
                last.push_str(&first);
            }
            words.extend(parts);
        }
        words.retain(|it| !it.is_empty() || word.quoted);
        words
    }

    /// A text whose `$NAME` are filled in.
    fn plain(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c == '$' || c.is_ascii_alphabetic() || c == '_') {
            out.push_str(&rest[..at]);
            rest = rest[at..].trim_start_matches(['$', '{']);
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            let value = self.variables.get(name).map(|it| it.join(" "));
            out.push_str(&value.unwrap_or_else(|| name.to_owned()));
            rest = after.trim_start_matches('}');
            if name.is_empty() && !rest.is_empty() {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
            }
        }
        out + rest
    }
}

/// True if words compare what they say: `[ a = b ]`, `[[ $N -gt 1 ]]`; `None` if they ask anything
/// else, or something that is not known.
fn condition(words: &[String]) -> Option<bool> {
    let inner = words
        .strip_prefix(&["[".to_owned()][..])
        .or_else(|| words.strip_prefix(&["[[".to_owned()][..]))?;
    let inner = inner.split_last().filter(|(last, _)| last.starts_with(']'))?.1;
    let known = |word: &String| !word.contains(['$', '*']);
    match inner {
        [flag, word] if known(word) => match flag.as_str() {
            "-z" => Some(word.is_empty()),
            "-n" => Some(!word.is_empty()),
            _ => None,
        },
        [left, sign, right] if known(left) && known(right) => {
            let numbers = left.parse::<i64>().ok().zip(right.parse::<i64>().ok());
            match sign.as_str() {
                "=" | "==" => Some(left == right),
                "!=" => Some(left != right),
                "-eq" => numbers.map(|(left, right)| left == right),
                "-ne" => numbers.map(|(left, right)| left != right),
                "-gt" => numbers.map(|(left, right)| left > right),
                "-ge" => numbers.map(|(left, right)| left >= right),
                "-lt" => numbers.map(|(left, right)| left < right),
                "-le" => numbers.map(|(left, right)| left <= right),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The directives of a script to its batch system (`#SBATCH`, `#PBS`): the word after `#`, and the
/// setting.
pub(super) fn directives(text: &str) -> Vec<(String, Setting)> {
    let mut directives = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix('#') else { continue };
        let mut words = rest.split_whitespace();
        let system = words.next().filter(|it| ["SBATCH", "PBS", "BSUB", "FLUX:"].contains(it));
        let Some(system) = system else { continue };
        let words: Vec<String> =
            words.take_while(|word| !word.starts_with('#')).map(str::to_owned).collect();
        let (settings, _) = settings(&words);
        directives.extend(settings.into_iter().map(|it| (system.to_owned(), it)));
    }
    directives
}

/// The settings of arguments (`--key value`, `--key=value`, `--flag`, `key=value`), and the words
/// that stand alone.
pub(super) fn settings(words: &[String]) -> (Vec<Setting>, Vec<String>) {
    let mut settings: Vec<Setting> = Vec::new();
    let mut alone = Vec::new();
    let mut words = words.iter().peekable();
    let is_key = |word: &str| {
        let name = word.trim_start_matches('-');
        name.len() < word.len() && name.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    while let Some(word) = words.next() {
        // It parts a launcher's arguments from those of its program.
        if word == "--" {
            continue;
        }
        let assigned = word.split_once('=').filter(|(key, _)| {
            !key.is_empty()
                && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+~/@".contains(c))
        });
        if let Some((key, value)) = assigned {
            let key = key.trim_start_matches(['-', '+', '~']);
            settings.push(Setting { key: key.to_owned(), words: list(value) });
        } else if is_key(word) {
            let mut values = Vec::new();
            while let Some(value) = words.next_if(|next| !is_key(next) && !next.contains("==")) {
                values.push(value.clone());
                // A program's own words seldom follow a key's: one value, or a list of numbers.
                let list = |next: &String| !is_key(next) && next.parse::<f64>().is_ok();
                if !words.peek().is_some_and(|next| list(next)) {
                    break;
                }
            }
            settings.push(Setting { key: word.trim_start_matches('-').to_owned(), words: values });
        } else {
            alone.push(word.clone());
        }
    }
    (settings, alone)
}

/// `[a,b]` as a list, anything else as one word.
fn list(value: &str) -> Vec<String> {
    let inside = value.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let trim = |it: &str| it.trim().trim_matches(['"', '\'']).to_owned();
    match inside {
        Some(inside) => inside.split(',').map(trim).collect(),
        None => vec![trim(value)],
    }
}

/// The value of `$((...))`: products, quotients, sums and differences of whole numbers by
/// precedence; `None` if it is more than that, or overflows.
fn arithmetic(text: &str) -> Option<i64> {
    let text = text.replace(['(', ')', ' '], "");
    let mut sum = 0_i64;
    let mut terms = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices().skip(1) {
        if c == '+' || c == '-' {
            terms.push(&text[start..at]);
            start = at;
        }
    }
    terms.push(text.get(start..)?);
    for term in terms {
        let sign = if term.starts_with('-') { -1 } else { 1 };
        let mut value = None::<i64>;
        let mut operator = '*';
        for part in term.trim_start_matches(['+', '-']).split_inclusive(['*', '/']) {
            let number: i64 = part.trim_end_matches(['*', '/']).parse().ok()?;
            value = Some(match (value, operator) {
                (None, _) => number,
                (Some(before), '*') => before.checked_mul(number)?,
                (Some(before), _) => before.checked_div(number)?,
            });
            operator = part.chars().last().filter(|c| "*/".contains(*c)).unwrap_or('*');
        }
        sum = sum.checked_add(sign * value?)?;
    }
    Some(sum)
}

/// A part of a command: a word, or an assignment.
#[derive(Clone, Debug)]
enum Token {
    Word(Word),
    /// `NAME=value`, `NAME=(a b)`, `NAME+=...`.
    Assign(String, Vec<Word>),
    /// `<<END` and the lines up to END.
    Here(Word),
    /// `> file`.
    Into(Word),
}

/// A word: pieces that stand together, and whether one of them was quoted.
#[derive(Clone, Debug, Default)]
struct Word {
    pieces: Vec<Piece>,
    quoted: bool,
}

impl Word {
    /// The text of a word without variables; nothing of one with some.
    fn plain(&self) -> &str {
        match self.pieces.as_slice() {
            [Piece::Plain(text)] => text,
            _ => "",
        }
    }
}

/// A piece of a word: text, a variable, or arithmetic.
#[derive(Clone, Debug)]
enum Piece {
    Plain(String),
    Variable { name: String, quoted: bool, default: Option<String> },
    Arithmetic(String),
}

/// Splits a script into commands of tokens.
fn commands(text: &str) -> Vec<Vec<Token>> {
    Lexer::new(text).commands()
}

/// Splits a script into commands and words, character by character.
struct Lexer {
    rest: Vec<char>,
    at: usize,
    /// The ends of texts that begin on the next line, and whether they are taken as they stand.
    awaited: Vec<(String, bool)>,
}

impl Lexer {
    /// A lexer before the first character.
    fn new(text: &str) -> Self {
        Self { rest: text.chars().collect(), at: 0, awaited: Vec::new() }
    }

    /// The next character, which stays.
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    /// The next character.
    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += 1;
        c
    }

    /// All commands of the script, split at line ends, `;`, `|` and `&`.
    fn commands(&mut self) -> Vec<Vec<Token>> {
        let mut commands = Vec::new();
        let mut tokens = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '\n' | ';' | '|' | '&' => {
                    self.at += 1;
                    if c == '\n' {
                        let awaited = std::mem::take(&mut self.awaited);
                        tokens.extend(awaited.iter().map(|end| self.here(end)));
                    }
                    if !tokens.is_empty() {
                        commands.push(std::mem::take(&mut tokens));
                    }
                }
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '\\' if self.rest.get(self.at + 1).is_none_or(|c| *c == '\n' || *c == '\r') => {
                    self.at += 2;
                }
                // The word behind it is read as one of the command's.
                '<' if self.starts("<<<") => self.at += 3,
                '<' if self.starts("<<") => self.await_text(),
                '>' => {
                    self.forget_stream(&mut tokens);
                    tokens.extend(self.target());
                }
                '<' | '(' | ')' | '{' | '}' if !self.starts_brace_word() => self.at += 1,
                c if c.is_whitespace() => self.at += 1,
                _ => {
                    // Only what stands before the program is a variable.
                    let before = tokens.iter().all(|it| matches!(it, Token::Assign(..)));
                    let token = self.token(before);
                    let declares =
                        |word: &Word| ["export", "declare", "local"].contains(&word.plain());
                    if !matches!(&token, Token::Word(word) if before && declares(word)) {
                        tokens.push(token);
                    }
                }
            }
        }
        if !tokens.is_empty() {
            commands.push(tokens);
        }
        commands
    }

    /// True if the rest begins so.
    fn starts(&self, with: &str) -> bool {
        let rest = self.rest.get(self.at..).unwrap_or_default();
        rest.iter().take(with.len()).copied().eq(with.chars())
    }

    /// Reads `<<END`: its text begins on the next line.
    fn await_text(&mut self) {
        self.at += 2;
        while self.peek().is_some_and(|c| c == '-' || c == ' ') {
            self.at += 1;
        }
        let end = self.word();
        self.awaited.push((end.plain().to_owned(), end.quoted));
    }

    /// The lines up to the end of a text; what is quoted stays as it stands.
    fn here(&mut self, (end, quoted): &(String, bool)) -> Token {
        let mut text = String::new();
        while self.at < self.rest.len() {
            let line: String = self.rest[self.at..].iter().take_while(|c| **c != '\n').collect();
            self.at += line.chars().count() + 1;
            if line.trim() == end {
                break;
            }
            text.push_str(&line);
            text.push('\n');
        }
        Token::Here(if *quoted {
            Word { pieces: vec![Piece::Plain(text)], quoted: true }
        } else {
            Self::new(&text).text()
        })
    }

    /// Takes the number of a stream back that was read as a word: the 2 of `2>log`.
    fn forget_stream(&self, tokens: &mut Vec<Token>) {
        let digit = |at: Option<usize>| {
            at.and_then(|at| self.rest.get(at)).is_some_and(char::is_ascii_digit)
        };
        let alone = |word: &Word| word.plain().len() == 1;
        if digit(self.at.checked_sub(1))
            && matches!(tokens.last(), Some(Token::Word(word)) if alone(word))
        {
            tokens.pop();
        }
    }

    /// The file behind `>`; none of another stream, as in `>&1`.
    fn target(&mut self) -> Option<Token> {
        while self.peek().is_some_and(|c| c == '>' || c == ' ') {
            self.at += 1;
        }
        if self.peek() == Some('&') {
            self.at += 1;
            while self.peek().is_some_and(|c| c.is_ascii_digit() || c == '-') {
                self.at += 1;
            }
            return None;
        }
        let word = self.word();
        (!word.plain().is_empty() || word.pieces.len() > 1).then_some(Token::Into(word))
    }

    /// The whole text as one word, whose variables are filled in as between double quotes.
    fn text(&mut self) -> Word {
        self.word_within(Some('\0'))
    }

    /// True at `{` that begins a value such as JSON, not a group of commands.
    fn starts_brace_word(&self) -> bool {
        self.peek() == Some('{')
            && self.rest.get(self.at + 1).is_some_and(|c| !c.is_whitespace() && *c != '}')
    }

    /// The next word, or an assignment if one may stand here.
    fn token(&mut self, may_assign: bool) -> Token {
        let start = self.at;
        let name: String = self.rest[start..]
            .iter()
            .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
            .collect();
        let after = start + name.len();
        let plus = self.rest.get(after) == Some(&'+');
        let equals = self.rest.get(after + usize::from(plus)) == Some(&'=');
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !(may_assign && is_name && equals) {
            return Token::Word(self.word());
        }
        self.at = after + usize::from(plus) + 1;
        let name = if plus { name + "+" } else { name };
        if self.peek() != Some('(') {
            return Token::Assign(name, vec![self.word()]);
        }
        self.at += 1;
        let mut words = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                ')' => {
                    self.at += 1;
                    break;
                }
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '\\' | ';' | '|' | '&' | '<' | '>' | '(' => self.at += 1,
                c if c.is_whitespace() => self.at += 1,
                _ => words.push(self.word()),
            }
        }
        Token::Assign(name, words)
    }

    /// The next word, up to a space or a sign outside of quotes.
    fn word(&mut self) -> Word {
        self.word_within(None)
    }

    /// The next word, which begins within this quote.
    fn word_within(&mut self, mut quote: Option<char>) -> Word {
        let mut word = Word::default();
        let mut plain = String::new();
        while let Some(c) = self.peek() {
            match (c, quote) {
                ('\'' | '"', None) => {
                    quote = Some(c);
                    word.quoted = true;
                }
                (c, Some(end)) if c == end => quote = None,
                ('\\', None | Some('"' | '\0')) => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n' | '\r') | None => {}
                        Some(c) if quote == Some('\0') && !"$`\\".contains(c) => {
                            plain.extend(['\\', c]);
                        }
                        Some(c) => plain.push(c),
                    }
                }
                ('$', None | Some('"' | '\0')) => {
                    self.at += 1;
                    let piece = self.variable(quote.is_some());
                    word.pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                    word.pieces.push(piece);
                    continue;
                }
                (c, None) if c.is_whitespace() || ";|&<>()".contains(c) => break,
                (c, _) => plain.push(c),
            }
            self.at += 1;
        }
        word.pieces.push(Piece::Plain(plain));
        word
    }

    /// The piece that follows a `$`.
    fn variable(&mut self, quoted: bool) -> Piece {
        let until = |lexer: &mut Self, open: char, close: char| {
            let mut depth = 1;
            let mut text = String::new();
            while let Some(c) = lexer.next() {
                depth += i32::from(c == open) - i32::from(c == close);
                if depth == 0 {
                    break;
                }
                text.push(c);
            }
            text
        };
        match self.peek() {
            Some('(') if self.rest.get(self.at + 1) == Some(&'(') => {
                self.at += 1;
                self.at += 1;
                let text = until(self, '(', ')');
                if self.peek() == Some(')') {
                    self.at += 1;
                }
                Piece::Arithmetic(text)
            }
            Some('(') => {
                self.at += 1;
                Piece::Plain(format!("$({})", until(self, '(', ')')))
            }
            Some('{') => {
                self.at += 1;
                let text = until(self, '{', '}');
                let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let (name, rest) = text.split_at(end.unwrap_or(text.len()));
                let default = rest
                    .strip_prefix(":-")
                    .or_else(|| rest.strip_prefix('-'))
                    .or_else(|| rest.strip_prefix(":="));
                let default = default.map(|it| it.trim_matches('"').to_owned());
                Piece::Variable { name: name.to_owned(), quoted, default }
            }
            _ => {
                let mut name = String::new();
                while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                    self.at += 1;
                }
                Piece::Variable { name, quoted, default: None }
            }
        }
    }
}

#[cfg(test)]
mod tests;
