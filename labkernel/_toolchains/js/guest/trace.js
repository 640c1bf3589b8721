// Where an error happened, in the cell's own files and lines.
//
// Cells are compiled as one text (see `cell.cjs`); `lines` tells which of its lines are whose.

const FRAME = /^<(?:input|evalScript|eval)>$/;

export class Places {
  constructor() {
    this.use({ lines: [], maps: {}, texts: {} });
  }

  // `maps` tells, of a file that was rewritten, for each of its lines: [column, line, column as written], from 0.
  use({ lines, maps, texts }) {
    this.lines = lines;
    this.maps = maps;
    this.texts = texts;
  }

  // Returns [file, line, column] as the user wrote it for a place in the text, or null outside of the cell's own.
  find(file, line, column) {
    if (!FRAME.test(file ?? '')) return null;
    const owner = this.lines.find(([, first, count]) => line >= first && line < first + count);
    if (!owner) return null;
    const [name, first] = owner;
    if (!this.maps[name]) return [name, line - first + 1, column];
    const near = (this.maps[name][line - first] ?? []).filter(([at], i) => i === 0 || at < column).pop();
    return near ? [name, near[1] + 1, near[2] + 1] : null;
  }

  text(file, line) {
    return this.texts[file]?.split(/\r\n|\n|\r/)[line - 1] ?? '';
  }

  // Returns an error's stack, whichever way the engine tells it.
  own(error) {
    const text = String(error.stack || '');
    const frames = text.split('\n').map((line) => /^(.*?)@(.*?):(\d+):(\d+)$/.exec(line)).filter(Boolean);
    return frames.length ? this.stack(error, frames.map((found) => new Frame(found))) : text;
  }

  // Stands in for `Error.prepareStackTrace`.
  stack(error, frames) {
    const shown = [];
    let own = 0;
    let top = null;
    for (const frame of frames) {
      const place = this.find(frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber());
      const name = (frame.getFunctionName() || '').replace(/^<anonymous>$|^<eval>$/, '');
      const where = place ? place.join(':') : 'native';
      if (place || frame.isNative()) shown.push(`    at ${name ? `${name} (${where})` : where}`);
      if (place) own = shown.length;
      if (place) top ??= place;
    }
    if (top) tops.set(error, top);
    return [header(error), ...shown.slice(0, own)].join('\n');
  }
}

// Stands between the user's frames and those of an engine that tells them its own way.
class Frame {
  constructor([, name, file, line, column]) {
    Object.assign(this, { name, file: / > eval$/.test(file) ? '<eval>' : file, line: Number(line), column: Number(column) });
  }
  getFunctionName() { return this.name.replace(/^.*[/<]/, ''); }
  getFileName() { return this.file; }
  getLineNumber() { return this.line; }
  getColumnNumber() { return this.column; }
  isNative() { return false; }
}

const tops = new WeakMap();

function header(error) {
  const name = String(error.name ?? 'Error');
  const message = String(error.message ?? '');
  return message ? `${name}: ${message}` : name;
}

// Returns an error as it is told when nobody caught it: message, the line with a caret, the calls.
export function told(error, places, show) {
  if (!(error instanceof Error)) return `Uncaught ${show(error)}`;
  const [first, ...rest] = places.own(error).split('\n');
  const frames = rest.filter((line) => /^\s+at /.test(line));
  const top = tops.get(error);
  const text = top ? places.text(top[0], top[1]) : '';
  const excerpt = text ? [`${String(top[1]).padStart(5)} | ${text}`, `      | ${lead(text, top[2])}^`] : [];
  const cause = error.cause === undefined ? [] : [`Caused by: ${told(error.cause, places, show).replace(/^Uncaught /, '')}`];
  return [`Uncaught ${header(error) || first}`, ...excerpt, ...frames, ...cause].join('\n');
}

const lead = (text, column) => text.slice(0, Math.max(0, column - 1)).replace(/[^\t]/g, ' ');
