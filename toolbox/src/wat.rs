//! WebAssembly as text, cut at a length.

use crate::exports::labkernel::toolbox::model::Diagnostic;
use crate::text::plain;
use wasmprinter::{Config, Print};

/// Collects text until there is enough of it, then ends the printing by an error.
struct Capped {
    text: String,
    left: usize,
}

impl Print for Capped {
    fn write_str(&mut self, s: &str) -> std::io::Result<()> {
        match s.char_indices().nth(self.left) {
            None => {
                self.left -= s.chars().count();
                self.text.push_str(s);
                Ok(())
            }
            Some((end, _)) => {
                self.text.push_str(&s[..end]);
                self.left = 0;
                Err(std::io::Error::other("enough"))
            }
        }
    }
}

pub fn print(wasm: &[u8], max_chars: u32) -> Result<String, Vec<Diagnostic>> {
    let mut out = Capped { text: String::new(), left: max_chars as usize };
    match Config::new().print(wasm, &mut out) {
        Err(error) if out.left > 0 => Err(vec![plain(format!("{error:#}"), "")]),
        _ => Ok(out.text),
    }
}
