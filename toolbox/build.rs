//! Embeds the WASI packages of the crate `wasip2`, wherever cargo keeps that crate.

use std::{env, fs, path::Path, path::PathBuf, process::Command};

/// Returns the manifest path that cargo's metadata gives for a crate. Its JSON is searched, not parsed: the key
/// `manifest_path` of a package is the only text that ends in `/NAME-VERSION/Cargo.toml`.
fn find_crate(metadata: &str, name: &str) -> Option<PathBuf> {
    metadata.split("\"manifest_path\":\"").skip(1).find_map(|rest| {
        let path = rest.split('"').next()?.replace("\\\\", "/");
        let folder = Path::new(&path).parent()?;
        let found =
            folder.file_name()?.to_str()?.starts_with(&format!("{name}-")) && folder.join("wit").is_dir();
        found.then(|| folder.to_path_buf())
    })
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-changed=../wit/toolbox.wit");
    // Parsers recurse: eight megabytes, as a native main thread has.
    println!("cargo:rustc-link-arg=-zstack-size=8388608");
    let target = env::var("TARGET").unwrap();
    let output = Command::new(env::var("CARGO").unwrap())
        .args(["metadata", "--offline", "--format-version", "1", "--filter-platform", &target])
        .current_dir(env::var("CARGO_MANIFEST_DIR").unwrap())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let folder =
        find_crate(&String::from_utf8(output.stdout).unwrap(), "wasip2").expect("the crate wasip2 is there");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.join("wit/deps")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut code = String::from("pub const CARRIED: &[(&str, &str)] = &[\n");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let id =
            text.lines().find_map(|l| l.strip_prefix("package ")?.strip_suffix(';')).expect("a package line");
        code += &format!("    ({id:?}, include_str!({:?})),\n", file.to_str().unwrap());
    }
    code += "];\n";
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("carried.rs"), code).unwrap();
}
