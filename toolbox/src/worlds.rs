//! Worlds rewritten into others that mean the same: types moved out of a world, imports added to it.

use crate::components::{failed, resolve_target};
use crate::exports::labkernel::toolbox::model::{Diagnostic, SourceFile, Target};
use crate::resolver::{self, Resolved, file_stem};
use crate::text::plain;
use wit_component::WitPrinter;
use wit_parser::{
    Docs, Handle, Interface, InterfaceId, PackageId, Resolve, Span, Stability, Type, TypeDef, TypeDefKind,
    TypeId, TypeOwner, WorldId, WorldItem, WorldKey,
};

type Result<T> = std::result::Result<T, Vec<Diagnostic>>;

/// The file, and the start of the worlds' names, that `extend` adds for as long as it works.
const ADDED_FILE: &str = "imports";
const ADDED_WORLD: &str = "labkernel-added-import";

/// Moves the types that a world declares into an interface, which the world then uses them from.
///
/// Resources stay, and with them the types that hold them: their functions are named after the world.
pub fn for_js(target: Target) -> Result<Vec<SourceFile>> {
    let files = target.files.clone();
    let (Resolved { mut resolve, main, .. }, world) = resolve_target(target)?;
    let declared: Vec<(String, TypeId)> =
        world_types(&resolve, world).filter(|(_, id)| !is_use(&resolve, *id)).collect();
    let movable: Vec<(String, TypeId)> =
        declared.into_iter().filter(|(_, id)| !holds_own_resource(&resolve, world, *id)).collect();
    if movable.is_empty() {
        return Ok(files);
    }
    let interface = add_interface(&mut resolve, main, world);
    let used: Vec<(String, TypeId)> =
        world_types(&resolve, world).filter(|(_, id)| is_use(&resolve, *id)).collect();
    for (name, id) in used {
        let copy = TypeDef { owner: TypeOwner::Interface(interface), ..resolve.types[id].clone() };
        let copy = resolve.types.alloc(copy);
        resolve.interfaces[interface].types.insert(name, copy);
    }
    for (name, id) in movable {
        resolve.types[id].owner = TypeOwner::Interface(interface);
        let alias = resolve.types.alloc(TypeDef {
            name: Some(name.clone()),
            kind: TypeDefKind::Type(Type::Id(id)),
            owner: TypeOwner::World(world),
            docs: Docs::default(),
            stability: Stability::Unknown,
            span: Span::default(),
            external_id: None,
        });
        resolve.interfaces[interface].types.insert(name.clone(), id);
        let item = WorldItem::Type { id: alias, span: Span::default() };
        resolve.worlds[world].imports.insert(WorldKey::Name(name), item);
    }
    print(&resolve, main)
}

/// Adds imports of interfaces to a world, and what those need.
pub fn extend(target: Target, imports: &[String]) -> Result<Vec<SourceFile>> {
    for import in imports {
        let is_path = |c: char| c.is_alphanumeric() || "-:/@.+%".contains(c);
        if import.is_empty() || !import.chars().all(is_path) {
            let message = format!("`{}` is not the name of an interface", import.escape_debug());
            return Err(vec![plain(message, "write it like wasi:cli/stdout")]);
        }
    }
    let mut files = target.files.clone();
    let (resolved, world) = resolve_target(target)?;
    let name = resolved.resolve.worlds[world].name.clone();
    // One world, and one line, for each: an import that is named twice is no error, and each has its own place.
    let worlds =
        imports.iter().enumerate().map(|(i, path)| format!("world {ADDED_WORLD}{i} {{ import {path}; }}\n"));
    files.push(SourceFile { path: ADDED_FILE.to_string(), text: worlds.collect() });
    let Resolved { mut resolve, main, .. } =
        resolver::resolve_files(files).map_err(|found| about(found, imports))?;
    let world = resolve.packages[main].worlds[&name];
    for index in 0..imports.len() {
        let added = resolve.packages[main].worlds.shift_remove(&format!("{ADDED_WORLD}{index}"));
        let Some(added) = added else { continue };
        let imports = resolve.worlds[added].imports.clone();
        for (key, item) in imports {
            resolve.worlds[world].imports.entry(key).or_insert(item);
        }
    }
    print(&resolve, main)
}

