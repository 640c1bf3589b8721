// From the files of a cell to one text that the engine compiles: an object with a function for each file.
//
// Every line and column of a file stays where it was: types and `export` become blanks, imports move into a line of
// their own in front, which `lines` accounts for.
'use strict';

const path = require('node:path').posix;

const isTs = (name) => /\.[cm]?ts$/.test(name);

class Refusal extends Error {
  constructor(message, place, more = {}) {
    super(message);
    this.place = { message, severity: 'error', ...place, ...more };
  }
}

// --- places

function placeOf(text, offset, end = offset + 1) {
  const before = text.slice(0, offset);
  const start = Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r'), -1) + 1;
  const line = before.split(/\r\n|\n|\r/).length;
  const length = /[^\r\n]*/.exec(text.slice(start))[0].length;
  return { line, column: offset - start + 1, end_column: Math.min(end - start, length) + 1 };
}

function fromEsbuild(message, file, severity) {
  const at = message.location;
  const note = message.notes?.find((n) => n.text)?.text ?? '';
  if (!at) return { message: message.text, severity, file, line: 0, column: 0, end_column: 0, hint: note };
  const bytes = Buffer.from(at.lineText);
  const chars = (n) => bytes.subarray(0, n).toString().length;
  return {
    message: message.text, severity, file, line: at.line, column: chars(at.column) + 1,
    end_column: chars(at.column + Math.max(1, at.length)) + 1, hint: note, code: message.id ?? '',
  };
}

// --- reading one file

function strip(name, text, packages) {
  try {
    const { code } = packages('amaro').transformSync(text, { mode: 'strip-only' });
    if (code.length === text.length) return code;
    return realign(text, code);
  } catch (error) {
    if (!error?.startLine) throw error;
    const place = { file: name, line: error.startLine, column: error.startColumn + 1, end_column: error.endColumn + 1 };
    if (error.endLine !== error.startLine) place.end_column = 1 << 20;
    const hint = /enum/.test(error.message) ? 'types are only taken out: write a union of strings, or an object with `as const`'
      : error.code === 'UnsupportedSyntax' ? 'types are only taken out of TypeScript: what would need new code is refused' : '';
    throw new Refusal(error.message, place, { hint });
  }
}

// The stripper counts bytes: a type in other letters leaves more blanks than it had characters.
function realign(text, code) {
  const [old, made] = [text.split('\n'), code.split('\n')];
  if (old.length !== made.length) return code;
  return old.map((line, i) => {
    let [out, k] = ['', 0];
    for (const char of line) {
      const width = Buffer.byteLength(char);
      if (made[i].startsWith(char, k)) {
        out += char;
        k += char.length;
      } else {
        out += ' '.repeat(char.length);
        k += width;
      }
    }
    return out;
  }).join('\n');
}

// --- async functions for engines that run no jobs

const SIXTY_FOUR = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

// Returns, for each line of the made code, [column, line, column] of it and of the source, all from 0.
function mappings(text) {
  let [source, line, column] = [0, 0, 0];
  return text.split(';').map((part) => {
    let at = 0;
    return part.split(',').filter(Boolean).map((segment) => {
      const numbers = [];
      let [value, shift] = [0, 0];
      for (const letter of segment) {
        const digit = SIXTY_FOUR.indexOf(letter);
        value += (digit & 31) << shift;
        shift += 5;
        if (!(digit & 32)) {
          numbers.push(value & 1 ? -(value >> 1) : value >> 1);
          [value, shift] = [0, 0];
        }
      }
      at += numbers[0];
      if (numbers.length > 1) [source, line, column] = [source + numbers[1], line + numbers[2], column + numbers[3]];
      return [at, line, column];
    });
  });
}

const LACKS = { 'async-await': false, 'async-generator': false, 'for-await': false };

async function lowered(name, code, packages) {
  const made = await packages('esbuild').transform(code, { loader: 'js', format: 'esm', target: 'esnext', supported: LACKS, sourcemap: 'external', sourcefile: name, logLevel: 'silent' });
  const tree = packages('acorn').parse(made.code, { ecmaVersion: 'latest', sourceType: 'module' });
  return { code: made.code, tree, map: mappings(JSON.parse(made.map).mappings) };
}

const isAsync = (node) => node.async === true || (node.type === 'ForOfStatement' && node.await);

