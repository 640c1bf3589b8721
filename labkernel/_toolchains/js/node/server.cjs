// The process that stays: one request a line on stdin, one answer a line on stdout, until stdin ends.
//
// Started as `node server.cjs PACKAGES`, the folder whose node_modules has the tools.
'use strict';

const { createInterface } = require('node:readline');
const { createRequire } = require('node:module');
const path = require('node:path');

console.log = console.info = console.warn = console.error;

const packages = createRequire(path.join(process.argv[2], 'package.json'));
const { prepare } = require('./cell.cjs');
const { bundle, componentize, embed } = require('./make.cjs');

const operations = {
  hello: () => ({ node: process.version }),
  prepare: (request) => prepare(request, packages),
  bundle: (request) => bundle(request, packages),
  componentize: (request) => componentize(request, packages),
  embed: (request) => embed(request, packages),
};

async function answer(line) {
  const { id, operation, ...request } = JSON.parse(line);
  try {
    return { id, ok: await operations[operation](request) };
  } catch (error) {
    return { id, error: { message: String(error?.message ?? error), stack: String(error?.stack ?? '') } };
  }
}

const IDLE_MS = 10 * 60 * 1000;
const idle = setTimeout(() => process.exit(0), IDLE_MS);

let last = Promise.resolve();
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  idle.refresh();
  last = last.then(() => answer(line)).then((said) => process.stdout.write(`${JSON.stringify(said)}\n`));
});
lines.on('close', () => process.exit(0));
