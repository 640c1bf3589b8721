// How `console` shows values, and where it writes.

const NAME = /^[A-Za-z_$][\w$]*$/;

const quote = (text) => `'${JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`;

function named(value) {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null) return '[Object: null prototype] ';
  const name = prototype.constructor?.name;
  return name && name !== 'Object' ? `${name} ` : '';
}

function wrap(open, parts, close) {
  if (!parts.length) return open + close;
  const line = `${open} ${parts.join(', ')} ${close}`;
  if (line.length <= 76 && !line.includes('\n')) return line;
  return `${open}\n${parts.map((part) => `  ${part.replace(/\n/g, '\n  ')}`).join(',\n')}\n${close}`;
}

function members(value, show, first = []) {
  const keys = Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
  return first.concat(keys.filter((key) => !(first.length && typeof key === 'string' && /^\d+$/.test(key))).map((key) => {
    const label = typeof key === 'symbol' ? `[${String(key)}]` : NAME.test(key) ? key : quote(key);
    const property = Object.getOwnPropertyDescriptor(value, key);
    return `${label}: ${property.get ? '[Getter]' : show(property.value)}`;
  }));
}

function sequence(value, show, lead) {
  const shown = Array.from(value.length > 100 ? value.slice(0, 100) : value, show);
  if (value.length > 100) shown.push(`... ${value.length - 100} more items`);
  return lead + wrap('[', shown, ']');
}

function object(value, show, depth) {
  if (value instanceof Error) return value.stack || String(value);
  if (value instanceof Date) return Number.isNaN(+value) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (Array.isArray(value)) return depth > 4 ? '[Array]' : sequence(value, show, '');
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return sequence(value, show, `${value.constructor.name}(${value.length}) `);
  if (depth > 4) return `[${named(value).trim() || 'Object'}]`;
  if (value instanceof Map) return `Map(${value.size}) ${wrap('{', Array.from(value, ([k, v]) => `${show(k)} => ${show(v)}`), '}')}`;
  if (value instanceof Set) return `Set(${value.size}) ${wrap('{', Array.from(value, show), '}')}`;
  if (value instanceof Promise) return 'Promise {}';
  return named(value) + wrap('{', members(value, show), '}');
}

export function inspect(value, depth = 0, above = []) {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'function') {
    const kind = /^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'Function';
    return value.name ? `[${kind}: ${value.name}]` : `[${kind} (anonymous)]`;
  }
  if (typeof value !== 'object' || value === null) return String(value);
  if (above.includes(value)) return '[Circular]';
  try {
    return object(value, (part) => inspect(part, depth + 1, [...above, value]), depth);
  } catch (error) {
    return `[${typeof value} that cannot be shown: ${error}]`;
  }
}

const DIRECTIVES = {
  s: (value) => (typeof value === 'string' ? value : typeof value === 'object' && value !== null ? inspect(value, 4) : inspect(value)),
  d: (value) => (typeof value === 'bigint' ? `${value}n` : String(Number(value))),
  i: (value) => (typeof value === 'bigint' ? `${value}n` : String(Number.parseInt(value))),
  f: (value) => String(Number.parseFloat(value)),
  j: (value) => JSON.stringify(value),
  o: (value) => inspect(value),
  O: (value) => inspect(value),
  c: () => '',
};

export function format(...values) {
  let first = '';
  if (typeof values[0] === 'string' && values.length > 1) {
    const rest = values.slice(1);
    first = values[0].replace(/%([sdifjoOc%])/g, (all, letter) => {
      if (letter === '%') return '%';
      return rest.length ? DIRECTIVES[letter](rest.shift()) : all;
    });
    return [first, ...rest.map((value) => (typeof value === 'string' ? value : inspect(value)))].join(' ');
  }
  return values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ');
}

export function utf8(text) {
  const made = new Uint8Array(text.length * 3);
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      made[n++] = code;
      continue;
    }
    if (code >= 0xd800 && code < 0xe000) {
      code = text.codePointAt(i);
      if (code > 0xffff) i++;
      else code = 0xfffd;
    }
    if (code < 0x800) made[n++] = 0xc0 | (code >> 6);
    else {
      if (code < 0x10000) made[n++] = 0xe0 | (code >> 12);
      else made[n++] = 0xf0 | (code >> 18), (made[n++] = 0x80 | ((code >> 12) & 63));
      made[n++] = 0x80 | ((code >> 6) & 63);
    }
    made[n++] = 0x80 | (code & 63);
  }
  return made.slice(0, n);
}

// Returns a function that writes text to a stream of WASI. A stream that is closed takes nothing more.
export function writer(open) {
  let stream = null;
  return (text) => {
    stream ??= open();
    const data = utf8(text);
    try {
      for (let at = 0; at < data.length; at += 4096) stream.blockingWriteAndFlush(data.slice(at, at + 4096));
    } catch (error) {
      if (error instanceof Error) throw error;
    }
  };
}

export function makeConsole(out, err) {
  let indent = '';
  const counts = new Map();
  const timers = new Map();
  const line = (write) => (...values) => write(`${indent}${format(...values).replace(/\n/g, `\n${indent}`)}\n`);
  const [log, error] = [line(out), line(err)];
  const since = (label) => `${label}: ${(performance.now() - timers.get(label)).toFixed(3)}ms`;
  return {
    log, info: log, debug: log, error, warn: error,
    dir: (value) => log(inspect(value)),
    table: (value) => log(inspect(value)),
    trace: (...values) => error(`Trace: ${format(...values)}\n${new Error().stack.split('\n').slice(1).join('\n')}`),
    assert: (is, ...values) => { if (!is) error(values.length ? `Assertion failed: ${format(...values)}` : 'Assertion failed'); },
    group: (...values) => { if (values.length) log(...values); indent += '  '; },
    groupEnd: () => { indent = indent.slice(2); },
    count: (label = 'default') => log(`${label}: ${counts.set(label, (counts.get(label) ?? 0) + 1).get(label)}`),
    time: (label = 'default') => { timers.set(label, performance.now()); },
    timeLog: (label = 'default') => { if (timers.has(label)) log(since(label)); },
    timeEnd: (label = 'default') => { if (timers.has(label)) log(since(label)); timers.delete(label); },
  };
}