async function read(file, lower, packages) {
  const name = file.name;
  const text = file.text.toWellFormed().replace(/^\ufeff/, '').replace(/^#![^\r\n]*/, (line) => ' '.repeat(line.length));
  const warnings = [];
  try {
    const said = await packages('esbuild').transform(text, {
      loader: isTs(name) ? 'ts' : 'js', format: 'esm', target: 'esnext', logLevel: 'silent', sourcefile: name,
      logOverride: { 'empty-import-meta': 'silent' },
    });
    warnings.push(...said.warnings.map((w) => fromEsbuild(w, name, 'warning')));
  } catch (error) {
    if (!error?.errors?.length) throw error;
    return { name, problems: error.errors.map((e) => fromEsbuild(e, name, 'error')) };
  }
  const code = isTs(name) ? strip(name, text, packages) : text;
  try {
    const tree = packages('acorn').parse(code, { ecmaVersion: 'latest', sourceType: 'module' });
    const needs = lower && /\basync\b/.test(code) && [...walk(tree)].some(isAsync) && !awaitAtTop(tree);
    const final = needs ? await lowered(name, code, packages) : { code, tree, map: null };
    return { name, text, code, tree, final, warnings, problems: [] };
  } catch (error) {
    if (error?.pos === undefined) throw error;
    const message = error.message.replace(/ \(\d+:\d+\)$/, '');
    throw new Refusal(message, { file: name, ...placeOf(code, error.pos, error.raisedAt ?? error.pos + 1) });
  }
}

// --- finding things in the tree

function* walk(node) {
  if (!node || typeof node.type !== 'string') return;
  yield node;
  for (const key of Object.keys(node)) {
    const child = node[key];
    if (Array.isArray(child)) for (const each of child) yield* walk(each);
    else if (child && typeof child === 'object') yield* walk(child);
  }
}

function* boundNames(pattern) {
  switch (pattern?.type) {
    case 'Identifier': yield pattern; break;
    case 'ObjectPattern': for (const p of pattern.properties) yield* boundNames(p.type === 'RestElement' ? p.argument : p.value); break;
    case 'ArrayPattern': for (const p of pattern.elements) yield* boundNames(p); break;
    case 'AssignmentPattern': yield* boundNames(pattern.left); break;
    case 'RestElement': yield* boundNames(pattern.argument); break;
  }
}

const functionKind = (node) => (node.async ? 'async' : node.generator ? 'generator' : 'function');

function kindOf(node) {
  if (!node) return { kind: 'unknown' };
  if (/Function/.test(node.type)) return { kind: functionKind(node) };
  if (/^Class/.test(node.type)) return { kind: 'class' };
  if (node.type !== 'ObjectExpression') return { kind: /Literal|^Array/.test(node.type) ? 'value' : 'unknown' };
  const keys = {};
  for (const each of node.properties) {
    if (each.type !== 'Property' || each.computed) return { kind: 'unknown' };
    keys[each.key.name ?? String(each.key.value)] = { ...kindOf(each.value), offset: each.key.start, length: each.key.end - each.key.start };
  }
  return { kind: 'object', keys };
}

// Returns what the file declares at its top level, by name.
function topLevel(tree) {
  const found = new Map();
  for (const statement of tree.body) {
    const node = statement.declaration && /^Export(Named|Default)/.test(statement.type) ? statement.declaration : statement;
    if ((node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') && node.id) found.set(node.id.name, { node: node.id, ...kindOf(node) });
    if (node.type !== 'VariableDeclaration') continue;
    for (const each of node.declarations) {
      for (const id of boundNames(each.id)) found.set(id.name, { node: id, ...(each.id === id ? kindOf(each.init) : { kind: 'unknown' }), isConst: node.kind === 'const' });
    }
  }
  return found;
}

const nameOf = (node) => node.name ?? node.value;

// --- rewriting one file

class Rewriter {
  constructor(file, prefix) {
    this.file = file;
    this.prefix = prefix;
    this.chars = [...Array(file.code.length).keys()].map((i) => file.code[i]);
    this.declared = topLevel(file.tree);
    this.imports = []; // [names, specifier, node]
    this.stars = [];
    this.exports = new Map(); // name -> { expression, node, kind ... }
  }

  blank(start, end, keep = '') {
    for (let i = start; i < end; i++) if (!/[\r\n\u2028\u2029]/.test(this.chars[i])) this.chars[i] = ' ';
    for (let i = 0; i < keep.length; i++) this.chars[start + i] = keep[i];
  }

  insert(at, text) {
    this.chars[at - 1] += text;
  }

  run() {
    for (const statement of this.file.tree.body) this.statement(statement);
    this.inside();
    return this.chars.join('');
  }

  statement(node) {
    switch (node.type) {
      case 'ImportDeclaration': {
        const names = node.specifiers.map((s) => [s.type === 'ImportNamespaceSpecifier' ? '*' : s.type === 'ImportDefaultSpecifier' ? 'default' : nameOf(s.imported), s.local.name, s]);
        this.imports.push({ names, specifier: node.source.value, node: node.source });
        return this.blank(node.start, node.end, ';');
      }
      case 'ExportAllDeclaration':
        if (node.exported) {
          const local = `${this.prefix}n${this.imports.length}`;
          this.imports.push({ names: [['*', local, node.exported]], specifier: node.source.value, node: node.source });
          this.offer(nameOf(node.exported), local, node.exported, { kind: 'unknown' });
        } else {
          this.stars.push({ specifier: node.source.value, node: node.source });
        }
        return this.blank(node.start, node.end, ';');
      case 'ExportNamedDeclaration': return this.exportNamed(node);
      case 'ExportDefaultDeclaration': return this.exportDefault(node);
      default: return undefined;
    }
  }

  offer(name, expression, node, facts) {
    this.exports.set(name, { expression, offset: node.start, length: node.end - node.start, ...facts });
  }

  exportNamed(node) {
    if (node.declaration) {
      this.blank(node.start, node.declaration.start);
      const ids = node.declaration.id ? [node.declaration.id] : node.declaration.declarations.flatMap((d) => [...boundNames(d.id)]);
      for (const id of ids) this.offer(id.name, id.name, id, { ...this.declared.get(id.name), node: undefined });
      return;
    }
    if (node.source) {
      const names = node.specifiers.map((s, i) => {
        const local = `${this.prefix}r${this.imports.length}_${i}`;
        this.offer(nameOf(s.exported), local, s.exported, { kind: 'unknown' });
        return [nameOf(s.local), local, s.local];
      });
      this.imports.push({ names, specifier: node.source.value, node: node.source });
    } else {
      for (const s of node.specifiers) {
        const known = this.declared.get(s.local.name);
        this.offer(nameOf(s.exported), s.local.name, s.exported, { kind: 'unknown', ...known, node: undefined });
      }
    }
    this.blank(node.start, node.end, ';');
  }

  exportDefault(node) {
    const inner = node.declaration;
    if (inner.id && /Declaration$/.test(inner.type)) {
      this.blank(node.start, inner.start);
      return this.offer('default', inner.id.name, inner.id, kindOf(inner));
    }
    this.blank(node.start, inner.start, `const ${this.prefix}d=`);
    if (/Declaration$/.test(inner.type)) this.insert(inner.end, ';');
    return this.offer('default', `${this.prefix}d`, { start: node.start, end: node.start + 14 }, kindOf(inner));
  }

  // What a script cannot say: `import.meta`, `import()`, and `await` at the top level.
  inside() {
    const { code, name } = this.file;
    if (!/\bimport\b|\bawait\b/.test(code)) return;
    for (const node of walk(this.file.tree)) {
      if (node.type === 'MetaProperty' && node.meta.name === 'import') this.blank(node.start, node.end, `${this.prefix}m`);
      if (node.type === 'ImportExpression') {
        if (node.source.type !== 'Literal') throw new Refusal('import() takes the name of a module only, written out', { file: name, ...placeOf(code, node.start, node.end) });
        this.imports.push({ names: [], specifier: node.source.value, node: node.source, later: true });
        this.blank(node.start, node.start + 6, `${this.prefix}l`);
      }
    }
    const first = awaitAtTop(this.file.tree);
    if (first) throw new Refusal('`await` at the top level is not supported: a cell is loaded synchronously', { file: name, ...placeOf(code, first.start, first.start + 5) }, { hint: 'await within an async function' });
  }
}

function awaitAtTop(node) {
  if (!node || typeof node.type !== 'string' || /Function/.test(node.type)) return null;
  if (node.type === 'AwaitExpression' || (node.type === 'ForOfStatement' && node.await)) return node;
  for (const child of Object.values(node)) {
    for (const each of Array.isArray(child) ? child : [child]) {
      const found = each && typeof each === 'object' ? awaitAtTop(each) : null;
      if (found) return found;
    }
  }
  return null;
}

// --- joining the files

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
