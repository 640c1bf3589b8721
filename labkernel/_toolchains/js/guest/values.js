// WIT types as functions that check a JavaScript value and return it as the engine takes it.
//
// The engine itself rounds, clamps or stops without a word where a value does not fit. These say what and where.

export class Misfit extends TypeError {
  constructor(value, wanted, why = '') {
    super();
    Object.defineProperty(this, 'facts', { value: { value, wanted, why, path: [] } });
  }
}

const RANGES = {
  u8: [0, 255], s8: [-128, 127], u16: [0, 65535], s16: [-32768, 32767], u32: [0, 4294967295],
  s32: [-2147483648, 2147483647],
};
const WIDE = { u64: [0n, (1n << 64n) - 1n], s64: [-(1n << 63n), (1n << 63n) - 1n] };

const misfit = (value, wanted, why) => { throw new Misfit(value, wanted, why); };

// Returns the error with the key it happened under.
function under(key, error) {
  if (error instanceof Misfit) error.facts.path.unshift(key);
  return error;
}

function within(key, check, value) {
  try {
    return check(value);
  } catch (error) {
    throw under(key, error);
  }
}

function integer(name) {
  const [low, high] = RANGES[name];
  return (value) => {
    if (typeof value === 'number' && value >= low && value <= high && Number.isInteger(value)) return value;
    if (typeof value === 'bigint' && value >= low && value <= high) return Number(value);
    const why = typeof value !== 'number' ? '' : Number.isInteger(value) ? `${low} to ${high}` : 'not an integer';
    return misfit(value, name, why);
  };
}

const digits = (number) => (number >>> 0).toString(16).padStart(8, '0');

// How an engine takes and gives an integer of 64 bits: as 16 hexadecimal digits (`wide.py`) or as a bigint.
const WAYS = {
  hex: (whole) => BigInt.asUintN(64, whole).toString(16).padStart(16, '0'),
  bigint: (whole) => whole,
};

function wide(name, way) {
  const [low, high] = WIDE[name];
  const out = WAYS[way];
  return (value) => {
    if (way === 'hex' && Number.isSafeInteger(value) && (value >= 0 || low < 0n)) {
      return (value >= 0 && value < 4294967296 ? '00000000' : digits(Math.floor(value / 4294967296))) + digits(value);
    }
    if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isInteger(value))) return misfit(value, name);
    const whole = BigInt(value);
    if (whole < low || whole > high) return misfit(value, name, `${low} to ${high}`);
    return out(whole);
  };
}

// A number where that is exact, otherwise a bigint: what a cell sees of an integer of 64 bits.
function whole(name) {
  const signed = name === 's64';
  return (value) => {
    if (typeof value === 'string') return signed ? BigInt.asIntN(64, BigInt(`0x${value}`)) : BigInt(`0x${value}`);
    if (typeof value !== 'bigint') return value;
    const right = signed ? BigInt.asIntN(64, value) : value; // StarlingMonkey has lost the sign of -2^63
    return right >= -(2n ** 53n) && right <= 2n ** 53n ? Number(right) : right;
  };
}

function bytes(value) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return null;
}

const TYPED = { s8: Int8Array, u16: Uint16Array, s16: Int16Array, u32: Uint32Array, s32: Int32Array, f32: Float32Array, f64: Float64Array, u64: BigUint64Array, s64: BigInt64Array };

function list(element, isBytes, Typed) {
  return (value) => {
    const raw = isBytes ? bytes(value) : null;
    if (raw) return raw;
    if (value === null || typeof value !== 'object' || typeof value[Symbol.iterator] !== 'function') {
      return misfit(value, isBytes ? 'list<u8>, a Uint8Array' : 'a list, an array');
    }
    const made = Array.from(value);
    let i = 0;
    try {
      for (; i < made.length; i++) made[i] = element(made[i]);
    } catch (error) {
      throw under(i, error);
    }
    return isBytes ? Uint8Array.from(made) : Typed ? Typed.from(made) : made;
  };
}

function record(fields, name) {
  const [keys, each, isOption] = [0, 1, 2].map((i) => fields.map((field) => field[i]));
  return (value) => {
    if (value === null || typeof value !== 'object') return misfit(value, `${name || 'record'}, an object`);
    const made = {};
    let i = 0;
    try {
      for (; i < keys.length; i++) {
        const field = value[keys[i]];
        if (field === undefined && !isOption[i]) misfit(undefined, 'the field', 'it is missing');
        made[keys[i]] = each[i](field);
      }
    } catch (error) {
      throw under(keys[i], error);
    }
    return made;
  };
}

function variant(cases, name) {
  const known = new Map(cases);
  return (value) => {
    const tag = typeof value === 'string' ? value : value?.tag;
    if (!known.has(tag)) return misfit(value, name || 'variant', `{ tag, val }, the tag one of ${[...known.keys()].join(', ')}`);
    const check = known.get(tag);
    return check ? { tag, val: within('val', check, value.val) } : { tag };
  };
}

function flags(names, name) {
  const known = new Set(names);
  return (value) => {
    if (value === null || typeof value !== 'object') return misfit(value, `${name || 'flags'}, an object of booleans`);
    const unknown = Object.keys(value).find((key) => !known.has(key));
    if (unknown !== undefined) return misfit(unknown, name || 'flags', `known: ${names.join(', ')}`);
    return Object.fromEntries(names.map((key) => [key, !!value[key]]));
  };
}

