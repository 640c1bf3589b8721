// From the files of a cell to one text that the engine compiles: an object with a function for each file.
//
// Every line and column of a file stays where it was: types and `export` become blanks, imports move into a line of
// their own in front, which `lines` accounts for.
'use strict';

const path = require('node:path').posix;
const { Refusal, isTs, placeOf, read } = require('./read.cjs');
const { Rewriter } = require('./rewrite.cjs');

const ENDINGS = ['', '.js', '.ts', '.mjs', '.mts'];

// Returns where an import leads: ['file', name], ['world', id] or ['package', specifier].
function link(specifier, importer, { names, modules, deps }) {
  if (/^\.{0,2}\//.test(specifier)) {
    const wanted = path.normalize(path.join(path.dirname(importer), specifier));
    const found = [...ENDINGS.map((e) => wanted + e), wanted.replace(/\.js$/, '.ts'), wanted.replace(/\.mjs$/, '.mts')].find((n) => names.includes(n));
    if (found) return ['file', found];
    const known = names.filter((n) => n !== importer);
    throw new Refusal(`there is no file ${specifier}`, {}, { hint: known.length ? `files of this build: ${known.join(', ')}` : `add it with --file ${path.basename(specifier)}` });
  }
  const ids = modules.filter((id) => id === specifier || id.replace(/@.*/, '') === specifier);
  if (ids.length) return ['world', ids[0]];
  if (specifier.startsWith('node:') || require('node:module').builtinModules.includes(specifier)) {
    throw new Refusal(`${specifier} is a module of Node; a component has none of those`, {}, { hint: 'what a component asks of its host are the imports of its world' });
  }
  if (/^[\w-]+:[\w-]+(:[\w-]+)*\/[\w-]/.test(specifier)) {
    throw new Refusal(`the world does not import ${specifier}`, {}, { hint: modules.length ? `it imports ${modules.join(', ')}` : 'it imports no interface' });
  }
  const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  if (deps.includes(name)) return ['package', specifier];
  throw new Refusal(`the package ${name} is not among the dependencies`, {}, { hint: `add it with --dep ${name}` });
}

function linkAll(rewriter, world, problems) {
  const { name, code } = rewriter.file;
  const links = {};
  for (const { specifier, node } of [...rewriter.imports, ...rewriter.stars]) {
    try {
      links[specifier] = link(specifier, name, world);
    } catch (refusal) {
      if (!refusal.place) throw refusal;
      problems.push({ ...refusal.place, file: name, ...placeOf(code, node.start, node.end) });
    }
  }
  return links;
}

// Names that an importer must see change: not declared by `const`, `function` or `class`, or in a circle of files.
function isLive(target, name, seen) {
  const found = target?.exports.get(name);
  return !!found && (seen || !(found.isConst || ['function', 'async', 'generator', 'class'].includes(found.kind)));
}

function header(rewriter, all, links) {
  const p = rewriter.prefix;
  const offers = [...rewriter.exports].map(([name, { expression }]) => `${JSON.stringify(name)}:()=>${expression}`);
  const bindings = [];
  const live = [];
  for (const { names, specifier, later } of rewriter.imports) {
    const from = `${p}i(${JSON.stringify(specifier)})`;
    if (later) continue;
    if (!names.length) bindings.push(`${p}e${bindings.length}=${from}`);
    const [kind, file] = links[specifier] ?? [];
    const circle = kind === 'file' && reaches(file, rewriter.file.name, all);
    for (const [imported, local] of names) {
      if (imported === '*') bindings.push(`${local}=${from}`);
      else if (kind === 'file' && isLive(all.get(file), imported, circle)) live.push(`get ${local}(){return ${from}[${JSON.stringify(imported)}]}`);
      else bindings.push(`${local}=${from}[${JSON.stringify(imported)}]`);
    }
  }
  const star = rewriter.stars.map(({ specifier }) => `${p}a(${p}i(${JSON.stringify(specifier)}));`);
  const lines = [offers.length ? `${p}x({${offers}});` : '', bindings.length ? `const ${bindings};` : '', ...star].join('');
  return { lines, live };
}

function reaches(from, to, all, seen = new Set()) {
  if (from === to) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return Object.values(all.get(from)?.links ?? {}).some(([kind, name]) => kind === 'file' && reaches(name, to, all, seen));
}

