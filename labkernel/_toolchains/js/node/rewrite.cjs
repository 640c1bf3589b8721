// Makes a function body of a file: imports and `export` become blanks, and what they said becomes data.
'use strict';

const { Refusal, awaitAtTop, placeOf, walk } = require('./read.cjs');

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

module.exports = { Rewriter };
