// Promises, microtasks and timers for an engine that is called and never runs jobs of its own.
//
// The builder turns `async` and `await` into generators over the `Promise` that is global, which is this one. Who calls
// into the cell runs the jobs that are left (`Loop.run`) and waits for what was promised (`Loop.settle`).

const jobs = [];
const rejected = new Set();

export const isThenable = (value) => value !== null && (typeof value === 'object' || typeof value === 'function') && typeof value.then === 'function';

export function queueMicrotask(job) {
  if (typeof job !== 'function') throw new TypeError('queueMicrotask takes a function');
  jobs.push(job);
}

class State {
  kind = 'pending';
  value = undefined;
  waiting = [];
  isHandled = false;

  settle(kind, value, promise) {
    if (this.kind !== 'pending') return;
    [this.kind, this.value] = [kind, value];
    if (kind === 'rejected' && !this.isHandled) rejected.add(promise);
    for (const [onFulfilled, onRejected] of this.waiting) jobs.push(() => (kind === 'fulfilled' ? onFulfilled : onRejected)(value));
    this.waiting = null;
  }

  when(onFulfilled, onRejected, promise) {
    this.isHandled = true;
    rejected.delete(promise);
    if (this.waiting) this.waiting.push([onFulfilled, onRejected]);
    else jobs.push(() => (this.kind === 'fulfilled' ? onFulfilled : onRejected)(this.value));
  }
}

// Returns the two functions that settle a promise; the first call counts.
function settlers(promise, state) {
  let isDone = false;
  const once = (act) => (value) => {
    if (isDone) return;
    isDone = true;
    act(value);
  };
  const reject = once((error) => state.settle('rejected', error, promise));
  const resolve = once((value) => {
    if (value === promise) return state.settle('rejected', new TypeError('A promise cannot wait for itself'), promise);
    let then;
    try {
      if (!isThenable(value)) return state.settle('fulfilled', value, promise);
      then = value.then;
    } catch (error) {
      return state.settle('rejected', error, promise);
    }
    jobs.push(() => {
      const [onFulfilled, onRejected] = settlers(promise, state);
      try {
        then.call(value, onFulfilled, onRejected);
      } catch (error) {
        onRejected(error);
      }
    });
  });
  return [resolve, reject];
}

const each = (values, Type, act) => {
  let i = 0;
  for (const value of values) act(Type.resolve(value), i++);
  return i;
};

export class Promise {
  #state = new State();

  constructor(executor) {
    if (typeof executor !== 'function') throw new TypeError('Promise takes a function');
    const [resolve, reject] = settlers(this, this.#state);
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  get [Symbol.toStringTag]() { return 'Promise'; }
  static get [Symbol.species]() { return this; }

  then(onFulfilled, onRejected) {
    const Type = this.constructor?.[Symbol.species] ?? Promise;
    return new Type((resolve, reject) => {
      const step = (act, otherwise) => (value) => {
        if (typeof act !== 'function') return otherwise(value);
        try {
          resolve(act(value));
        } catch (error) {
          reject(error);
        }
      };
      this.#state.when(step(onFulfilled, resolve), step(onRejected, reject), this);
    });
  }

  catch(onRejected) { return this.then(undefined, onRejected); }

  finally(act) {
    if (typeof act !== 'function') return this.then(act, act);
    return this.then((value) => Promise.resolve(act()).then(() => value), (error) => Promise.resolve(act()).then(() => { throw error; }));
  }

  static resolve(value) { return value instanceof Promise && value.constructor === this ? value : new this((resolve) => resolve(value)); }
  static reject(error) { return new this((_, reject) => reject(error)); }
  static try(act, ...args) { return new this((resolve) => resolve(act(...args))); }

  static withResolvers() {
    let [resolve, reject] = [];
    const promise = new this((...both) => { [resolve, reject] = both; });
    return { promise, resolve, reject };
  }

  static all(values) {
    return new this((resolve, reject) => {
      const made = [];
      let left = 1;
      const done = () => { if (--left === 0) resolve(made); };
      each(values, this, (promise, i) => {
        left++;
        promise.then((value) => { made[i] = value; done(); }, reject);
      });
      done();
    });
  }

  static allSettled(values) {
    return this.all(Array.from(values, (value) => this.resolve(value).then((value) => ({ status: 'fulfilled', value }), (reason) => ({ status: 'rejected', reason }))));
  }

  static any(values) {
    return new this((resolve, reject) => {
      const errors = [];
      let left = 1;
      const done = () => { if (--left === 0) reject(new AggregateError(errors, 'All promises were rejected')); };
      each(values, this, (promise, i) => {
        left++;
        promise.then(resolve, (error) => { errors[i] = error; done(); });
      });
      done();
    });
  }

  static race(values) {
    return new this((resolve, reject) => { each(values, this, (promise) => promise.then(resolve, reject)); });
  }
}

// The jobs and timers of an instance. `sleep(ms)` waits, `now()` is in ms, `report` tells an error that nobody handles.
export class Loop {
  constructor(now, sleep, report) {
    [this.now, this.sleep, this.report] = [now, sleep, report];
    this.timers = new Map();
    this.number = 0;
  }

  globals() {
    const add = (repeats) => (act, ms = 0, ...args) => {
      if (typeof act !== 'function') throw new TypeError('a timer takes a function');
      const delay = Math.max(Number(ms) || 0, repeats ? 1 : 0);
      this.timers.set(++this.number, { at: this.now() + delay, act: () => act(...args), every: repeats ? delay : null });
      return this.number;
    };
    const clear = (id) => { this.timers.delete(id); };
    return {
      Promise, queueMicrotask, setTimeout: add(false), setInterval: add(true), clearTimeout: clear, clearInterval: clear,
      setImmediate: (act, ...args) => add(false)(act, 0, ...args), clearImmediate: clear,
    };
  }

  // Runs what is left to do now; timers are not waited for.
  run() {
    if (jobs.length === 0 && rejected.size === 0) return;
    while (jobs.length) {
      const now = jobs.splice(0);
      for (let i = 0; i < now.length; i++) {
        try {
          now[i]();
        } catch (error) {
          jobs.unshift(...now.slice(i + 1));
          this.report(error);
        }
      }
    }
    for (const promise of rejected) {
      rejected.delete(promise);
      promise.then(undefined, (error) => this.report(error));
    }
    if (jobs.length) this.run();
  }

  // Waits for the next timer and runs it; returns false where there is none.
  tick() {
    let next = null;
    for (const [id, timer] of this.timers) if (!next || timer.at < next[1].at) next = [id, timer];
    if (!next) return false;
    const [id, timer] = next;
    const wait = timer.at - this.now();
    if (wait > 0) this.sleep(wait);
    if (timer.every === null) this.timers.delete(id);
    else timer.at += timer.every;
    timer.act();
    return true;
  }

  // Returns what a promise comes to, or throws it.
  settle(promise, name) {
    let done = null;
    promise.then((value) => { done = { value }; }, (error) => { done = { error }; });
    for (;;) {
      this.run();
      if (done) break;
      if (!this.tick()) throw new Error(`the promise that ${name} returned never settles: nothing is left to wait for`);
    }
    if ('error' in done) throw done.error;
    return done.value;
  }
}