/// Names the import that a message is about, in the place of a line in a text that nobody gave.
fn about(found: Vec<Diagnostic>, imports: &[String]) -> Vec<Diagnostic> {
    let named = |diagnostic: Diagnostic| match imports.get((diagnostic.line as usize).wrapping_sub(1)) {
        Some(import) if diagnostic.file == ADDED_FILE => {
            plain(format!("import {import}: {}", diagnostic.message), diagnostic.hint)
        }
        _ => diagnostic,
    };
    found.into_iter().map(named).collect()
}

fn world_types(resolve: &Resolve, world: WorldId) -> impl Iterator<Item = (String, TypeId)> {
    resolve.worlds[world].imports.iter().filter_map(|(key, item)| match (key, item) {
        (WorldKey::Name(name), WorldItem::Type { id, .. }) => Some((name.clone(), *id)),
        _ => None,
    })
}

/// Whether a world's type is one that it uses from an interface.
fn is_use(resolve: &Resolve, id: TypeId) -> bool {
    let TypeDefKind::Type(Type::Id(other)) = resolve.types[id].kind else { return false };
    matches!(resolve.types[other].owner, TypeOwner::Interface(_))
}

fn holds_own_resource(resolve: &Resolve, world: WorldId, id: TypeId) -> bool {
    let ty = &resolve.types[id];
    match &ty.kind {
        TypeDefKind::Resource => ty.owner == TypeOwner::World(world),
        kind => parts(kind).into_iter().any(|part| holds_own_resource(resolve, world, part)),
    }
}

/// Returns the types that a type is made of, those that have no id left out.
fn parts(kind: &TypeDefKind) -> Vec<TypeId> {
    let types: Vec<Type> = match kind {
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => vec![Type::Id(*id)],
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Result(sides) => [sides.ok, sides.err].into_iter().flatten().collect(),
        TypeDefKind::Map(key, value) => vec![*key, *value],
        TypeDefKind::Option(ty)
        | TypeDefKind::List(ty)
        | TypeDefKind::FixedLengthList(ty, _)
        | TypeDefKind::Type(ty) => vec![*ty],
        TypeDefKind::Future(ty) | TypeDefKind::Stream(ty) => ty.iter().copied().collect(),
        TypeDefKind::Resource | TypeDefKind::Flags(_) | TypeDefKind::Enum(_) | TypeDefKind::Unknown => {
            Vec::new()
        }
    };
    let id = |ty| if let Type::Id(id) = ty { Some(id) } else { None };
    types.into_iter().filter_map(id).collect()
}

/// Adds an empty interface to a package, under the first name that is free.
fn add_interface(resolve: &mut Resolve, package: PackageId, world: WorldId) -> InterfaceId {
    let own = format!("{}-types", resolve.worlds[world].name);
    let more = (2..).map(|n| format!("{own}{n}"));
    let known = &resolve.packages[package];
    let is_free = |name: &String| !known.interfaces.contains_key(name) && !known.worlds.contains_key(name);
    let name =
        ["types".to_string(), own.clone()].into_iter().chain(more).find(is_free).expect("names do not end");
    let interface = resolve.interfaces.alloc(Interface {
        name: Some(name.clone()),
        types: Default::default(),
        functions: Default::default(),
        docs: Docs::default(),
        stability: Stability::Unknown,
        package: Some(package),
        span: Span::default(),
        clone_of: None,
    });
    resolve.packages[package].interfaces.insert(name, interface);
    interface
}

/// Returns every package as a file, in the layout that `resolve` returns, and sees that they resolve.
fn print(resolve: &Resolve, main: PackageId) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let others = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main);
    for id in std::iter::once(main).chain(others) {
        let mut printer = WitPrinter::default();
        printer.print(resolve, id, &[]).map_err(failed)?;
        let path = match id == main {
            true => "world.wit".to_string(),
            false => format!("deps/{}.wit", file_stem(&resolve.packages[id].name.to_string())),
        };
        files.push(SourceFile { path, text: printer.output.to_string() });
    }
    resolver::resolve_files(files.clone())?;
    Ok(files)
}
