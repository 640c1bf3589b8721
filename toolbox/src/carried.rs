//! The WASI packages that were embedded when the toolbox was built.

include!(concat!(env!("OUT_DIR"), "/carried.rs"));

/// Returns the carried package of that name without its version, if there is one.
pub fn find(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    CARRIED.iter().find_map(|(id, text)| {
        let (known, version) = id.split_once('@')?;
        (known == name).then_some((*id, version, *text))
    })
}

/// Returns the names without versions, for messages.
pub fn names() -> String {
    let names: Vec<&str> = CARRIED.iter().filter_map(|(id, _)| id.split('@').next()).collect();
    names.join(", ")
}
