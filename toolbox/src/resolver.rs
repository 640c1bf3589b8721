//! Finds every package a text refers to, and resolves them together.

use crate::carried;
use crate::choose::{Choice, Chosen, Known};
use crate::exports::labkernel::toolbox::model::{Diagnostic, SourceFile};
use crate::scan::{Reference, Scan, scan};
use crate::text::{Edit, Place, Source, plain};
use crate::tokens::MAX_NESTING;
use std::collections::BTreeSet;
use wit_parser::{
    PackageId, ParseError, ParseErrorKind, Resolve, ResolveError, ResolveErrorKind, SourceMap, Span,
    UnresolvedPackageGroup, WorldId,
};

/// The largest text of one package that is read, in bytes.
const MAX_TEXT: usize = 8 << 20;

type Failure = Vec<Diagnostic>;

/// Packages resolved together, with the texts they came from.
pub struct Resolved {
    pub resolve: Resolve,
    pub main: PackageId,
    pub files: Vec<SourceFile>,
    pub notes: Vec<String>,
    sources: Vec<Source>,
}

impl Resolved {
    /// Returns the line of a declaration in the text it was given in; 0 is unknown.
    pub fn line(&self, span: Span) -> u32 {
        let found = self.resolve.source_map.resolve_span(span).and_then(|location| {
            let source = self.sources.get(location.path.parse::<usize>().ok()?)?;
            Some(source.line(location.range.start))
        });
        found.unwrap_or(0)
    }

    /// Returns the world of that name, full id, or the only one there is for an empty name.
    pub fn world(&self, name: &str) -> Result<WorldId, Failure> {
        // By hand first: `select_world` parses the name, and `world` is one that it takes for a keyword.
        let worlds = &self.resolve.packages[self.main].worlds;
        let is_named = |own: &String| own == name || self.resolve.id_of_name(self.main, own) == name;
        if let Some((_, id)) = worlds.iter().find(|(own, _)| is_named(own)) {
            return Ok(*id);
        }
        let wanted = (!name.is_empty()).then_some(name);
        self.resolve.select_world(&[self.main], wanted).map_err(|error| {
            let package = &self.resolve.packages[self.main];
            let known: Vec<&str> = package.worlds.keys().map(String::as_str).collect();
            let hint = format!("worlds of {}: {}", package.name, known.join(", "));
            vec![plain(format!("{error:#}"), if known.is_empty() { String::new() } else { hint })]
        })
    }
}

/// One package as given: where its texts are in the table of sources.
struct Group {
    sources: std::ops::Range<usize>,
}

/// Resolves a package given as files in the layout that `resolve` returns: dependencies under `deps/`.
pub fn resolve_files(files: Vec<SourceFile>) -> Result<Resolved, Failure> {
    let mut main = Vec::new();
    let mut deps: Vec<(String, Vec<SourceFile>)> = Vec::new();
    for file in files {
        let Some(rest) = file.path.strip_prefix("deps/") else {
            main.push(file);
            continue;
        };
        let key = rest.split('/').next().unwrap_or(rest).to_string();
        match deps.iter_mut().find(|(k, _)| *k == key) {
            Some((_, package)) => package.push(file),
            None => deps.push((key, vec![file])),
        }
    }
    resolve(main, deps.into_iter().map(|(_, package)| package).collect())
}

