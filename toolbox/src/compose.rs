//! Components into one another.

use crate::components::{Kind, expect_kind, failed};
use crate::exports::labkernel::toolbox::model::Diagnostic;
use crate::text::plain;
use wac_graph::types::{ItemKind, Package, SubtypeChecker, are_semver_compatible};
use wac_graph::{CompositionGraph, NodeId, PackageId};

type Result<T> = std::result::Result<T, Vec<Diagnostic>>;

/// Satisfies a component's imports with others' exports, and exports what it exports and some of the others' exports.
pub fn plug(socket: Vec<u8>, plugs: Vec<Vec<u8>>, keep: &[String]) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let socket = register(&mut graph, "socket", socket)?;
    let plugs: Vec<PackageId> = plugs
        .into_iter()
        .enumerate()
        .map(|(index, bytes)| register(&mut graph, &format!("plug:number{index}"), bytes))
        .collect::<Result<_>>()?;
    let socket_node = graph.instantiate(socket);
    let mut nodes = Vec::new();
    for plug in &plugs {
        let matches = matching(&graph, *plug, socket)?;
        let node = graph.instantiate(*plug);
        for (export, import) in &matches {
            let alias =
                graph.alias_instance_export(node, export).map_err(anyhow::Error::from).map_err(failed)?;
            graph
                .set_instantiation_argument(socket_node, import, alias)
                .map_err(anyhow::Error::from)
                .map_err(failed)?;
        }
        nodes.push((*plug, node, matches.len()));
    }
    if nodes.iter().all(|(_, _, matched)| *matched == 0) {
        let imports = imports(&graph, socket);
        let imports = if imports.is_empty() { "nothing".to_string() } else { imports.join(", ") };
        let hint = format!("the socket imports: {imports}");
        return Err(vec![plain("no export of the plugs matches an import of the socket", hint)]);
    }
    for name in exports(&graph, socket) {
        export(&mut graph, socket_node, &name)?;
    }
    for name in keep {
        let from = nodes.iter().find(|(plug, ..)| exports(&graph, *plug).contains(name));
        let Some((_, node, _)) = from else {
            return Err(vec![plain(format!("no plug exports {name}, which is to be kept"), "")]);
        };
        export(&mut graph, *node, name)?;
    }
    graph.encode(wac_graph::EncodeOptions::default()).map_err(|error| failed(error.into()))
}

fn register(graph: &mut CompositionGraph, name: &str, bytes: Vec<u8>) -> Result<PackageId> {
    expect_kind(&bytes, Kind::Component, name)?;
    let package = Package::from_bytes(name, None, bytes, graph.types_mut()).map_err(failed)?;
    graph.register_package(package).map_err(|error| failed(error.into()))
}

fn export(graph: &mut CompositionGraph, node: NodeId, name: &str) -> Result<()> {
    let alias = graph.alias_instance_export(node, name).map_err(anyhow::Error::from).map_err(failed)?;
    graph.export(alias, name).map_err(anyhow::Error::from).map_err(failed)
}

/// Returns the exports of a plug, each with the import of the socket that it satisfies.
fn matching(graph: &CompositionGraph, plug: PackageId, socket: PackageId) -> Result<Vec<(String, String)>> {
    let types = graph.types();
    let imports = &types[graph[socket].ty()].imports;
    let mut cache = Default::default();
    let mut checker = SubtypeChecker::new(&mut cache);
    let mut found = Vec::new();
    for (name, ty) in &types[graph[plug].ty()].exports {
        let compatible = || imports.iter().find(|(import, _)| are_semver_compatible(name, import));
        let Some((import, wanted)) = imports.get_key_value(name).or_else(compatible) else { continue };
        if matches!(wanted, ItemKind::Type(_)) {
            continue;
        }
        checker.is_subtype(*ty, types, *wanted, types).map_err(|error| {
            vec![plain(format!("the export {name} does not fit the import {import}: {error:#}"), "")]
        })?;
        found.push((name.clone(), import.clone()));
    }
    Ok(found)
}

fn exports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].exports.keys().cloned().collect()
}

fn imports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].imports.keys().cloned().collect()
}
