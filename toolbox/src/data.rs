//! A resolved package as the interface's data.

use crate::exports::labkernel::toolbox::model::{
    Case, Field, Function, Interface, Model, Package, ResultSides, TypeBody, TypeEntry, World, WorldExtern,
    WorldItem,
};
use wit_parser as wp;
use wit_parser::{Docs, FunctionKind, Handle, Resolve, Span, Type, TypeDefKind, TypeOwner};

/// The types without parts, in the order in which they open the arena.
const PRIMITIVES: [(Type, &str); 14] = [
    (Type::Bool, "bool"),
    (Type::U8, "u8"),
    (Type::U16, "u16"),
    (Type::U32, "u32"),
    (Type::U64, "u64"),
    (Type::S8, "s8"),
    (Type::S16, "s16"),
    (Type::S32, "s32"),
    (Type::S64, "s64"),
    (Type::F32, "f32"),
    (Type::F64, "f64"),
    (Type::Char, "char"),
    (Type::String, "string"),
    (Type::ErrorContext, "error-context"),
];

struct Maker<'a> {
    resolve: &'a Resolve,
    line: &'a dyn Fn(Span) -> u32,
}

/// Returns everything in `resolve`, with lines as `line` tells them.
pub fn model(resolve: &Resolve, main: wp::PackageId, line: &dyn Fn(Span) -> u32) -> Model {
    let maker = Maker { resolve, line };
    let primitives = PRIMITIVES.iter().map(|(ty, name)| TypeEntry {
        name: String::new(),
        owner: String::new(),
        docs: String::new(),
        line: 0,
        body: match ty {
            Type::ErrorContext => TypeBody::Opaque(name.to_string()),
            _ => TypeBody::Primitive(name.to_string()),
        },
    });
    Model {
        packages: resolve.packages.iter().map(|(_, p)| maker.package(p)).collect(),
        interfaces: resolve.interfaces.iter().map(|(id, i)| maker.interface(id, i)).collect(),
        worlds: resolve.worlds.iter().map(|(_, w)| maker.world(w)).collect(),
        types: primitives.chain(resolve.types.iter().map(|(_, t)| maker.type_entry(t))).collect(),
        main: main.index() as u32,
    }
}

fn text(docs: &Docs) -> String {
    docs.contents.clone().unwrap_or_default()
}

fn index(ty: Type) -> u32 {
    match ty {
        Type::Id(id) => (PRIMITIVES.len() + id.index()) as u32,
        _ => PRIMITIVES.iter().position(|(p, _)| *p == ty).unwrap_or_default() as u32,
    }
}

fn id(id: wp::TypeId) -> u32 {
    index(Type::Id(id))
}

fn case(name: &str, ty: Option<Type>, docs: &Docs) -> Case {
    Case { name: name.to_string(), ty: ty.map(index), docs: text(docs) }
}

