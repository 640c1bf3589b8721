//! Texts the user gave, what was changed in them, and places in them.

use crate::exports::labkernel::toolbox::model::Diagnostic;
use std::ops::Range;

/// One replacement of a range of the original text.
#[derive(Debug, Clone)]
pub struct Edit {
    pub range: Range<usize>,
    pub text: String,
}

/// A text as it was given, and as it is read.
pub struct Source {
    pub path: String,
    pub original: String,
    pub text: String,
    edits: Vec<Edit>,
    line_starts: Vec<usize>,
}

/// A place in the original text; everything counts from 1, columns in characters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    pub line: u32,
    pub column: u32,
    pub end_column: u32,
}

impl Source {
    pub fn new(path: &str, original: &str, mut edits: Vec<Edit>) -> Source {
        // A version and a semicolon may go in at one place: the statement ends after its version.
        edits.sort_by_key(|e| (e.range.start, e.text == ";"));
        let mut text = String::with_capacity(original.len() + 16 * edits.len());
        let mut at = 0;
        for edit in &edits {
            text.push_str(&original[at..edit.range.start]);
            text.push_str(&edit.text);
            at = edit.range.end;
        }
        text.push_str(&original[at..]);
        let breaks = original.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Source { path: path.to_string(), original: original.to_string(), text, edits, line_starts }
    }

    /// Returns the offset in the original text for an offset in the text as it is read.
    fn original_offset(&self, offset: usize) -> usize {
        let mut shift: isize = 0; // original = read + shift, after the edits passed so far
        for edit in &self.edits {
            let start = (edit.range.start as isize - shift) as usize;
            if offset < start {
                break;
            }
            let end = start + edit.text.len();
            if offset < end {
                return (edit.range.start + offset - start).min(edit.range.end);
            }
            shift = edit.range.end as isize - end as isize;
        }
        self.floor_char((offset as isize + shift) as usize)
    }

    fn floor_char(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.original.len());
        while !self.original.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// Returns the place of a range of the text as it is read.
    pub fn place(&self, range: Range<usize>) -> Place {
        let start = self.original_offset(range.start);
        self.place_in_original(start..self.original_offset(range.end).max(start))
    }

    /// Returns the place of a range of the original text.
    pub fn place_in_original(&self, range: Range<usize>) -> Place {
        let (start, end) = (self.floor_char(range.start), self.floor_char(range.end));
        let line = self.line_starts.partition_point(|s| *s <= start);
        let line_start = self.line_starts[line - 1];
        let rest = &self.original[line_start..];
        let line_end = line_start + rest.find(['\n', '\r']).unwrap_or(rest.len());
        let column = self.original[line_start..start].chars().count() as u32 + 1;
        let width = self.original[start..end.clamp(start, line_end.max(start))].chars().count() as u32;
        Place { line: line as u32, column, end_column: column + width.max(1) }
    }

    /// Returns the line of an offset of the text as it is read.
    pub fn line(&self, offset: usize) -> u32 {
        let offset = self.original_offset(offset);
        self.line_starts.partition_point(|s| *s <= offset) as u32
    }

    /// Returns the word of the original text at a range's start, or the one that ends there, for choosing a hint.
    pub fn word(&self, range: &Range<usize>) -> &str {
        let (before, rest) = self.original.split_at(self.original_offset(range.start));
        let stop = |c: char| !(c.is_alphanumeric() || c == '-' || c == '_' || c == '%');
        match &rest[..rest.find(stop).unwrap_or(rest.len())] {
            "" => &before[before.rfind(stop).map_or(0, |at| before.ceil_char_boundary(at + 1))..],
            word => word,
        }
    }

    pub fn diagnostic(
        &self,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            message: message.into(),
            file: self.path.clone(),
            line: place.line,
            column: place.column,
            end_column: place.end_column,
            hint: hint.into(),
        }
    }
}

/// A message without a place.
pub fn plain(message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
    Diagnostic {
        message: message.into(),
        file: String::new(),
        line: 0,
        column: 0,
        end_column: 0,
        hint: hint.into(),
    }
}
