//! Bytes as strings of one character for each byte: see `blob` in the interface.

use crate::exports::labkernel::toolbox::model::Diagnostic;
use crate::text::plain;

/// Returns the string, its size reckoned first: growing one of megabytes by doubling costs more than writing it.
pub fn from_bytes(bytes: &[u8]) -> String {
    let wide = bytes.iter().filter(|b| !b.is_ascii()).count();
    let mut text = Vec::with_capacity(bytes.len() + wide);
    for &byte in bytes {
        if byte.is_ascii() {
            text.push(byte);
        } else {
            text.extend([0xc0 | byte >> 6, 0x80 | byte & 0x3f]);
        }
    }
    String::from_utf8(text).expect("each byte is a character of UTF-8")
}

pub fn to_bytes(blob: &str) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let mut bytes = Vec::with_capacity(blob.len());
    let mut text = blob.bytes();
    while let Some(byte) = text.next() {
        match byte {
            0..0x80 => bytes.push(byte),
            // U+0080 to U+00FF: two bytes, of which the first holds two bits.
            0xc2 | 0xc3 => bytes.push(byte << 6 | text.next().unwrap_or_default() & 0x3f),
            _ => {
                let hint = "give one character from U+0000 to U+00FF for each byte";
                return Err(vec![plain("a blob holds a character that is no byte", hint)]);
            }
        }
    }
    Ok(bytes)
}
