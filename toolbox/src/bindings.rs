//! Generated code for a world, by the ecosystem's own generators.

use crate::blob;
use crate::components::{failed, resolve_target};
use crate::exports::labkernel::toolbox::model::{Artifact, Diagnostic, SourceFile, Target};
use wit_bindgen_core::{Files, WorldGenerator};

type Result<T> = std::result::Result<T, Vec<Diagnostic>>;

include!(concat!(env!("OUT_DIR"), "/go_package.rs"));

/// Runs a generator. None of them may start a formatter: there are no programs to start here.
fn generate(target: Target, generator: &mut dyn WorldGenerator) -> Result<Vec<Artifact>> {
    let (mut resolved, world) = resolve_target(target)?;
    let mut files = Files::default();
    generator.generate(&mut resolved.resolve, world, &mut files).map_err(failed)?;
    Ok(files
        .iter()
        .map(|(name, bytes)| Artifact { name: name.to_string(), content: blob::from_bytes(bytes) })
        .collect())
}

pub fn c(target: Target) -> Result<Vec<Artifact>> {
    generate(target, &mut *wit_bindgen_c::Opts::default().build())
}

pub fn cpp(target: Target) -> Result<Vec<Artifact>> {
    generate(target, &mut *wit_bindgen_cpp::Opts::default().build(None))
}

pub fn go(target: Target) -> Result<Vec<Artifact>> {
    let options =
        wit_bindgen_go::Opts { format: wit_bindgen_go::Format::False, quiet: true, ..Default::default() };
    generate(target, &mut *options.build())
}

pub fn rust(target: Target) -> Result<Vec<Artifact>> {
    let options = wit_bindgen_rust::Opts { format: true, generate_all: true, ..Default::default() };
    generate(target, &mut options.build())
}

/// Returns the sources of the Go module that generated Go code imports.
pub fn go_package() -> Vec<SourceFile> {
    let file = |(path, text): &(&str, &str)| SourceFile { path: path.to_string(), text: text.to_string() };
    GO_PACKAGE.iter().map(file).collect()
}
