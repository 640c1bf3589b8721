//! Bytes as strings of one character for each byte: see `blob` in the interface.

use crate::exports::labkernel::toolbox::model::Diagnostic;
use crate::text::plain;

pub fn from_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|b| *b as char).collect()
}

pub fn to_bytes(blob: &str) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let byte = |c: char| u8::try_from(u32::from(c));
    blob.chars().map(byte).collect::<Result<_, _>>().map_err(|_| {
        let hint = "give one character from U+0000 to U+00FF for each byte";
        vec![plain("a blob holds a character that is no byte", hint)]
    })
}
