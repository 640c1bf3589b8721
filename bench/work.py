"""The same work in five languages: nothing, counting the values of a JSON text, hashing bytes (FNV-1a, 32 bits)."""

from __future__ import annotations

import json

WORLD = """package bench:work;
world work {
    export nothing: func(text: string) -> u32;
    /// How many values the JSON text has: numbers, strings, words, lists and objects, keys not counted.
    export parse: func(text: string) -> u32;
    export hash: func(data: list<u8>) -> u32;
}
"""
TEXT = json.dumps(
    {
        "records": [
            {
                "eventName": "object-added",
                "seconds": 1700000000 + n,
                "key": f"photos/2026/{n:04}.jpg",
                "ok": True,
            }
            for n in range(11)
        ]
    }
)
DATA = bytes(n * 31 & 255 for n in range(1 << 16))

C = """#include <ctype.h>
static const char *at, *end;
static uint32_t value(void);
static void space(void) { while (at < end && isspace((unsigned char)*at)) at++; }
static void text_(void) { for (at++; at < end && *at != '"'; at++) if (*at == '\\\\') at++; at++; }
static uint32_t value(void) {
    uint32_t n = 1;
    space();
    if (at >= end) return 0;
    if (*at == '"') { text_(); return n; }
    if (*at == '[' || *at == '{') {
        char open = *at++;
        for (;;) {
            space();
            if (*at == ']' || *at == '}') { at++; return n; }
            if (*at == ',') { at++; continue; }
            if (open == '{') { text_(); space(); at++; }
            n += value();
        }
    }
    while (at < end && *at != ',' && *at != ']' && *at != '}' && !isspace((unsigned char)*at)) at++;
    return n;
}
uint32_t nothing(string_t *text) { string_free(text); return 0; }
uint32_t parse(string_t *text) {
    at = (const char *)text->ptr; end = at + text->len;
    uint32_t n = value();
    string_free(text);
    return n;
}
uint32_t hash(list_u8_t *data) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < data->len; i++) h = (h ^ data->ptr[i]) * 16777619u;
    list_u8_free(data);
    return h;
}
"""
RUST = """fn nothing(_text: String) -> u32 { 0 }
fn space(b: &[u8], at: &mut usize) { while *at < b.len() && b[*at].is_ascii_whitespace() { *at += 1 } }
fn text_(b: &[u8], at: &mut usize) {
    *at += 1;
    while *at < b.len() && b[*at] != b'"' { if b[*at] == b'\\\\' { *at += 1 } *at += 1 }
    *at += 1;
}
fn value(b: &[u8], at: &mut usize) -> u32 {
    space(b, at);
    if *at >= b.len() { return 0 }
    let mut n = 1;
    match b[*at] {
        b'"' => text_(b, at),
        open @ (b'[' | b'{') => {
            *at += 1;
            loop {
                space(b, at);
                match b[*at] {
                    b']' | b'}' => { *at += 1; break }
                    b',' => *at += 1,
                    _ => { if open == b'{' { text_(b, at); space(b, at); *at += 1 } n += value(b, at) }
                }
            }
        }
        _ => while *at < b.len() && !matches!(b[*at], b',' | b']' | b'}') && !b[*at].is_ascii_whitespace() { *at += 1 },
    }
    n
}
fn parse(text: String) -> u32 { value(text.as_bytes(), &mut 0) }
fn hash(data: Vec<u8>) -> u32 { data.iter().fold(2166136261, |h: u32, b| (h ^ *b as u32).wrapping_mul(16777619)) }
"""
GO = """import "encoding/json"

func Nothing(text string) uint32 { return 0 }

func count(v any) uint32 {
	n := uint32(1)
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			n += count(one)
		}
	case map[string]any:
		for _, one := range v {
			n += count(one)
		}
	}
	return n
}

func Parse(text string) uint32 {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return 0
	}
	return count(v)
}

func Hash(data []uint8) uint32 {
	h := uint32(2166136261)
	for _, b := range data {
		h = (h ^ uint32(b)) * 16777619
	}
	return h
}
"""
JS = """export function nothing(text) { return 0; }
function count(v) {
  if (v === null || typeof v !== 'object') return 1;
  let n = 1;
  for (const one of Object.values(v)) n += count(one);
  return n;
}
export function parse(text) { return count(JSON.parse(text)); }
export function hash(data) {
  let h = 2166136261;
  for (let i = 0; i < data.length; i++) h = Math.imul(h ^ data[i], 16777619);
  return h >>> 0;
}
"""
PYTHON = """import json

def nothing(text):
    return 0

def count(v):
    if isinstance(v, dict):
        return 1 + sum(map(count, v.values()))
    if isinstance(v, list):
        return 1 + sum(map(count, v))
    return 1

def parse(text):
    return count(json.loads(text))

def hash(data):
    h = 2166136261
    for b in data:
        h = (h ^ b) * 16777619 & 0xFFFFFFFF
    return h
"""
WORK = {"c": C, "rust": RUST, "go": GO, "js": JS, "python": PYTHON}


def expected() -> dict[str, int]:
    """Return what every language has to answer."""

    def count(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return 1 + sum(map(count, inner))

    digest = 2166136261
    for byte in DATA:
        digest = (digest ^ byte) * 16777619 & 0xFFFFFFFF
    return {"nothing": 0, "parse": count(json.loads(TEXT)), "hash": digest}