/// Resolves `main` against `deps` and the carried packages.
pub fn resolve(main: Vec<SourceFile>, deps: Vec<Vec<SourceFile>>) -> Result<Resolved, Failure> {
    let packages: Vec<Vec<SourceFile>> = std::iter::once(main).chain(deps).collect();
    if packages[0].is_empty() {
        return Err(vec![plain("there is no text to read", "give at least one file")]);
    }
    let mut scans: Vec<Vec<Scan>> = Vec::new();
    for package in &packages {
        scans.push(package.iter().map(check_and_scan).collect::<Result<_, _>>()?);
    }
    let known: Vec<Known> = scans.iter().flatten().flat_map(|s| &s.declared).map(Known::from).collect();
    let mut chosen = Chosen { known, notes: Vec::new(), carried: BTreeSet::new() };
    let mut sources = Vec::new();
    let mut groups = Vec::new();
    let mut errors = Vec::new();
    for (package, scans) in packages.iter().zip(scans) {
        let start = sources.len();
        for (file, scan) in package.iter().zip(scans) {
            sources.push(rewrite(file, scan, &mut chosen, &mut errors));
        }
        groups.push(Group { sources: start..sources.len() });
    }
    // References after a syntax error may not be what they seem; those before it are as wrong as it is.
    let parsed = parse_groups(&groups, &sources).map_err(|stop| earlier(&errors, stop))?;
    if !errors.is_empty() {
        return Err(errors);
    }
    let names = group_names(&parsed);
    let mut files = layout(&groups, &sources, &names);
    let given = groups.len();
    add_carried(&chosen, &mut sources, &mut groups, &mut files);
    let more = parse_groups(&groups[given..], &sources)?;
    finish(parsed, more, sources, files, chosen.notes)
}

fn finish(
    mut parsed: Vec<UnresolvedPackageGroup>,
    more: Vec<UnresolvedPackageGroup>,
    sources: Vec<Source>,
    files: Vec<SourceFile>,
    notes: Vec<String>,
) -> Result<Resolved, Failure> {
    let main = parsed.remove(0);
    parsed.extend(more);
    let mut resolve = Resolve::default();
    match resolve.push_groups(main, parsed) {
        Ok(main) => Ok(Resolved { resolve, main, files, notes, sources }),
        Err(error) => Err(vec![resolve_error(&error, &resolve, &sources)]),
    }
}

/// Returns what is wrong before the place where the parser stopped, then that.
fn earlier(errors: &[Diagnostic], stop: Failure) -> Failure {
    let is_before = |error: &&Diagnostic| {
        stop.iter().any(|s| s.file == error.file && (s.line, s.column) > (error.line, error.column))
    };
    errors.iter().filter(is_before).cloned().chain(stop.iter().cloned()).collect()
}

fn check_and_scan(file: &SourceFile) -> Result<Scan, Failure> {
    let source = || Source::new(&file.path, &file.text, Vec::new());
    if file.text.len() > MAX_TEXT {
        let message = format!("a text of {} bytes is too long", file.text.len());
        return Err(vec![source().diagnostic(Place::default(), message, "the limit is 8 MiB")]);
    }
    let scan = scan(&file.text);
    match scan.too_deep {
        None => Ok(scan),
        Some(at) => {
            let source = source();
            let place = source.place_in_original(at..at + 1);
            let message = "brackets are nested too deep";
            let hint = format!("the limit is {MAX_NESTING} levels; give inner types a name of their own");
            Err(vec![source.diagnostic(place, message, hint)])
        }
    }
}

/// Makes a source of a file: its edits applied, its references given their versions.
fn rewrite(file: &SourceFile, scan: Scan, chosen: &mut Chosen, errors: &mut Failure) -> Source {
    let unchanged = Source::new(&file.path, &file.text, Vec::new());
    let mut edits = scan.edits;
    for reference in &scan.references {
        match chosen.choose(reference) {
            Ok(choice) => edits.extend(apply(choice, reference, &file.text, chosen)),
            Err((message, hint)) => {
                let place = unchanged.place_in_original(reference.range.clone());
                errors.push(unchanged.diagnostic(place, message, hint));
            }
        }
    }
    let lines = |offsets: &mut dyn Iterator<Item = usize>| -> String {
        let lines: BTreeSet<u32> = offsets.map(|o| unchanged.place_in_original(o..o).line).collect();
        let shown: Vec<String> = lines.iter().take(8).map(u32::to_string).collect();
        let more = if lines.len() > 8 { ", ..." } else { "" };
        format!("{} {}{more}", if lines.len() == 1 { "line" } else { "lines" }, shown.join(", "))
    };
    if !scan.without_semicolon.is_empty() {
        let at = lines(&mut scan.without_semicolon.iter().map(|o| o.saturating_sub(1)));
        chosen.note(format!("{}: semicolons put in ({at}), which WIT asks for since 2023", file.path));
    }
    let reasons: BTreeSet<&str> = scan.modernized.iter().map(|(_, why)| *why).collect();
    for why in reasons {
        let at = lines(&mut scan.modernized.iter().filter(|(_, w)| *w == why).map(|(o, _)| *o));
        chosen.note(format!("{}: {why} ({at})", file.path));
    }
    Source::new(&file.path, &file.text, edits)
}

