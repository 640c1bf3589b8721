//! Worlds of components that stand in front of another: made of that component's own world.

use crate::components::failed;
use crate::exports::labkernel::toolbox::model::{Diagnostic, Role, SourceFile};
use crate::resolver::{self, Resolved, file_stem};
use crate::text::plain;
use wit_component::WitPrinter;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{PackageId, Resolve, World, WorldItem};

type Result<T> = std::result::Result<T, Vec<Diagnostic>>;

/// Makes the world of a membrane or a driver for a component; `extra` are further items of it, as WIT.
pub fn derive(component: &[u8], role: Role, extra: &str, deps: Vec<SourceFile>) -> Result<Resolved> {
    let DecodedWasm::Component(mut resolve, world) = decode(component).map_err(failed)? else {
        return Err(vec![plain("it is a WIT package, and a component is asked for", "")]);
    };
    let Some(main) = resolve.worlds[world].package else {
        return Err(vec![plain("its world has no package", "")]);
    };
    reshape(&mut resolve.worlds[world], role);
    let mut files = print(&resolve, main, extra)?;
    // What the component's own world carries is as it was built; what is added may not stand in its way.
    for file in deps {
        if !files.iter().any(|known| known.path == file.path) {
            files.push(file);
        }
    }
    resolver::resolve_files(files)
}

fn reshape(world: &mut World, role: Role) {
    let callable = |item: &WorldItem| !matches!(item, WorldItem::Type { .. });
    match role {
        Role::Membrane => {
            let through = world.imports.iter().filter(|(_, item)| callable(item));
            world.exports = through.map(|(key, item)| (key.clone(), item.clone())).collect();
        }
        Role::Driver => {
            // Interfaces that the exports take their types from stay: without functions of theirs being called
            // they cost nothing, and without them the types would have no home.
            let exports = std::mem::take(&mut world.exports);
            for (key, item) in exports {
                if callable(&item) {
                    world.imports.insert(key, item);
                }
            }
        }
    }
}

fn print(resolve: &Resolve, main: PackageId, extra: &str) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for (id, package) in resolve.packages.iter() {
        let mut printer = WitPrinter::default();
        printer.print(resolve, id, &[]).map_err(failed)?;
        let text = printer.output.to_string();
        files.push(match id == main {
            true => SourceFile { path: "world.wit".to_string(), text: add(text, extra)? },
            false => {
                let path = format!("deps/{}.wit", file_stem(&package.name.to_string()));
                SourceFile { path, text }
            }
        });
    }
    files.sort_by_key(|file| file.path != "world.wit");
    Ok(files)
}

/// Puts items at the end of the only world of a text.
fn add(text: String, extra: &str) -> Result<String> {
    let end = text.find("world root {").and_then(|at| text[at..].find("\n}").map(|end| at + end));
    let Some(end) = end else {
        return Err(vec![plain("its world is not printed as one", "")]);
    };
    Ok(format!("{}\n  {}{}", &text[..end], extra.trim(), &text[end..]))
}
