/** Reads the first line of a cell: is it one of the lab's cell magics, in which language, made of which parts? */

/** What the lab calls a language -> what JupyterLab's editor calls it. */
const LANGUAGES: Record<string, string> = {
  rust: 'Rust',
  rs: 'Rust',
  c: 'C',
  cpp: 'C++',
  'c++': 'C++',
  cxx: 'C++',
  zig: 'Zig',
  go: 'Go',
  golang: 'Go',
  js: 'Javascript',
  javascript: 'Javascript',
  ts: 'TypeScript',
  typescript: 'TypeScript',
  python: 'Python',
  python3: 'Python',
  py: 'Python',
  wat: 'WebAssembly',
  wast: 'WebAssembly'
};

/** The options of `%%wasm` that stand alone; every other one takes a value. */
const FLAGS = new Set(['--release', '--force', '--offline', '--no-raise-error', '-v']);

/** Longer first lines, and more blank lines before them, are nobody's. */
const LONGEST = 2000;
const MAGIC = /^\s*(%%(wasm|wit))(?=\s|$)([^\n]*)/;
const WORD = /"[^"]*"?|'[^']*'?|[^\s"']+/g;

export type Part = 'Magic' | 'Language' | 'Name' | 'Option' | 'Value';

export interface Magic {
  /** The body's language by the editor's name, or the word that stands where one belongs. */
  language: string;
  parts: { part: Part; from: number; to: number }[];
  /** Where the body begins; the cell's length if it has none. */
  body: number;
}

/** Anything that hands out a piece of a cell's text: an editor's document, or a parser's input. */
export interface Source {
  length: number;
  slice(from: number, to: number): string;
}

export function readMagic(source: Source): Magic | null {
  const head = source.slice(0, Math.min(source.length, LONGEST));
  const found = MAGIC.exec(head);
  if (!found) {
    return null;
  }
  const [whole, magic = '', name, rest = ''] = found;
  const start = whole.length - rest.length;
  const parts: Magic['parts'] = [{ part: 'Magic', from: start - magic.length, to: start }];
  const expected: Part[] = name === 'wasm' ? ['Language', 'Name'] : ['Name'];
  let language = name === 'wasm' ? '' : 'WIT';
  let isValue = false;
  for (const word of rest.matchAll(WORD)) {
    const [text] = word;
    const from = start + word.index;
    if (!isValue && text.startsWith('-')) {
      parts.push({ part: 'Option', from, to: from + text.length });
      isValue = !FLAGS.has(text) && !text.includes('=');
      continue;
    }
    const part = isValue ? 'Value' : (expected.shift() ?? 'Value');
    parts.push({ part, from, to: from + text.length });
    if (part === 'Language') {
      language = LANGUAGES[text.toLowerCase()] ?? text;
    }
    isValue = false;
  }
  return { language, parts, body: Math.min(whole.length + 1, source.length) };
}