fn apply(choice: Choice, reference: &Reference, text: &str, chosen: &mut Chosen) -> Option<Edit> {
    let name = format!("{}:{}", reference.namespace, reference.package);
    let version = match choice {
        Choice::Given(version) => version,
        Choice::Carried(id, version) => {
            chosen.carried.insert(id);
            Some(version.to_string())
        }
    };
    if version == reference.version {
        return None;
    }
    let version = version?;
    chosen.note(format!("{} resolved to {name}@{version}", &text[reference.range.clone()]));
    Some(Edit { range: reference.version_range.clone(), text: format!("@{version}") })
}

fn parse_groups(groups: &[Group], sources: &[Source]) -> Result<Vec<UnresolvedPackageGroup>, Failure> {
    groups.iter().map(|group| parse_group(group, sources)).collect()
}

fn parse_group(group: &Group, sources: &[Source]) -> Result<UnresolvedPackageGroup, Failure> {
    let mut map = SourceMap::new();
    for index in group.sources.clone() {
        map.push_str(&index.to_string(), &sources[index].text);
    }
    map.parse()
        .map_err(|(map, error)| vec![parse_error(&error, &map, &sources[group.sources.clone()], sources)])
}

/// Returns the source and the place of a span.
fn locate<'a>(map: &SourceMap, sources: &'a [Source], span: Span) -> Option<(&'a Source, Place)> {
    let location = map.resolve_span(span)?;
    let source = sources.get(location.path.parse::<usize>().ok()?)?;
    Some((source, source.place(location.range.clone())))
}

fn parse_error(error: &ParseError, map: &SourceMap, own: &[Source], sources: &[Source]) -> Diagnostic {
    let message = error.to_string();
    let kind = error.kind();
    if message.contains("no `package` header") {
        let hint = "make the first line `package my:package;`, with names of your own";
        return own[0].diagnostic(
            Place { line: 1, column: 1, end_column: 2 },
            "there is no `package` line",
            hint,
        );
    }
    let word = map.resolve_span(kind.span()).and_then(|location| {
        let source = sources.get(location.path.parse::<usize>().ok()?)?;
        Some(source.word(&location.range).to_string())
    });
    let hint = match kind {
        ParseErrorKind::ItemNotFound { hint: Some(hint), .. } => hint.clone(),
        _ => syntax_hint(word.as_deref().unwrap_or_default(), &message),
    };
    placed(map, sources, kind.span(), first_line(&message), hint)
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_string()
}

/// Returns the remedy for forms that WIT no longer has.
fn syntax_hint(word: &str, message: &str) -> String {
    let hint = match word {
        "union" => {
            "a `union` is written `variant` today, each case with a name: `variant u { a(t1), b(t2) }`"
        }
        "expected" => "`expected<t, e>` is written `result<t, e>` today",
        "unit" => "`unit` is gone: leave the type out, or write `_` within `result<_, e>`",
        "func" => "a function is written `name: func(...)`",
        "static" | "method" => "a static function is written `name: static func(...)`",
        _ if message.contains("found '('") && message.contains("a type") => {
            "a function has one result without a name: write `-> t`, or `-> tuple<a, b>` for several"
        }
        _ => "",
    };
    hint.to_string()
}

fn placed(map: &SourceMap, sources: &[Source], span: Span, message: String, hint: String) -> Diagnostic {
    match locate(map, sources, span) {
        Some((source, place)) => source.diagnostic(place, message, hint),
        None => plain(message, hint),
    }
}

