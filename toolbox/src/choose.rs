//! Which package a reference means: one that was given, or one that is carried.

use crate::carried;
use crate::scan::{Declared, Reference};
use semver::Version;
use std::collections::BTreeSet;

/// A package that was given, by its declaration.
pub struct Known {
    pub name: String,
    pub version: Option<String>,
}

impl From<&Declared> for Known {
    fn from(declared: &Declared) -> Known {
        Known { name: declared.name.clone(), version: declared.version.clone() }
    }
}

/// Decides which package each reference means.
pub struct Chosen {
    pub known: Vec<Known>,
    pub notes: Vec<String>,
    pub carried: BTreeSet<&'static str>,
}

/// What a reference means: the version to write after it, if any.
pub enum Choice {
    Given(Option<String>),
    Carried(&'static str, &'static str),
}

impl Chosen {
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Returns the choice, or what is wrong and the remedy.
    pub fn choose(&self, reference: &Reference) -> Result<Choice, (String, String)> {
        let name = format!("{}:{}", reference.namespace, reference.package);
        let given: Vec<&Option<String>> =
            self.known.iter().filter(|k| k.name == name).map(|k| &k.version).collect();
        let exact = given.iter().find(|v| **v == &reference.version);
        if exact.is_some() {
            return Ok(Choice::Given(reference.version.clone()));
        }
        if reference.version.is_none() && given.len() == 1 {
            return Ok(Choice::Given(given[0].clone()));
        }
        if reference.version.is_none() && given.len() > 1 {
            let versions: Vec<String> =
                given.iter().map(|v| v.as_deref().unwrap_or("none").to_string()).collect();
            let message = format!("`{name}` is there in several versions, and this doesn't say which");
            return Err((message, format!("write one of them after the name: @{}", versions.join(", @"))));
        }
        if reference.namespace != "wasi" {
            return Err(not_given(&name, reference, &given));
        }
        let newer = given.iter().filter_map(|v| v.as_deref());
        let wanted = reference.version.as_deref().unwrap_or_default();
        if let Some(version) =
            newer.filter(|v| is_compatible(wanted, v)).max_by_key(|v| Version::parse(v).ok())
        {
            return Ok(Choice::Given(Some(version.to_string())));
        }
        choose_carried(&name, reference)
    }
}

fn not_given(name: &str, reference: &Reference, given: &[&Option<String>]) -> (String, String) {
    let message = match &reference.version {
        Some(version) => format!("package `{name}@{version}` is not there"),
        None => format!("package `{name}` is not there"),
    };
    let versions: Vec<String> =
        given.iter().map(|v| v.as_ref().map_or(name.into(), |v| format!("{name}@{v}"))).collect();
    let hint = if versions.is_empty() {
        format!("give its WIT as a dependency; carried without being given: {}", carried::names())
    } else {
        format!("given: {}", versions.join(", "))
    };
    (message, hint)
}

/// Whether `has` can stand where `wanted` is asked for, by the rule engines link by.
fn is_compatible(wanted: &str, has: &str) -> bool {
    let (Ok(wanted), Ok(has)) = (Version::parse(wanted), Version::parse(has)) else { return false };
    let track = |v: &Version| if v.major == 0 { (0, v.minor) } else { (v.major, 0) };
    wanted.pre.is_empty() && has.pre.is_empty() && track(&wanted) == track(&has) && has >= wanted
}

fn choose_carried(name: &str, reference: &Reference) -> Result<Choice, (String, String)> {
    let Some((id, version, _)) = carried::find(name) else {
        let hint = format!("carried: {}; give the WIT of any other as a dependency", carried::names());
        return Err((format!("the package `{name}` is not one that the toolbox carries"), hint));
    };
    let Some(wanted) = reference.version.as_deref() else { return Ok(Choice::Carried(id, version)) };
    if wanted == version || is_compatible(wanted, version) {
        return Ok(Choice::Carried(id, version));
    }
    let remedy = format!("write @{version}, or leave the version out");
    let message = match Version::parse(wanted) {
        Err(_) => format!("`{name}@{wanted}`: `{wanted}` is not a version"),
        Ok(v) if (v.major, v.minor) >= (0, 3) && v.major == 0 => {
            format!("`{name}@{wanted}` is WASI 0.{}, which is async; the lab runs WASI 0.2", v.minor)
        }
        Ok(v) if v.minor == 2 && v.major == 0 && v.pre.is_empty() => {
            format!("`{name}@{wanted}` is newer than what the toolbox carries, {version}")
        }
        Ok(_) => format!("`{name}@{wanted}` is not compatible with what the toolbox carries, {version}"),
    };
    Err((message, remedy))
}