function wrapped(rewriter, body, all) {
  const p = rewriter.prefix;
  const { lines, live } = header(rewriter, all, rewriter.links);
  const later = `const ${p}l=(s)=>new Promise((r)=>r(${p}i(s)));`;
  const lead = rewriter.imports.some((i) => i.later) ? later : '';
  const params = `(${p}x,${p}i,${p}a,${p}m)`;
  if (!live.length) return `function${params}{"use strict";${lead}${lines}\n${body}\n}`;
  return `function${params}{with({__proto__:null,${live}}){return(function(){"use strict";${lead}${lines}\n${body}\n}).call()}}`;
}

function checkNames(rewriter, all, problems) {
  if (isTs(rewriter.file.name)) return; // an imported type has no value
  for (const { names, specifier } of rewriter.imports) {
    const [kind, file] = rewriter.links[specifier] ?? [];
    const target = kind === 'file' ? all.get(file) : null;
    if (!target || target.stars.length) continue;
    for (const [imported, , node] of names) {
      if (imported === '*' || target.exports.has(imported)) continue;
      problems.push({ message: `${file} does not export ${imported}`, severity: 'error', file: rewriter.file.name, ...placeOf(rewriter.file.code, node.start, node.end), hint: target.exports.size ? `it exports ${[...target.exports.keys()].join(', ')}` : 'it exports nothing' });
    }
  }
}

// Returns the prepared cell, or what is wrong with it. `files` are the user's, the cell first; `modules` are the
// world's imported interfaces, `deps` the names of npm packages at hand.
exports.prepare = async ({ files, modules, deps, lower }, packages) => {
  const problems = [];
  const parsed = [];
  for (const file of files.filter(({ name }) => /\.[cm]?[jt]s$/.test(name))) {
    try {
      const made = await read(file, lower, packages);
      problems.push(...made.problems);
      parsed.push(made);
    } catch (error) {
      if (!error?.place) throw error;
      problems.push(error.place);
    }
  }
  const warnings = parsed.flatMap((file) => file.warnings ?? []);
  if (problems.length) return { problems, warnings };
  let prefix = '$l';
  while (parsed.some((file) => file.text.includes(prefix))) prefix += 'k';
  const world = { names: parsed.map((file) => file.name), modules, deps };
  const all = new Map(parsed.map((file) => [file.name, new Rewriter(file, prefix)]));
  const bodies = new Map();
  for (const [name, rewriter] of all) {
    try {
      const body = rewriter.run();
      const { final } = rewriter.file;
      rewriter.final = final.map ? new Rewriter({ name, ...final }, prefix) : rewriter;
      bodies.set(name, final.map ? rewriter.final.run() : body);
    } catch (error) {
      if (!error?.place) throw error;
      problems.push(error.place);
    }
    rewriter.links = linkAll(rewriter, world, problems);
  }
  for (const rewriter of all.values()) checkNames(rewriter, all, problems);
  if (problems.length) return { problems, warnings };
  return { problems, warnings, ...joined(all, bodies), ...facts(all.get(parsed[0].name)) };
};

function joined(all, bodies) {
  const [parts, lines, links, maps, texts] = [[], [], {}, {}, {}];
  let line = 1;
  for (const [name, rewriter] of all) {
    const { text, final } = rewriter.file;
    const count = final.code.split(/\r\n|\n|\r/).length;
    lines.push([name, line + 1, count]);
    if (final.map) maps[name] = final.map;
    texts[name] = text;
    rewriter.final.links = rewriter.links;
    parts.push(`${JSON.stringify(name)}:${wrapped(rewriter.final, bodies.get(name), all)}`);
    line += count + 2;
    if (Object.keys(rewriter.links).length) links[name] = rewriter.links;
  }
  const wanted = [...new Set(Object.values(links).flatMap((l) => Object.values(l)).filter(([kind]) => kind === 'package').map(([, s]) => s))];
  return { cell: { entry: [...all.keys()][0], code: `{${parts.join(',\n')}}`, lines, links, maps, texts }, packages: wanted.sort() };
}

function facts(entry) {
  const place = ({ offset, length, keys, expression, isConst, ...rest }) => ({
    ...rest, ...placeOf(entry.file.code, offset, offset + length),
    ...(keys ? { keys: Object.fromEntries(Object.entries(keys).map(([k, v]) => [k, place(v)])) } : {}),
  });
  const exported = Object.fromEntries([...entry.exports].map(([name, value]) => [name, place(value)]));
  const declared = Object.fromEntries([...entry.declared].map(([name, { node, kind }]) => [name, { kind, ...placeOf(entry.file.code, node.start, node.end) }]));
  return { exports: exported, declared, open: entry.stars.length > 0 };
}