const MAKERS = {
  list: ([element], make, foreign) => list(make(element), element === 'u8', foreign ? TYPED[element] : null),
  option([payload], make, foreign) {
    const check = make(payload);
    const none = foreign ? undefined : null;
    return (value) => (value === undefined || value === null ? none : check(value));
  },
  nested([payload], make) { // an option of an option says which one is none
    const check = make(payload);
    return (value) => {
      if (value === undefined || value === null || value.tag === 'none') return { tag: 'none' };
      if (value.tag !== 'some') return misfit(value, "an option of an option, { tag: 'some', val } or null");
      return { tag: 'some', val: within('val', check, value.val) };
    };
  },
  result([ok, err], make) {
    const sides = { ok: ok === null ? null : make(ok), err: err === null ? null : make(err) };
    return (value) => {
      const tag = value?.tag;
      if (tag !== 'ok' && tag !== 'err') return misfit(value, "a result, { tag: 'ok' or 'err', val }");
      return sides[tag] ? { tag, val: within('val', sides[tag], value.val) } : { tag };
    };
  },
  tuple(elements, make) {
    const checks = elements.map(make);
    return (value) => {
      if (!Array.isArray(value) || value.length !== checks.length) return misfit(value, `an array of ${checks.length}`);
      return checks.map((check, i) => within(i, check, value[i]));
    };
  },
  record: ([fields, name], make) => record(fields.map(([key, type, isOption]) => [key, make(type), isOption]), name),
  variant: ([cases, name], make) => variant(cases.map(([tag, type]) => [tag, type === null ? null : make(type)]), name),
  enum([names, name]) {
    const known = new Set(names);
    return (value) => (known.has(value) ? value : misfit(value, name || 'enum', `one of ${names.join(', ')}`));
  },
  flags: ([names, name]) => flags(names, name),
};

const SIMPLE = {
  bool: (value) => (typeof value === 'boolean' ? value : misfit(value, 'bool')),
  f32: (value) => (typeof value === 'number' ? value : misfit(value, 'f32')),
  f64: (value) => (typeof value === 'number' ? value : misfit(value, 'f64')),
  char(value) {
    const is = typeof value === 'string' && value.isWellFormed() && [...value].length === 1;
    return is ? value : misfit(value, 'char', 'one character');
  },
  string: (value) => (typeof value === 'string' ? value.toWellFormed() : misfit(value, 'string')),
  any: (value) => value,
};

// Returns a function that makes the check of a type: a name, an index into `table`, or [kind, ...parts].
export function checks(table, { wide: way, foreign }) {
  const made = new Map();
  const make = (type) => {
    if (typeof type === 'number') {
      if (!made.has(type)) made.set(type, make(table[type]));
      return made.get(type);
    }
    if (typeof type !== 'string') return MAKERS[type[0]](type.slice(1), make, foreign);
    return SIMPLE[type] ?? (WIDE[type] ? wide(type, way) : integer(type));
  };
  return make;
}

function liftedPayload(pick) {
  return (value) => {
    const lift = pick(value.tag);
    if (lift) value.val = lift(value.val);
    return value;
  };
}

// `foreign` is an engine that has `undefined` for none and typed arrays for lists of numbers.
const LIFTS = {
  list([element], make, foreign) {
    const lift = make(element);
    if (lift) return (value) => Array.from(value, lift);
    return foreign && element !== 'u8' ? (value) => Array.from(value) : null;
  },
  option([payload], make, foreign) {
    const lift = make(payload);
    if (!lift && !foreign) return null;
    return (value) => (value === null || value === undefined ? null : lift ? lift(value) : value);
  },
  nested([payload], make, foreign) {
    const lift = make(payload);
    const inner = lift && liftedPayload((tag) => (tag === 'some' ? lift : null));
    if (!foreign) return inner;
    return (value) => (value === null || value === undefined ? { tag: 'none' } : inner ? inner(value) : value);
  },
  result([ok, err], make) {
    const sides = { ok: ok === null ? null : make(ok), err: err === null ? null : make(err) };
    return (sides.ok || sides.err) && liftedPayload((tag) => sides[tag]);
  },
  tuple(elements, make) {
    const all = elements.map(make);
    return all.some(Boolean) ? (value) => value.map((each, i) => (all[i] ? all[i](each) : each)) : null;
  },
  record([fields], make) {
    const all = fields.map(([key, type]) => [key, make(type)]).filter(([, lift]) => lift);
    if (!all.length) return null;
    const [keys, each] = [0, 1].map((i) => all.map((field) => field[i]));
    return (value) => {
      for (let i = 0; i < keys.length; i++) value[keys[i]] = each[i](value[keys[i]]);
      return value;
    };
  },
  variant([cases], make) {
    const all = new Map(cases.map(([tag, type]) => [tag, type === null ? null : make(type)]));
    return [...all.values()].some(Boolean) ? liftedPayload((tag) => all.get(tag)) : null;
  },
};

// Returns a function that makes, of a type, what an incoming value still needs done to it, or null for nothing.
export function lifts(table, foreign) {
  const made = new Map();
  const make = (type) => {
    if (typeof type === 'number') {
      if (!made.has(type)) made.set(type, make(table[type]));
      return made.get(type);
    }
    if (typeof type !== 'string') return LIFTS[type[0]]?.(type.slice(1), make, foreign) ?? null;
    return WIDE[type] ? whole(type) : null;
  };
  return make;
}
