// Reads one file of a cell: types taken out, parsed, and made free of async functions where the engine runs no jobs.
'use strict';

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

function* walk(node) {
  if (!node || typeof node.type !== 'string') return;
  yield node;
  for (const key of Object.keys(node)) {
    const child = node[key];
    if (Array.isArray(child)) for (const each of child) yield* walk(each);
    else if (child && typeof child === 'object') yield* walk(child);
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

module.exports = { Refusal, awaitAtTop, isTs, placeOf, read, walk };
