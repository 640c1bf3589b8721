//! WIT's tokens, as far as the scan needs to tell them apart, and walking along them.

use std::ops::Range;

/// Brackets may be nested this deep. Deeper is refused before any recursive parser sees it.
pub const MAX_NESTING: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Word,
    Punct(u8),
    Arrow,
    Other,
}

#[derive(Debug, Clone, Copy)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '%'
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn end_of(text: &str, start: usize, part: impl Fn(char) -> bool) -> usize {
    text[start..].char_indices().find(|(_, c)| !part(*c)).map_or(text.len(), |(i, _)| start + i)
}

fn end_of_comment(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(start + 1) {
        Some(b'/') => Some(text[start..].find('\n').map_or(text.len(), |i| start + i)),
        Some(b'*') => {
            let (mut depth, mut at) = (1, start + 2);
            while depth > 0 && at < bytes.len() {
                match &bytes[at..(at + 2).min(bytes.len())] {
                    b"/*" => (depth, at) = (depth + 1, at + 2),
                    b"*/" => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
            }
            Some(at)
        }
        _ => None,
    }
}

/// Returns the tokens without white space and comments, or the offset where nesting is too deep.
pub fn lex(text: &str) -> Result<Vec<Token>, usize> {
    let mut tokens = Vec::new();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        at += c.len_utf8();
        let kind = match c {
            _ if c.is_whitespace() || c == '\u{feff}' => continue,
            '/' => match end_of_comment(text, start) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => Kind::Punct(b'/'),
            },
            '"' => {
                at = text[at..].find('"').map_or(text.len(), |i| at + i + 1);
                Kind::Other
            }
            '-' if text[at..].starts_with('>') => {
                at += 1;
                Kind::Arrow
            }
            _ if is_word_start(c) => {
                at = end_of(text, at, is_word_part);
                Kind::Word
            }
            _ if c.is_ascii_digit() => {
                at = end_of(text, at, |c| c.is_ascii_digit());
                Kind::Other
            }
            _ if c.is_ascii() => Kind::Punct(c as u8),
            _ => Kind::Other,
        };
        match kind {
            Kind::Punct(b'(' | b'{' | b'<') => depth += 1,
            Kind::Punct(b')' | b'}' | b'>') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(start);
        }
        tokens.push(Token { kind, start, end: at });
    }
    Ok(tokens)
}

/// `None` stands for "this is not WIT, stop here".
pub type Step = Option<()>;

/// A place among the tokens of a text.
pub struct Cursor<'a> {
    pub text: &'a str,
    pub tokens: Vec<Token>,
    pub at: usize,
}

impl<'a> Cursor<'a> {
    pub fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    pub fn peek_at(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    pub fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.start..token.end]
    }

    pub fn is(&self, token: Option<Token>, c: u8) -> bool {
        token.is_some_and(|t| t.kind == Kind::Punct(c))
    }

    pub fn next(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    pub fn eat(&mut self, c: u8) -> bool {
        let found = self.is(self.peek(), c);
        self.at += usize::from(found);
        found
    }

    pub fn expect(&mut self, c: u8) -> Step {
        self.eat(c).then_some(())
    }

    pub fn word(&mut self) -> Option<&'a str> {
        let token = self.next()?;
        (token.kind == Kind::Word).then(|| self.text_of(token))
    }

    pub fn keyword(&self) -> &'a str {
        match self.peek() {
            Some(t) if t.kind == Kind::Word => self.text_of(t),
            _ => "",
        }
    }

    pub fn eat_keyword(&mut self, word: &str) -> bool {
        let found = self.keyword() == word;
        self.at += usize::from(found);
        found
    }

    pub fn eat_attribute(&mut self) -> Option<bool> {
        if !self.eat(b'@') {
            return Some(false);
        }
        self.word()?;
        if self.is(self.peek(), b'(') {
            self.skip_group()?;
        }
        Some(true)
    }

    /// Skips from an opening bracket to the one that closes it.
    pub fn skip_group(&mut self) -> Step {
        let mut depth = 0usize;
        loop {
            match self.next()?.kind {
                Kind::Punct(b'(' | b'{' | b'<') => depth += 1,
                Kind::Punct(b')' | b'}' | b'>') => depth = depth.checked_sub(1)?,
                _ if depth == 0 => return None,
                _ => {}
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// `@1.2.3-rc.1+build`, returned with its `@`; the tokens it spans are passed.
    pub fn version(&mut self) -> Option<Option<Range<usize>>> {
        if !self.is(self.peek(), b'@') || self.peek_at(1).is_none_or(|t| t.kind != Kind::Other) {
            return Some(None);
        }
        let start = self.next()?.start;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        while let Some(b) = bytes.get(end) {
            let dotted = *b == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric);
            if !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+') || dotted) {
                break;
            }
            end += 1;
        }
        while self.peek().is_some_and(|t| t.start < end) {
            self.at += 1;
        }
        Some(Some(start..end))
    }
}