impl Maker<'_> {
    fn package(&self, package: &wp::Package) -> Package {
        Package {
            name: package.name.to_string(),
            docs: text(&package.docs),
            interfaces: package.interfaces.values().map(|i| i.index() as u32).collect(),
            worlds: package.worlds.values().map(|w| w.index() as u32).collect(),
        }
    }

    fn interface(&self, id_: wp::InterfaceId, interface: &wp::Interface) -> Interface {
        Interface {
            name: self.resolve.id_of(id_).unwrap_or_default(),
            types: interface.types.values().map(|t| id(*t)).collect(),
            functions: interface.functions.values().map(|f| self.function(f)).collect(),
            docs: text(&interface.docs),
            line: (self.line)(interface.span),
        }
    }

    fn world(&self, world: &wp::World) -> World {
        let package = world.package.map(|p| self.resolve.packages[p].name.to_string());
        let externs = |items: &wp::IndexMap<wp::WorldKey, wp::WorldItem>| {
            items.iter().map(|(key, item)| self.world_extern(key, item)).collect()
        };
        World {
            name: world.name.clone(),
            package: package.unwrap_or_default(),
            imports: externs(&world.imports),
            exports: externs(&world.exports),
            docs: text(&world.docs),
            line: (self.line)(world.span),
        }
    }

    fn world_extern(&self, key: &wp::WorldKey, item: &wp::WorldItem) -> WorldExtern {
        WorldExtern {
            name: self.resolve.name_world_key(key),
            item: match item {
                wp::WorldItem::Interface { id, .. } => WorldItem::Interface(id.index() as u32),
                wp::WorldItem::Function(function) => WorldItem::Function(self.function(function)),
                wp::WorldItem::Type { id: ty, .. } => WorldItem::Type(id(*ty)),
            },
        }
    }

    fn function(&self, function: &wp::Function) -> Function {
        let params = function.params.iter();
        Function {
            name: function.name.clone(),
            params: params
                .map(|p| Field { name: p.name.clone(), ty: index(p.ty), docs: String::new() })
                .collect(),
            result: function.result.map(index),
            docs: text(&function.docs),
            is_async: matches!(
                function.kind,
                FunctionKind::AsyncFreestanding | FunctionKind::AsyncMethod(_) | FunctionKind::AsyncStatic(_)
            ),
            line: (self.line)(function.span),
        }
    }

    fn owner(&self, owner: TypeOwner) -> String {
        match owner {
            TypeOwner::Interface(id) => self.resolve.id_of(id).unwrap_or_default(),
            TypeOwner::World(id) => {
                let world = &self.resolve.worlds[id];
                world.package.map_or(world.name.clone(), |p| self.resolve.id_of_name(p, &world.name))
            }
            TypeOwner::None => String::new(),
        }
    }

    fn type_entry(&self, def: &wp::TypeDef) -> TypeEntry {
        TypeEntry {
            name: def.name.clone().unwrap_or_default(),
            owner: self.owner(def.owner),
            docs: text(&def.docs),
            line: (self.line)(def.span),
            body: self.body(def),
        }
    }

    fn body(&self, def: &wp::TypeDef) -> TypeBody {
        match &def.kind {
            TypeDefKind::Record(record) => TypeBody::Record(
                record
                    .fields
                    .iter()
                    .map(|f| Field { name: f.name.clone(), ty: index(f.ty), docs: text(&f.docs) })
                    .collect(),
            ),
            TypeDefKind::Variant(variant) => {
                TypeBody::Variant(variant.cases.iter().map(|c| case(&c.name, c.ty, &c.docs)).collect())
            }
            TypeDefKind::Enum(e) => {
                TypeBody::Enum(e.cases.iter().map(|c| case(&c.name, None, &c.docs)).collect())
            }
            TypeDefKind::Flags(flags) => {
                TypeBody::Flags(flags.flags.iter().map(|f| case(&f.name, None, &f.docs)).collect())
            }
            TypeDefKind::List(ty) => TypeBody::List(index(*ty)),
            TypeDefKind::Option(ty) => TypeBody::Option(index(*ty)),
            TypeDefKind::Result(sides) => {
                TypeBody::Result(ResultSides { ok: sides.ok.map(index), err: sides.err.map(index) })
            }
            TypeDefKind::Tuple(tuple) => TypeBody::Tuple(tuple.types.iter().copied().map(index).collect()),
            TypeDefKind::Handle(Handle::Own(resource)) => TypeBody::Own(id(*resource)),
            TypeDefKind::Handle(Handle::Borrow(resource)) => TypeBody::Borrow(id(*resource)),
            TypeDefKind::Resource => TypeBody::Resource,
            TypeDefKind::Type(ty) => TypeBody::Alias(index(*ty)),
            other => TypeBody::Opaque(self.opaque(other)),
        }
    }

    fn opaque(&self, kind: &TypeDefKind) -> String {
        let inner =
            |ty: &Option<Type>| ty.as_ref().map_or(String::new(), |ty| format!("<{}>", self.name(*ty)));
        match kind {
            TypeDefKind::Map(key, value) => format!("map<{}, {}>", self.name(*key), self.name(*value)),
            TypeDefKind::FixedLengthList(ty, length) => format!("list<{}, {length}>", self.name(*ty)),
            TypeDefKind::Future(ty) => format!("future{}", inner(ty)),
            TypeDefKind::Stream(ty) => format!("stream{}", inner(ty)),
            other => other.as_str().to_string(),
        }
    }

    /// Returns a type as WIT writes it where it is used.
    fn name(&self, ty: Type) -> String {
        let Type::Id(id) = ty else { return PRIMITIVES[index(ty) as usize].1.to_string() };
        let def = &self.resolve.types[id];
        let side = |ty: &Option<Type>| ty.map_or("_".to_string(), |ty| self.name(ty));
        match (&def.name, &def.kind) {
            (Some(name), _) => name.clone(),
            (None, TypeDefKind::List(ty)) => format!("list<{}>", self.name(*ty)),
            (None, TypeDefKind::Option(ty)) => format!("option<{}>", self.name(*ty)),
            (None, TypeDefKind::Type(ty)) => self.name(*ty),
            (None, TypeDefKind::Result(r)) => format!("result<{}, {}>", side(&r.ok), side(&r.err)),
            (None, TypeDefKind::Tuple(t)) => {
                let names: Vec<String> = t.types.iter().map(|ty| self.name(*ty)).collect();
                format!("tuple<{}>", names.join(", "))
            }
            (None, TypeDefKind::Handle(Handle::Own(id))) => self.name(Type::Id(*id)),
            (None, TypeDefKind::Handle(Handle::Borrow(id))) => {
                format!("borrow<{}>", self.name(Type::Id(*id)))
            }
            (None, other) => self.opaque(other),
        }
    }
}