fn resolve_error(error: &ResolveError, resolve: &Resolve, sources: &[Source]) -> Diagnostic {
    let kind = error.kind();
    let hint = match kind {
        ResolveErrorKind::InterfaceNotFound { package, .. } => known_in(resolve, package, false),
        ResolveErrorKind::WorldNotFound { package, .. } => known_in(resolve, package, true),
        ResolveErrorKind::DuplicatePackage { span2, .. } => {
            match locate(&resolve.source_map, sources, *span2) {
                Some((source, place)) => format!("the other one is in {} line {}", source.path, place.line),
                None => String::new(),
            }
        }
        ResolveErrorKind::PackageCycle { .. } => {
            "within a package its own interfaces and worlds go by their bare names".to_string()
        }
        _ => String::new(),
    };
    placed(&resolve.source_map, sources, kind.span(), first_line(&kind.to_string()), hint)
}

/// Returns what a package has, for a name that it has not.
fn known_in(resolve: &Resolve, package: &wit_parser::PackageName, worlds: bool) -> String {
    let Some(package) = resolve.package_names.get(package).map(|id| &resolve.packages[*id]) else {
        return String::new();
    };
    let names: Vec<&str> = match worlds {
        true => package.worlds.keys().map(String::as_str).collect(),
        false => package.interfaces.keys().map(String::as_str).collect(),
    };
    format!("{} has: {}", package.name, names.join(", "))
}

fn group_names(groups: &[UnresolvedPackageGroup]) -> Vec<String> {
    groups.iter().map(|group| file_stem(&group.main.name.to_string())).collect()
}

/// Returns a package's id as a file's name.
pub fn file_stem(id: &str) -> String {
    id.replace([':', '@', '+'], "-")
}

/// Returns the given packages as files that a WIT tool reads from one folder.
fn layout(groups: &[Group], sources: &[Source], names: &[String]) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = Vec::new();
    for (index, (group, name)) in groups.iter().zip(names).enumerate() {
        let own = &sources[group.sources.clone()];
        for (k, source) in own.iter().enumerate() {
            let base = match own.len() {
                1 => String::new(),
                _ => {
                    let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".wit");
                    let clash =
                        own[..k].iter().any(|s| s.path.rsplit('/').next() == source.path.rsplit('/').next());
                    if clash || stem.is_empty() { format!("{stem}{k}.wit") } else { format!("{stem}.wit") }
                }
            };
            let path = match (index, own.len()) {
                (0, 1) => "world.wit".to_string(),
                (0, _) => base,
                (_, 1) => format!("deps/{name}.wit"),
                _ => format!("deps/{name}/{base}"),
            };
            files.push(SourceFile { path, text: source.text.clone() });
        }
    }
    files
}

/// Adds the carried packages that were chosen, and those they refer to.
fn add_carried(
    chosen: &Chosen,
    sources: &mut Vec<Source>,
    groups: &mut Vec<Group>,
    files: &mut Vec<SourceFile>,
) {
    let is_given = |id: &str| {
        chosen.known.iter().any(|k| k.version.as_ref().is_some_and(|v| format!("{}@{v}", k.name) == id))
    };
    let mut waiting: Vec<&'static str> = chosen.carried.iter().copied().filter(|id| !is_given(id)).collect();
    let mut done = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !done.insert(id) {
            continue;
        }
        let Some((_, _, text)) = id.split('@').next().and_then(carried::find) else { continue };
        for reference in scan(text).references {
            let found = carried::find(&format!("{}:{}", reference.namespace, reference.package));
            waiting.extend(found.map(|(id, _, _)| id).filter(|id| !is_given(id)));
        }
    }
    for id in done {
        let Some((_, _, text)) = id.split('@').next().and_then(carried::find) else { continue };
        let path = format!("deps/{}.wit", file_stem(id));
        files.push(SourceFile { path: path.clone(), text: text.to_string() });
        sources.push(Source::new(&path, text, Vec::new()));
        groups.push(Group { sources: sources.len() - 1..sources.len() });
    }
}
