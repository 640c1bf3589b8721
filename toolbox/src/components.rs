//! Core modules into components, and components into WIT.

use crate::data;
use crate::exports::labkernel::toolbox::model::{Description, Diagnostic, Target};
use crate::resolver::{self, Resolved};
use crate::text::plain;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR,
};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, WitPrinter};
use wit_parser::decoding::{DecodedWasm, decode};

type Result<T> = std::result::Result<T, Vec<Diagnostic>>;

/// What bytes are, by their first eight.
#[derive(PartialEq, Eq)]
pub enum Kind {
    Module,
    Component,
    Other(String),
}

pub fn kind(bytes: &[u8]) -> Kind {
    match bytes {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Kind::Module,
        [b'\0', b'a', b's', b'm', 13, 0, 1, 0, ..] => Kind::Component,
        [b'\0', b'a', b's', b'm', version @ ..] => {
            let shown: Vec<String> = version.iter().take(4).map(|b| format!("{b:02x}")).collect();
            Kind::Other(format!("WebAssembly of the unknown version {}", shown.join(" ")))
        }
        [] => Kind::Other("an empty file".to_string()),
        [b'\x7f', b'E', b'L', b'F', ..] => {
            Kind::Other("an ELF file: a native program or compiled code".to_string())
        }
        [b'(', ..] => Kind::Other("text that may be WAT".to_string()),
        _ => {
            let shown: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
            Kind::Other(format!("bytes that start with {}", shown.join(" ")))
        }
    }
}

pub fn expect_kind(bytes: &[u8], wanted: Kind, what: &str) -> Result<()> {
    let found = kind(bytes);
    if found == wanted {
        return Ok(());
    }
    let (message, hint) = match found {
        Kind::Other(what_it_is) => (format!("{what} is not WebAssembly; it is {what_it_is}"), ""),
        Kind::Module => {
            (format!("{what} is a core module, and a component is asked for"), "componentize it first")
        }
        Kind::Component => (format!("{what} is a component already, and a core module is asked for"), ""),
    };
    Err(vec![plain(message, hint)])
}

pub fn failed(error: anyhow::Error) -> Vec<Diagnostic> {
    vec![plain(format!("{error:#}"), "")]
}

pub fn resolve_target(target: Target) -> Result<(Resolved, wit_parser::WorldId)> {
    let resolved = resolver::resolve_files(target.files)?;
    let world = resolved.world(&target.world)?;
    Ok((resolved, world))
}

pub fn embed(core: &[u8], target: Target) -> Result<Vec<u8>> {
    expect_kind(core, Kind::Module, "what was given")?;
    let (resolved, world) = resolve_target(target)?;
    let mut bytes = core.to_vec();
    wit_component::embed_component_metadata(
        &mut bytes,
        &resolved.resolve,
        world,
        StringEncoding::UTF8,
        false,
    )
    .map_err(failed)?;
    Ok(bytes)
}

/// Returns the names of the modules that a core module imports from.
pub fn imported_modules(core: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for payload in Parser::new(0).parse_all(core) {
        let Ok(payload) = payload else { break };
        let Payload::ImportSection(section) = payload else { continue };
        for import in section.into_imports().flatten() {
            if !names.iter().any(|n| n == import.module) {
                names.push(import.module.to_string());
            }
        }
    }
    names
}

pub fn componentize(core: Vec<u8>, target: Option<Target>) -> Result<Vec<u8>> {
    expect_kind(&core, Kind::Module, "what was given")?;
    let module = match target {
        Some(target) => embed(&core, target)?,
        None => core,
    };
    let needs_adapter = imported_modules(&module).iter().any(|name| name == PREVIEW1);
    let encode = || {
        let mut encoder = ComponentEncoder::default();
        encoder.module(&module)?.validate(true);
        if needs_adapter {
            encoder.adapter(PREVIEW1, REACTOR)?;
        }
        encoder.encode()
    };
    encode().map_err(|error| {
        let message = format!("{error:#}");
        let hint = match () {
            _ if message.contains("failed to find export of") || message.contains("does not export") => {
                "the world exports it, so the module has to"
            }
            _ if message.contains("not found") || message.contains("unknown import") => {
                "the module imports something that its world does not"
            }
            _ => "",
        };
        vec![plain(message, hint)]
    })
}

pub fn describe(component: &[u8]) -> Result<Description> {
    expect_kind(component, Kind::Component, "what was given")?;
    let decoded = decode(component).map_err(failed)?;
    let (resolve, main) = (decoded.resolve(), decoded.package());
    let others: Vec<_> = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main).collect();
    let mut printer = WitPrinter::default();
    printer.print(resolve, main, &others).map_err(failed)?;
    Ok(Description { wit: printer.output.to_string(), model: data::model(resolve, main, &|_| 0) })
}

/// Whether a component's bytes are a WIT package in its binary form.
pub fn is_wit_package(component: &[u8]) -> bool {
    let mut parser = Parser::new(0).parse_all(component);
    let is_component =
        matches!(parser.next(), Some(Ok(Payload::Version { encoding: Encoding::Component, .. })));
    // Only types and exports, as WIT packages have: cheap to tell before decoding everything.
    is_component
        && parser.all(|payload| {
            !matches!(
                payload,
                Err(_) | Ok(Payload::ModuleSection { .. } | Payload::ComponentCanonicalSection(_))
            )
        })
        && matches!(decode(component), Ok(DecodedWasm::WitPackage(..)))
}
