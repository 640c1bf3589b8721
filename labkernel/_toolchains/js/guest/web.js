// What JavaScript programs expect beside the language and the engine lacks: encoders, randomness, the environment.

import { utf8 } from './show.js';

export class TextEncoder {
  get encoding() { return 'utf-8'; }
  encode(text = '') { return utf8(String(text)); }
  encodeInto(text, target) {
    let [read, written] = [0, 0];
    for (const letter of String(text)) {
      const data = utf8(letter);
      if (written + data.length > target.length) break;
      target.set(data, written);
      written += data.length;
      read += letter.length;
    }
    return { read, written };
  }
}

const NEEDED = [[0xc2, 0xdf, 1, 0x80, 0xbf], [0xe0, 0xe0, 2, 0xa0, 0xbf], [0xe1, 0xec, 2, 0x80, 0xbf], [0xed, 0xed, 2, 0x80, 0x9f],
  [0xee, 0xef, 2, 0x80, 0xbf], [0xf0, 0xf0, 3, 0x90, 0xbf], [0xf1, 0xf3, 3, 0x80, 0xbf], [0xf4, 0xf4, 3, 0x80, 0x8f]];

function decode(data, fatal) {
  const parts = [];
  let text = '';
  const bad = () => {
    if (fatal) throw new TypeError('The encoded data is not valid UTF-8');
    text += '\ufffd';
  };
  for (let i = 0; i < data.length;) {
    const lead = data[i++];
    const rule = lead < 0x80 ? null : NEEDED.find(([low, high]) => lead >= low && lead <= high);
    if (rule === null) text += String.fromCharCode(lead);
    else if (rule === undefined) bad();
    else {
      let code = lead & (rule[2] === 1 ? 31 : rule[2] === 2 ? 15 : 7);
      let [low, high] = [rule[3], rule[4]];
      let k = 0;
      for (; k < rule[2] && data[i] >= low && data[i] <= high; k++, [low, high] = [0x80, 0xbf]) code = (code << 6) | (data[i++] & 63);
      if (k === rule[2]) text += String.fromCodePoint(code);
      else bad();
    }
    if (text.length > 8192) {
      parts.push(text);
      text = '';
    }
  }
  return parts.join('') + text;
}

export class TextDecoder {
  #fatal; #keepMark;
  constructor(label = 'utf-8', options = {}) {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`TextDecoder knows only utf-8, not ${label}`);
    this.#fatal = !!options.fatal;
    this.#keepMark = !!options.ignoreBOM;
  }
  get encoding() { return 'utf-8'; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#keepMark; }
  decode(data = new Uint8Array()) {
    const view = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const text = decode(view, this.#fatal);
    return !this.#keepMark && text.startsWith('\ufeff') ? text.slice(1) : text;
  }
}

// Returns a `Math.random` (xoshiro128**) that is seeded when it is first called, so every instance has numbers of its own.
export function makeRandom(bytes) {
  let s = null;
  const next = () => {
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  };
  return function random() {
    s ??= new Int32Array(Uint8Array.from(bytes(16)).buffer);
    return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  };
}

export function makeCrypto(bytes) {
  const fill = (view) => {
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes(view.byteLength));
    return view;
  };
  return {
    getRandomValues(view) {
      if (!ArrayBuffer.isView(view) || /^(Float|DataView)/.test(view.constructor.name)) throw new TypeError('getRandomValues takes an integer array');
      if (view.byteLength > 65536) throw new RangeError('getRandomValues gives at most 65536 bytes');
      return fill(view);
    },
    randomUUID() {
      const data = fill(new Uint8Array(16));
      data[6] = (data[6] & 15) | 64;
      data[8] = (data[8] & 63) | 128;
      const hex = Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
  };
}

// Returns `performance` with times that start with the instance: the engine's own start with the build.
export function makePerformance(engine) {
  const own = typeof engine?.now === 'function' ? { now: engine.now.bind(engine) } : { now: () => Date.now() };
  let start = null;
  const begin = () => { start ??= { at: own.now(), wall: Date.now() }; };
  return {
    begin,
    api: {
      now() { begin(); return own.now() - start.at; },
      get timeOrigin() { begin(); return start.wall; },
      toJSON() { return { timeOrigin: this.timeOrigin }; },
    },
  };
}

export function makeProcess(environment, hidden, out, err) {
  let env = null;
  const read = () => (env ??= Object.fromEntries(environment.getEnvironment().filter(([name]) => name !== hidden)));
  return {
    get env() { return read(); },
    get argv() { return environment.getArguments(); },
    platform: 'wasi',
    stdout: { write: (text) => { out(String(text)); return true; } },
    stderr: { write: (text) => { err(String(text)); return true; } },
  };
}
