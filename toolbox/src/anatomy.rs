//! The sizes of a component's parts, read off the binary's framing alone.

use crate::components::{Kind, kind};
use crate::exports::labkernel::toolbox::model::{Diagnostic, Part, PartKind, Section};
use crate::text::plain;

/// Components may lie in one another this deep.
const MAX_DEPTH: usize = 100;
const PREAMBLE: usize = 8;

const MODULE_SECTIONS: [&str; 14] = [
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
];
const COMPONENT_SECTIONS: [&str; 13] = [
    "custom",
    "core module",
    "core instance",
    "core type",
    "component",
    "instance",
    "alias",
    "type",
    "canonical",
    "start",
    "import",
    "export",
    "value",
];

type Result<T> = std::result::Result<T, String>;

pub fn anatomy(wasm: &[u8]) -> std::result::Result<Vec<Part>, Vec<Diagnostic>> {
    let mut parts = Vec::new();
    match part(wasm, None, 0, &mut parts) {
        Ok(()) => Ok(parts),
        Err(message) => Err(vec![plain(message, "")]),
    }
}

fn leb(bytes: &[u8], at: &mut usize) -> Result<usize> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(*at).ok_or("the file ends within a number")?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(value).map_err(|_| "a size is too large".to_string());
        }
    }
    Err(format!("a number at offset {at} is too long"))
}

fn string<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a str> {
    let length = leb(bytes, at).ok()?;
    let text = bytes.get(*at..at.checked_add(length)?)?;
    *at += length;
    std::str::from_utf8(text).ok()
}

fn part(bytes: &[u8], parent: Option<u32>, depth: usize, parts: &mut Vec<Part>) -> Result<()> {
    let kind = match kind(bytes) {
        Kind::Module => PartKind::Module,
        Kind::Component => PartKind::Component,
        Kind::Other(what) => return Err(format!("not WebAssembly; it is {what}")),
    };
    if depth > MAX_DEPTH {
        return Err("components lie in one another too deep".to_string());
    }
    let index = parts.len();
    let names: &[&str] = if kind == PartKind::Module { &MODULE_SECTIONS } else { &COMPONENT_SECTIONS };
    parts.push(Part { kind, name: String::new(), parent, size: bytes.len() as u64, sections: Vec::new() });
    let mut at = PREAMBLE;
    while at < bytes.len() {
        let start = at;
        let id = bytes[at] as usize;
        at += 1;
        let size = leb(bytes, &mut at)?;
        let content = at.checked_add(size).and_then(|end| bytes.get(at..end)).ok_or_else(|| {
            format!("the section at offset {start} ends after its {} bytes do", bytes.len())
        })?;
        at += size;
        let name =
            names.get(id).ok_or_else(|| format!("a section at offset {start} has the unknown id {id}"))?;
        let custom = if id == 0 { string(content, &mut 0) } else { None };
        let name = custom.map_or(name.to_string(), |custom| format!("custom \"{custom}\""));
        parts[index].sections.push(Section { name, size: (at - start) as u64 });
        match (kind, id) {
            (PartKind::Component, 1 | 4) => part(content, Some(index as u32), depth + 1, parts)?,
            (_, 0) if matches!(custom, Some("name" | "component-name")) => {
                name_parts(content, kind, index, parts);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Gives a part the name that its name section has for it, and the parts in it those that they lack.
fn name_parts(content: &[u8], kind: PartKind, index: usize, parts: &mut [Part]) {
    let mut at = 0;
    let _ = string(content, &mut at);
    while let Some(id) = content.get(at).copied() {
        at += 1;
        let Some(end) = leb(content, &mut at).ok().and_then(|size| at.checked_add(size)) else { return };
        let Some(mut body) = content.get(at..end) else { return };
        at = end;
        if id == 0 {
            parts[index].name = string(body, &mut 0).unwrap_or_default().to_string();
        }
        let wanted = match body {
            [0, 0x11, ..] => (PartKind::Module, 2),
            [4, ..] => (PartKind::Component, 1),
            _ => continue,
        };
        if id == 1 && kind == PartKind::Component {
            body = &body[wanted.1..];
            let _ = name_inner(body, wanted.0, index as u32, parts);
        }
    }
}

/// Reads a list of indexes with names, and gives them to the parts of that kind that lie in `parent`, in order.
fn name_inner(names: &[u8], kind: PartKind, parent: u32, parts: &mut [Part]) -> Option<()> {
    let mut at = 0;
    for _ in 0..leb(names, &mut at).ok()? {
        let index = leb(names, &mut at).ok()?;
        let name = string(names, &mut at)?;
        let inner =
            parts.iter_mut().filter(|part| part.kind == kind && part.parent == Some(parent)).nth(index)?;
        if inner.name.is_empty() {
            inner.name = name.to_string();
        }
    }
    Some(())
}
