//! One pass over WIT tokens: it finds package names and references to other packages, and collects what has to
//! change so that text in the form of 2023 parses today. Nothing is changed where today's grammar is met.
//!
//! The pass is lenient: where the text is not WIT it stops, and leaves the error to the real parser.

use crate::text::Edit;
use crate::tokens::{Cursor, Kind, MAX_NESTING, Step, Token, lex};
use std::ops::{Deref, DerefMut, Range};

/// A package's name where it is declared.
#[derive(Debug, Clone)]
pub struct Declared {
    pub name: String,
    pub version: Option<String>,
}

/// A path with a package (`wasi:clocks/wall-clock@0.2.0`), where it is used.
#[derive(Debug, Clone)]
pub struct Reference {
    pub namespace: String,
    pub package: String,
    pub version: Option<String>,
    /// The whole path, version included.
    pub range: Range<usize>,
    /// The version with its `@`; empty, at the place where it belongs, when there is none.
    pub version_range: Range<usize>,
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Scan {
    pub edits: Vec<Edit>,
    pub declared: Vec<Declared>,
    pub references: Vec<Reference>,
    /// Offsets of statements that had no semicolon.
    pub without_semicolon: Vec<usize>,
    /// What else was put right: the offset, and what was done.
    pub modernized: Vec<(usize, &'static str)>,
    /// Where brackets are nested too deep.
    pub too_deep: Option<usize>,
}

pub fn scan(text: &str) -> Scan {
    let mut scan = Scan::default();
    let tokens = match lex(text) {
        Ok(tokens) => tokens,
        Err(offset) => {
            scan.too_deep = Some(offset);
            return scan;
        }
    };
    let mut walker = Walker { cursor: Cursor { text, tokens, at: 0 }, scan };
    walker.floats();
    // A walk that ends early keeps what it found: the parser then meets the error at its own place.
    let _ = walker.items(false, 0);
    walker.scan
}

struct Walker<'a> {
    cursor: Cursor<'a>,
    scan: Scan,
}

impl<'a> Deref for Walker<'a> {
    type Target = Cursor<'a>;
    fn deref(&self) -> &Cursor<'a> {
        &self.cursor
    }
}

impl DerefMut for Walker<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.cursor
    }
}

impl<'a> Walker<'a> {
    /// Overwrites a range of the text without moving what follows it.
    fn overwrite(&mut self, range: Range<usize>, with: &str, why: &'static str) {
        let text = format!("{with:width$}", width = range.len());
        self.scan.modernized.push((range.start, why));
        self.scan.edits.push(Edit { range, text });
    }

    /// `float32` and `float64` where a type stands, unless the text declares a type of that name.
    fn floats(&mut self) {
        let is_float = |w: &str| w == "float32" || w == "float64";
        let declares = |pair: &[Token]| self.text_of(pair[0]) != ":" && is_float(self.text_of(pair[1]));
        let keywords = ["type", "record", "variant", "enum", "flags", "resource", "as"];
        if self.tokens.windows(2).any(|p| declares(p) && keywords.contains(&self.text_of(p[0]))) {
            return;
        }
        let mut angles = 0usize;
        for i in 1..self.tokens.len() {
            let (before, token) = (self.tokens[i - 1], self.tokens[i]);
            match token.kind {
                Kind::Punct(b'<') => angles += 1,
                Kind::Punct(b'>') => angles = angles.saturating_sub(1),
                Kind::Word if is_float(self.text_of(token)) => {
                    let after = self.tokens.get(i + 1).copied();
                    let typed = match before.kind {
                        Kind::Arrow | Kind::Punct(b'=') => true,
                        Kind::Punct(b':') => !self.is(after, b'/'),
                        Kind::Punct(b'(') => self.is(after, b')'),
                        _ => angles > 0,
                    };
                    if typed {
                        let modern = if self.text_of(token) == "float32" { "f32" } else { "f64" };
                        self.overwrite(
                            token.start..token.end,
                            modern,
                            "`float32` and `float64` read as `f32` and `f64`",
                        );
                    }
                }
                _ => {}
            }
        }
    }

    fn items(&mut self, nested: bool, depth: usize) -> Step {
        if depth > MAX_NESTING {
            return None;
        }
        loop {
            if nested && self.eat(b'}') {
                return Some(());
            }
            self.peek()?;
            if self.eat_attribute()? {
                continue;
            }
            match self.keyword() {
                "package" => self.package(depth)?,
                "default" => self.default()?,
                "interface" => {
                    self.at += 1;
                    self.word()?;
                    self.interface_body()?;
                }
                "world" => {
                    self.at += 1;
                    self.word()?;
                    self.world_body()?;
                }
                "use" => {
                    self.at += 1;
                    self.path()?;
                    if self.eat_keyword("as") {
                        self.word()?;
                    }
                    self.end_statement();
                }
                _ => return None,
            }
        }
    }

    /// `default world x`: the word means nothing any more.
    fn default(&mut self) -> Step {
        let token = self.next()?;
        if !matches!(self.keyword(), "world" | "interface") {
            return None;
        }
        self.overwrite(token.start..token.end, "", "`default` left out: it means nothing any more");
        Some(())
    }

    fn package(&mut self, depth: usize) -> Step {
        self.at += 1;
        let namespace = self.word()?;
        self.expect(b':')?;
        let package = self.word()?;
        let name = format!("{}:{}", bare(namespace), bare(package));
        let version = self.version()?.map(|r| self.text[r.start + 1..r.end].to_string());
        self.scan.declared.push(Declared { name, version });
        if self.eat(b'{') {
            return self.items(true, depth + 1);
        }
        self.end_statement();
        Some(())
    }

