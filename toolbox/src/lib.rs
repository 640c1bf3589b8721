//! labkernel's toolbox: the Bytecode Alliance's WIT and component crates behind the interface of `wit/toolbox.wit`.
//!
//! Each function is pure. Errors are data with places; a panic is a bug of ours.

mod anatomy;
mod bindings;
mod blob;
mod carried;
mod choose;
mod components;
mod compose;
mod data;
mod derive;
mod resolver;
mod scan;
mod text;
mod tokens;
mod validity;
mod wat;
mod wave;
mod worlds;

wit_bindgen::generate!({ path: "../wit/toolbox.wit", world: "toolbox" });

use exports::labkernel::toolbox::model::{
    Artifact, CarriedPackage, Description, Diagnostic, Part, Refusal, Resolution, Role, SourceFile, Target,
};
use exports::labkernel::toolbox::tools::Guest;

struct Toolbox;

fn resolution(resolved: resolver::Resolved) -> Resolution {
    let model = data::model(&resolved.resolve, resolved.main, &|span| resolved.line(span));
    Resolution { model, files: resolved.files, notes: resolved.notes }
}

type Failure = Vec<Diagnostic>;

impl Guest for Toolbox {
    fn carried() -> Vec<CarriedPackage> {
        let package =
            |(name, text): &(&str, &str)| CarriedPackage { name: name.to_string(), text: text.to_string() };
        carried::CARRIED.iter().map(package).collect()
    }

    fn resolve(main: Vec<SourceFile>, deps: Vec<Vec<SourceFile>>) -> Result<Resolution, Failure> {
        resolver::resolve(main, deps).map(resolution)
    }

    fn bindings_c(target: Target) -> Result<Vec<Artifact>, Failure> {
        bindings::c(target)
    }

    fn bindings_cpp(target: Target) -> Result<Vec<Artifact>, Failure> {
        bindings::cpp(target)
    }

    fn bindings_go(target: Target) -> Result<Vec<Artifact>, Failure> {
        bindings::go(target)
    }

    fn go_package() -> Vec<SourceFile> {
        bindings::go_package()
    }

    fn bindings_rust(target: Target) -> Result<Vec<Artifact>, Failure> {
        bindings::rust(target)
    }

    fn for_js(target: Target) -> Result<Vec<SourceFile>, Failure> {
        worlds::for_js(target)
    }

    fn extend_world(target: Target, imports: Vec<String>) -> Result<Vec<SourceFile>, Failure> {
        worlds::extend(target, &imports)
    }

    fn embed(core: String, target: Target) -> Result<String, Failure> {
        components::embed(&blob::to_bytes(&core)?, target).map(|bytes: Vec<u8>| blob::from_bytes(&bytes))
    }

    fn componentize(core: String, target: Option<Target>) -> Result<String, Failure> {
        components::componentize(blob::to_bytes(&core)?, target)
            .map(|bytes: Vec<u8>| blob::from_bytes(&bytes))
    }

    fn plug(socket: String, plugs: Vec<String>, keep: Vec<String>) -> Result<String, Failure> {
        let plugs = plugs.iter().map(|plug| blob::to_bytes(plug)).collect::<Result<_, _>>()?;
        let made: Vec<u8> = compose::plug(blob::to_bytes(&socket)?, plugs, &keep)?;
        Ok(blob::from_bytes(&made))
    }

    fn derive(
        component: String,
        role: Role,
        extra: String,
        deps: Vec<SourceFile>,
    ) -> Result<Resolution, Failure> {
        derive::derive(&blob::to_bytes(&component)?, role, &extra, deps).map(resolution)
    }

    fn describe(component: String) -> Result<Description, Failure> {
        components::describe(&blob::to_bytes(&component)?)
    }

    fn validate(component: String) -> Result<(), Refusal> {
        let bytes = blob::to_bytes(&component).map_err(|_| Refusal::NotWasm("text".to_string()))?;
        validity::validate(&bytes)
    }

    fn anatomy(wasm: String) -> Result<Vec<Part>, Failure> {
        anatomy::anatomy(&blob::to_bytes(&wasm)?)
    }

    fn print_wat(wasm: String, max_chars: u32) -> Result<String, Failure> {
        wat::print(&blob::to_bytes(&wasm)?, max_chars)
    }

    fn parse_wave(text: String, declarations: String, wit_type: String) -> Result<String, Failure> {
        wave::parse(&text, &declarations, &wit_type)
    }
}

export!(Toolbox);
