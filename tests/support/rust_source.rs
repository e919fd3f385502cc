//! Reads Rust source as far as the tests of its structure need: the paths, texts and words of a file.
//!
//! It understands comments, texts, `use` trees, `crate`, `self`, `super`, and modules inside a file. It reads unit tests too,
//! and macros as if they were code.

use std::collections::HashMap;

/// The content of one file.
#[derive(Debug, Default)]
pub struct Source {
    /// Every path outside of `use`; a name that `use` brought in is written out: `["crate", "roles", "user", "api"]`.
    pub paths: Vec<Vec<String>>,
    /// Every path brought in by `use`.
    pub imports: Vec<Vec<String>>,
    /// The paths and imports outside of `mod tests`.
    pub dependencies: Vec<Vec<String>>,
    /// Every text outside of `mod tests`.
    pub texts: Vec<String>,
    /// Every word that is code.
    pub words: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Colons,
    Text(String),
    Mark(char),
}

impl Source {
    /// Reads a file that is this module, such as `["crate", "roles", "user", "store"]`.
    pub fn read(module: &[&str], text: &str) -> Source {
        let mut reader = Reader {
            tokens: tokens(text),
            at: 0,
            modules: vec![module.iter().map(|name| (*name).to_owned()).collect()],
            depth: 0,
            opened_at: Vec::new(),
            known: HashMap::new(),
            found: Source::default(),
        };
        reader.find_imports();
        reader.find_paths();
        reader.found
    }

    /// The imports and the paths of the file, unit tests included.
    pub fn all(&self) -> impl Iterator<Item = &Vec<String>> {
        self.imports.iter().chain(&self.paths)
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    /// The module of the file, and those opened inside it.
    modules: Vec<Vec<String>>,
    depth: usize,
    opened_at: Vec<usize>,
    /// The full path of each name that `use` brought in.
    known: HashMap<String, Vec<String>>,
    found: Source,
}

impl Reader {
    /// Runs first, because a `use` may stand below the code that needs it.
    fn find_imports(&mut self) {
        self.walk(|reader, token| {
            if matches!(&token, Token::Word(word) if word == "use") {
                reader.tree(Vec::new());
            }
        });
    }

    fn find_paths(&mut self) {
        self.walk(|reader, token| match token {
            Token::Word(word) if word == "use" => while !matches!(reader.next(), None | Some(Token::Mark(';'))) {},
            Token::Word(word) => {
                reader.found.words.push(word.clone());
                let mut path = vec![word];
                while reader.peek(0) == Some(&Token::Colons)
                    && let Some(Token::Word(next)) = reader.peek(1).cloned()
                {
                    reader.at += 2;
                    reader.found.words.push(next.clone());
                    path.push(next);
                }
                let full = reader.full(path.clone());
                if path.len() > 1 || full.len() > 1 {
                    if !reader.in_tests() {
                        reader.found.dependencies.push(full.clone());
                    }
                    reader.found.paths.push(full);
                }
            }
            Token::Text(text) if !reader.in_tests() => reader.found.texts.push(text),
            _ => {}
        });
    }

    fn walk(&mut self, mut visit: impl FnMut(&mut Reader, Token)) {
        self.at = 0;
        while let Some(token) = self.next() {
            match &token {
                Token::Mark('{') => self.depth += 1,
                Token::Mark('}') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.opened_at.last() == Some(&self.depth) {
                        self.opened_at.pop();
                        self.modules.pop();
                    }
                }
                Token::Word(word) if word == "mod" => {
                    if let (Some(Token::Word(name)), Some(Token::Mark('{'))) = (self.peek(0).cloned(), self.peek(1)) {
                        let mut inner = self.modules.last().cloned().unwrap_or_default();
                        inner.push(name);
                        self.modules.push(inner);
                        self.opened_at.push(self.depth);
                    }
                }
                _ => {}
            }
            visit(self, token);
        }
    }