    fn interface_body(&mut self) -> Step {
        self.expect(b'{')?;
        while !self.eat(b'}') {
            if self.eat_attribute()? {
                continue;
            }
            if !self.type_item()? {
                self.word()?;
                self.expect(b':')?;
                self.function()?;
                self.end_statement();
            }
        }
        Some(())
    }

    fn world_body(&mut self) -> Step {
        self.expect(b'{')?;
        while !self.eat(b'}') {
            if self.eat_attribute()? {
                continue;
            }
            match self.keyword() {
                "import" | "export" => {
                    self.at += 1;
                    self.world_extern()?;
                }
                "include" => {
                    self.at += 1;
                    self.path()?;
                    if self.eat_keyword("with") {
                        self.skip_group()?;
                    } else {
                        self.end_statement();
                    }
                }
                _ if self.type_item()? => {}
                _ => return None,
            }
        }
        Some(())
    }

    /// After `import` or `export`: `name: func`, `name: interface {}`, `name: path` or `path`.
    fn world_extern(&mut self) -> Step {
        let qualified = self.is(self.peek_at(1), b':') && self.is(self.peek_at(3), b'/');
        if self.is(self.peek_at(1), b':') && !qualified {
            self.word()?;
            self.expect(b':')?;
            if self.eat_keyword("interface") {
                return self.interface_body();
            }
            let is_accessor = matches!(self.keyword(), "get" | "set") && self.is(self.peek_at(1), b'(');
            if is_accessor || matches!(self.keyword(), "func" | "async") {
                self.function()?;
            } else {
                self.path()?;
            }
        } else {
            self.path()?;
        }
        self.end_statement();
        Some(())
    }

    /// A `use` or a type declaration, as interfaces and worlds have them; `false` when it is neither.
    fn type_item(&mut self) -> Option<bool> {
        let keyword = self.keyword();
        // `record: func()` declares a function: a keyword is one only before a name.
        if self.peek_at(1).is_none_or(|t| t.kind != Kind::Word) {
            return Some(false);
        }
        match keyword {
            "use" => {
                self.at += 1;
                self.path()?;
                self.expect(b'.')?;
                self.skip_group()?;
                self.end_statement();
            }
            "type" => {
                self.at += 1;
                self.word()?;
                self.expect(b'=')?;
                self.type_expression()?;
                self.end_statement();
            }
            "record" | "variant" | "enum" | "flags" => {
                self.at += 1;
                self.word()?;
                self.skip_group()?;
            }
            "resource" => {
                self.at += 1;
                self.word()?;
                self.resource_body()?;
            }
            _ => return Some(false),
        }
        Some(true)
    }

    fn resource_body(&mut self) -> Step {
        if !self.eat(b'{') {
            self.end_statement();
            return Some(());
        }
        while !self.eat(b'}') {
            if self.eat_attribute()? {
                continue;
            }
            let name = self.word()?;
            if name == "constructor" && self.is(self.peek(), b'(') {
                self.signature()?;
            } else {
                self.expect(b':')?;
                self.function()?;
            }
            self.end_statement();
        }
        Some(())
    }

    /// `[static] [async] func(...)` and what may follow it.
    fn function(&mut self) -> Step {
        self.eat_keyword("static");
        self.eat_keyword("async");
        matches!(self.keyword(), "func" | "get" | "set").then_some(())?;
        self.at += 1;
        self.signature()
    }

    fn signature(&mut self) -> Step {
        self.skip_group()?;
        if self.peek().is_some_and(|t| t.kind == Kind::Arrow) {
            self.at += 1;
            if self.is(self.peek(), b'(') {
                self.skip_group()?; // named results, which the parser refuses with their place
            } else {
                self.type_expression()?;
            }
        }
        Some(())
    }

    fn type_expression(&mut self) -> Step {
        self.word()?;
        if self.is(self.peek(), b'<') {
            self.skip_group()?;
        }
        Some(())
    }

    /// A name, or `namespace:package/name@version`. The `self.` and `pkg.` of early 2023 are dropped.
    fn path(&mut self) -> Step {
        let first = self.next()?;
        (first.kind == Kind::Word).then_some(())?;
        let is_old = matches!(self.text_of(first), "self" | "pkg") && self.is(self.peek(), b'.');
        if is_old && self.peek_at(1).is_some_and(|t| t.kind == Kind::Word) {
            let dot = self.next()?;
            self.overwrite(
                first.start..dot.end,
                "",
                "`self.` and `pkg.` left out: a package's own names need neither",
            );
            self.word()?;
            return Some(());
        }
        if !self.eat(b':') {
            return Some(());
        }
        let package = self.word()?;
        self.expect(b'/')?;
        let item = self.next()?;
        (item.kind == Kind::Word).then_some(())?;
        let version = self.version()?;
        let version_range = version.clone().unwrap_or(item.end..item.end);
        self.scan.references.push(Reference {
            namespace: bare(self.text_of(first)).to_string(),
            package: bare(package).to_string(),
            version: version.map(|r| self.text[r.start + 1..r.end].to_string()),
            range: first.start..version_range.end,
            version_range,
        });
        Some(())
    }

    /// Takes the semicolon, or puts one at the end of the statement's last token.
    fn end_statement(&mut self) {
        if self.eat(b';') {
            return;
        }
        let end = self.tokens[self.at - 1].end;
        self.scan.without_semicolon.push(end);
        // In the place of a space it moves nothing that follows.
        let width = usize::from(matches!(self.text.as_bytes().get(end), Some(b' ' | b'\t')));
        self.scan.edits.push(Edit { range: end..end + width, text: ";".to_string() });
    }
}

fn bare(word: &str) -> &str {
    word.strip_prefix('%').unwrap_or(word)
}
