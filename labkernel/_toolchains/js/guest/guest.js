// Joins a world and a cell: what the world exports calls the cell's functions, with values checked on the way.
//
// The cell is compiled into the component (release) or read from the environment when it is first needed
// (development). In both forms it runs at the first call, so that what it does at its top level is done in each instance.

import { inspect, makeConsole, writer } from './show.js';
import { isThenable, Loop } from './promise.js';
import { Places, told } from './trace.js';
import { Misfit, checks, lifts } from './values.js';
import { makeCrypto, makePerformance, makeProcess, makeRandom, TextDecoder, TextEncoder } from './web.js';

export const VARIABLE = 'LABKERNEL_CELL';

const BUILT_IN = new Set([TypeError, RangeError, ReferenceError, SyntaxError, EvalError, URIError, globalThis.InternalError]);

const path = (name, keys) => name + keys.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');

function short(value) {
  const text = inspect(value, 3).replace(/\s+/g, ' ');
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function explain(error, what, name) {
  if (!(error instanceof Misfit)) return error;
  const { value, wanted, why, path: keys } = error.facts;
  error.message = `${what} ${path(name, keys)}: ${short(value)} does not fit ${wanted}${why ? ` (${why})` : ''}`;
  error.stack = [`${error.name}: ${error.message}`, ...String(error.stack).split('\n').slice(1)].join('\n');
  return error;
}

export class Lab {
  constructor(host, world, engine) {
    this.host = host;
    this.world = world;
    this.engine = engine;
    this.places = new Places();
    this.check = checks(world.types, engine);
    this.lift = lifts(world.types, engine.foreign);
    this.size = this.check('u64');
    this.out = writer(() => host.stdout.getStdout());
    this.err = writer(() => host.stderr.getStderr());
    this.cell = null;
    this.main = null;
    this.files = new Map();
    this.prepare();
  }

  prepare() {
    const bytes = (n) => this.host.random.getRandomBytes(this.size(n));
    const performance = makePerformance(globalThis.performance);
    this.startClock = performance.begin;
    Math.random = makeRandom(bytes);
    const globals = {
      console: makeConsole(this.out, this.err), performance: performance.api, TextEncoder, TextDecoder,
      crypto: makeCrypto(bytes), process: makeProcess(this.host.environment, VARIABLE, this.out, this.err),
    };
    if (!this.engine.foreign) {
      const sleep = (ms) => this.host.clock.subscribeDuration(this.size(Math.ceil(ms * 1e6))).block();
      this.loop = new Loop(() => performance.api.now(), sleep, (error) => this.tell(error, '', ' (in promise)'));
      Object.assign(globals, this.loop.globals());
    }
    for (const [name, value] of Object.entries(globals)) {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
    }
    // The engine asks for a stack whatever is thrown, and an answer of the world is no error.
    Error.prepareStackTrace = (error, frames) => (error instanceof Error ? this.places.stack(error, frames) : '');
  }

  // --- imports

  // Returns an imported function that checks its arguments.
  imported(sig, call) {
    const params = sig.params.map(([name, type]) => [name, this.check(type)]);
    const ok = sig.ok === null ? null : this.lift(sig.ok);
    const err = sig.err === null ? null : this.lift(sig.err);
    const plain = !ok && !err;
    return function imported(...given) {
      const args = params.map(([name, check], i) => {
        try {
          return check(given[i]);
        } catch (error) {
          throw explain(error, `${sig.name} takes`, name);
        }
      });
      if (plain) return Reflect.apply(call, this, args);
      try {
        const value = Reflect.apply(call, this, args);
        return ok ? ok(value) : value;
      } catch (error) {
        throw err && !(error instanceof Error) ? err(error) : error;
      }
    };
  }

  // Has the methods of an imported class check their arguments. A constructor takes what the engine takes.
  importClass(own, methods) {
    for (const [name, sig] of Object.entries(methods.own)) own.prototype[name] = this.imported(sig, own.prototype[name]);
    for (const [name, sig] of Object.entries(methods.fixed)) own[name] = this.imported(sig, own[name]);
  }

  // Takes the world's imports: functions become global, interfaces modules.
  takeImports(globals, namespaces) {
    for (const [name, sig] of Object.entries(this.world.globals)) {
      globalThis[name] = this.imported(sig, globals[name]);
    }
    this.modules = new Map();
    for (const [id, { functions, classes }] of Object.entries(this.world.modules)) {
      const found = { ...namespaces[id] };
      delete found.default;
      for (const [name, sig] of Object.entries(functions)) found[name] = this.imported(sig, namespaces[id][name]);
      for (const [name, methods] of Object.entries(classes)) this.importClass(found[name], methods);
      if (id.startsWith('wasi:cli/environment')) {
        const all = found.getEnvironment;
        found.getEnvironment = () => all().filter(([name]) => name !== VARIABLE);
      }
      found.default ??= found;
      this.modules.set(id, found);
    }
  }

  // --- the cell

  // Takes a cell: its files become functions, none is run. Called while the component is made, it is compiled there.
  take(cell) {
    this.places.use(cell);
    this.cell = { ...cell, files: (0, eval)(`(${cell.code})`), code: '' };
  }

  // Returns what a file of the cell exports. It runs when it is first asked for.
  file(name) {
    let exports = this.files.get(name);
    if (exports === undefined) {
      exports = Object.create(null);
      this.files.set(name, exports);
      const offer = (getters) => {
        for (const [key, get] of Object.entries(getters)) Object.defineProperty(exports, key, { get, enumerable: true, configurable: true });
      };
      const pass = (from) => {
        for (const key of Object.keys(from)) if (key !== 'default' && !(key in exports)) offer({ [key]: () => from[key] });
      };
      const links = this.cell.links[name] ?? {};
      this.cell.files[name](offer, (specifier) => this.module(links[specifier]), pass, { url: `file:///${name}`, main: name === this.cell.entry });
    }
    return exports;
  }

  module([kind, name]) {
    if (kind === 'file') return this.file(name);
    return kind === 'world' ? this.modules.get(name) : this.package(name);
  }

  // Returns what an npm package exports. It runs when it is first asked for.
  package(name) {
    const found = this.packages[name]();
    return found.default === undefined ? { ...found, default: found } : found;
  }

  // Runs the cell's top level, once.
  begin() {
    this.startClock();
    if (!this.cell) {
      const text = this.host.environment.getEnvironment().find(([name]) => name === VARIABLE)?.[1];
      if (text === undefined) throw new Error(`${VARIABLE} is not set: this component is a runtime of the lab`);
      this.take(JSON.parse(text));
    }
    this.main = this.file(this.cell.entry);
  }

  // --- exports

  // Returns an exported function. `find` gives the cell's own, of what its main file exports.
  exported(sig, find) {
    const ok = sig.ok === null ? () => undefined : this.check(sig.ok);
    const err = sig.err === null ? () => undefined : this.check(sig.err);
    const params = sig.params.map(([, type]) => this.lift(type));
    const isPlain = !params.some(Boolean);
    const { loop } = this;
    return (...args) => {
      let value;
      try {
        if (this.main === null) this.begin();
        if (!isPlain) for (let i = 0; i < args.length; i++) if (params[i] !== null) args[i] = params[i](args[i]);
        const call = find(this.main);
        if (typeof call !== 'function') throw new TypeError(`the cell has no function ${sig.name}: the world asks for ${sig.wit}`);
        value = call(...args);
        if (loop) {
          if (isThenable(value)) value = loop.settle(value, sig.name);
          else loop.run();
        } else if (isThenable(value)) return value.then((late) => this.answer(late, sig, ok), (error) => this.failed(error, sig, err));
      } catch (error) {
        return this.failed(error, sig, err);
      }
      return this.answer(value, sig, ok);
    };
  }

  answer(value, sig, ok) {
    const isThrown = sig.throws && value?.tag === 'err';
    const advice = isThrown ? `To answer with an error of the world, throw its value: ${sig.example}` : '';
    try {
      if (isThrown && sig.ok === null) throw new Misfit(value, 'no value', 'the world asks for none');
      return ok(value);
    } catch (error) {
      return this.stop(explain(error, `${sig.name} returned`, '$'), advice);
    }
  }

  // Answers with what was thrown where the world has room for it; anything else ends the instance.
  failed(error, sig, err) {
    if (!sig.throws) return this.stop(error);
    let value = error;
    if (error instanceof Error) {
      if ('payload' in error) value = error.payload;
      else if (!BUILT_IN.has(error.constructor) && !(error instanceof Misfit) && (sig.err === 'string' || sig.err === null)) value = error.message;
      else return this.stop(error, error.constructor === Error ? `To answer with an error of the world, throw its value: ${sig.example}` : '');
    }
    try {
      value = err(value);
    } catch (misfit) {
      return this.stop(explain(misfit, `${sig.name} threw`, '$'));
    }
    throw value;
  }

  // Tells an error and traps: the one thing an engine without exceptions across the boundary can do.
  stop(error, advice = '') {
    this.tell(error, advice ? `${advice}\n` : '');
    if (this.engine.foreign) throw new Error('the instance stops here');
    return this.host.random.getRandomBytes('this is a trap! ');
  }

  tell(error, advice = '', where = '') {
    let text;
    try {
      text = told(error, this.places, inspect);
    } catch {
      text = `Uncaught ${error}`;
    }
    this.err(`${text.replace('Uncaught', `Uncaught${where}`)}\n${advice}`);
  }

  // Returns the object for an exported interface: its functions, and stand-ins for its classes.
  exportedInterface(name, shape) {
    const made = {};
    for (const [key, sig] of Object.entries(shape.functions)) {
      made[key] = this.exported(sig, (cell) => {
        const owner = cell[name];
        const own = owner?.[key];
        return typeof own === 'function' ? (...args) => own.apply(owner, args) : sig.flat ? cell[key] : own;
      });
    }
    for (const [key, statics] of Object.entries(shape.classes)) {
      const real = () => {
        if (this.main === null) this.begin();
        return this.main[name]?.[key] ?? this.main[key];
      };
      const stand = function (...args) { return Reflect.construct(real(), args); };
      if (this.engine.foreign) {
        // StarlingMonkey calls methods by the class and asks whether an object is one of it.
        const method = (own) => function (...args) { return real().prototype[own].apply(this, args); };
        stand.prototype = new Proxy({}, { get: (_, own) => (typeof own === 'string' ? method(own) : undefined) });
        Object.defineProperty(stand, Symbol.hasInstance, { value: (object) => object instanceof real() });
      }
      for (const each of statics) stand[each] = (...args) => real()[each](...args);
      made[key] = stand;
    }
    return made;
  }

  exportedFunction(name, sig) {
    return this.exported(sig, (cell) => cell[name]);
  }
}
