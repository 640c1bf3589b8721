//! Embeds what two crates hold beside their code, wherever cargo keeps them: the WASI packages of `wasip2`, and the
//! Go module of `wit-bindgen-go`.

use std::{env, fs, path::Path, path::PathBuf, process::Command};

/// Returns a folder within a crate. Cargo's JSON is searched, not parsed: the key `manifest_path` of a package is the
/// only text that ends in `/NAME-VERSION/Cargo.toml`.
fn find_in_crate(metadata: &str, name: &str, inner: &str) -> Option<PathBuf> {
    metadata.split("\"manifest_path\":\"").skip(1).find_map(|rest| {
        let path = rest.split('"').next()?.replace("\\\\", "/");
        let folder = Path::new(&path).parent()?;
        let is_named = folder.file_name()?.to_str()?.starts_with(&format!("{name}-"));
        let inner = folder.join(inner);
        (is_named && inner.is_dir()).then_some(inner)
    })
}

fn metadata() -> String {
    let target = env::var("TARGET").unwrap();
    let output = Command::new(env::var("CARGO").unwrap())
        .args(["metadata", "--offline", "--format-version", "1", "--filter-platform", &target])
        .current_dir(env::var("CARGO_MANIFEST_DIR").unwrap())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns every file under a folder, in order.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_under(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Writes a table of pairs, a name and the text of a file, as Rust code.
fn write_table(constant: &str, rows: &[(String, PathBuf)]) {
    let mut code = format!("pub const {constant}: &[(&str, &str)] = &[\n");
    for (name, file) in rows {
        code += &format!("    ({name:?}, include_str!({:?})),\n", file.to_str().unwrap());
    }
    code += "];\n";
    let name = format!("{}.rs", constant.to_lowercase());
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join(name), code).unwrap();
}

fn carried(metadata: &str) -> Vec<(String, PathBuf)> {
    let folder = find_in_crate(metadata, "wasip2", "wit/deps").expect("the crate wasip2 is there");
    let row = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let id = text.lines().find_map(|l| l.strip_prefix("package ")?.strip_suffix(';'));
        (id.expect("a package line").to_string(), file)
    };
    files_under(&folder).into_iter().map(row).collect()
}

fn go_package(metadata: &str) -> Vec<(String, PathBuf)> {
    let folder =
        find_in_crate(metadata, "wit-bindgen-go", "src/pkg").expect("the crate wit-bindgen-go is there");
    let row = |file: PathBuf| {
        let name = file.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/");
        // What the compiler reads, and its license.
        let is_kept = name == "LICENSE" || [".go", ".s", ".mod"].iter().any(|end| name.ends_with(end));
        is_kept.then_some((name, file))
    };
    files_under(&folder).into_iter().filter_map(row).collect()
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-changed=../wit/toolbox.wit");
    // Parsers recurse: eight megabytes, as a native main thread has.
    println!("cargo:rustc-link-arg=-zstack-size=8388608");
    let metadata = metadata();
    write_table("CARRIED", &carried(&metadata));
    write_table("GO_PACKAGE", &go_package(&metadata));
}