    /// Reads one tree of a `use`, up to its `;`, `,` or `}`.
    fn tree(&mut self, mut path: Vec<String>) {
        loop {
            match self.next() {
                Some(Token::Word(word)) if word == "as" => {
                    if let Some(Token::Word(name)) = self.next() {
                        self.import(path.clone(), name);
                        path.clear();
                    }
                }
                Some(Token::Word(word)) => path.push(word),
                Some(Token::Colons) => {}
                Some(Token::Mark('{')) => {
                    while self.peek(0).is_some_and(|token| *token != Token::Mark('}')) {
                        self.tree(path.clone());
                        if self.peek(0) == Some(&Token::Mark(',')) {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                Some(Token::Mark('*')) => {
                    let full = self.full(path.clone());
                    if !self.in_tests() {
                        self.found.dependencies.push(full.clone());
                    }
                    self.found.imports.push(full);
                    path.clear();
                }
                Some(Token::Mark(',' | '}')) => {
                    self.at -= 1;
                    return self.leaf(path);
                }
                None | Some(Token::Mark(';')) => return self.leaf(path),
                Some(_) => {}
            }
        }
    }

    fn leaf(&mut self, mut path: Vec<String>) {
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if let Some(name) = path.last().cloned() {
            self.import(path, name);
        }
    }

    fn import(&mut self, path: Vec<String>, name: String) {
        let full = self.full(path);
        self.known.insert(name, full.clone());
        if !self.in_tests() {
            self.found.dependencies.push(full.clone());
        }
        self.found.imports.push(full);
    }

    /// Gives a path of this crate from `crate` on, and any other path unchanged.
    fn full(&self, path: Vec<String>) -> Vec<String> {
        let here = self.modules.last().cloned().unwrap_or_default();
        let mut rest = path.as_slice();
        match path.first().map(String::as_str) {
            Some("crate" | "w2meet") => [vec!["crate".to_owned()], path[1..].to_vec()].concat(),
            Some("self") => [here, path[1..].to_vec()].concat(),
            Some("super") => {
                let mut base = here;
                while let Some(("super", more)) = rest.split_first().map(|(first, more)| (first.as_str(), more)) {
                    base.pop();
                    rest = more;
                }
                [base, rest.to_vec()].concat()
            }
            Some(name) => match self.known.get(name) {
                Some(known) => [known.clone(), path[1..].to_vec()].concat(),
                None => path,
            },
            None => path,
        }
    }

    fn in_tests(&self) -> bool {
        self.modules.last().and_then(|module| module.last()).is_some_and(|name| name == "tests")
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }
}

/// Splits a text into words, texts and marks, without comments.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if starts(at, "//") {
            at += chars[at..].iter().take_while(|c| **c != '\n').count();
        } else if starts(at, "/*") {
            at += (2..).find(|i| at + i >= chars.len() || starts(at + i, "*/")).unwrap_or(0) + 2;
        } else if c == 'r' && (starts(at, "r\"") || starts(at, "r#\"")) {
            let end = if starts(at, "r\"") { "\"" } else { "\"#" };
            let begin = at + 1 + end.len();
            let stop = (begin..chars.len()).find(|i| starts(*i, end)).unwrap_or(chars.len());
            found.push(Token::Text(chars[begin..stop].iter().collect()));
            at = stop + end.len();
        } else if c == '"' {
            let mut stop = at + 1;
            while stop < chars.len() && chars[stop] != '"' {
                stop += if chars[stop] == '\\' { 2 } else { 1 };
            }
            found.push(Token::Text(chars[at + 1..stop.min(chars.len())].iter().collect()));
            at = stop + 1;
        } else if c == '\'' {
            // a character, or a lifetime
            let width = if chars.get(at + 1) == Some(&'\\') { 3 } else { 2 };
            let close = (at + width..(at + width + 8).min(chars.len())).find(|i| chars[*i] == '\'');
            at = match close {
                Some(close) if width == 3 || close == at + 2 => close + 1,
                _ => at + 1,
            };
        } else if is_word(c) {
            let length = chars[at..].iter().take_while(|c| is_word(**c)).count();
            found.push(Token::Word(chars[at..at + length].iter().collect()));
            at += length;
        } else if starts(at, "::") {
            found.push(Token::Colons);
            at += 2;
        } else {
            if !c.is_whitespace() {
                found.push(Token::Mark(c));
            }
            at += 1;
        }
    }
    found
}
