//! Whether the lab's engine takes a component, and if not, in which of the known ways.

use crate::components::{Kind, imported_modules, is_wit_package, kind};
use crate::exports::labkernel::toolbox::model::Refusal;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// What wasmtime 50 has switched on when nothing is said.
fn engine_features() -> WasmFeatures {
    WasmFeatures::default() - WasmFeatures::CM_MAP
}

pub fn validate(bytes: &[u8]) -> Result<(), Refusal> {
    match kind(bytes) {
        Kind::Other(what) => return Err(Refusal::NotWasm(what)),
        Kind::Module => return Err(Refusal::CoreModule(imported_modules(bytes))),
        Kind::Component => {}
    }
    let check = |features| Validator::new_with_features(features).validate_all(bytes).map(|_| ());
    let without_async = engine_features() - WasmFeatures::CM_ASYNC;
    if let Err(error) = check(without_async) {
        let shown = format!("{} (at offset {:#x})", error.message(), error.offset());
        return match check(WasmFeatures::all()) {
            Ok(()) if check(without_async | async_features()).is_ok() => Err(Refusal::NeedsAsync(shown)),
            _ => Err(Refusal::Invalid(shown)),
        };
    }
    if let Some(name) = wasi_03(bytes) {
        return Err(Refusal::NeedsAsync(name));
    }
    if is_wit_package(bytes) {
        return Err(Refusal::WitPackage);
    }
    Ok(())
}

fn async_features() -> WasmFeatures {
    WasmFeatures::CM_ASYNC
        | WasmFeatures::CM_ASYNC_STACKFUL
        | WasmFeatures::CM_MORE_ASYNC_BUILTINS
        | WasmFeatures::CM_ERROR_CONTEXT
}

/// Returns the first import or export of the outermost component that is of WASI 0.3.
fn wasi_03(bytes: &[u8]) -> Option<String> {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let found = match payload.ok()? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                None
            }
            Payload::End(_) => {
                depth -= 1;
                None
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                section.into_iter().flatten().map(|i| i.name.name.to_string()).find(|n| is_03(n))
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                section.into_iter().flatten().map(|e| e.name.name.to_string()).find(|n| is_03(n))
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn is_03(name: &str) -> bool {
    name.starts_with("wasi:") && name.contains("@0.3.")
}
