// Components by componentize-qjs, and bundles of npm packages by esbuild.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

// Writes a component of the module `entry` in `folder` and returns its size. `wit` and `output` are names in there,
// `runtime` is the path of the engine.
exports.componentize = async ({ folder, entry, wit, world, output, runtime }, packages) => {
  const { componentize } = packages('componentize-qjs');
  const js = path.join(folder, entry);
  const { component } = await componentize({
    witPath: path.join(folder, wit), jsSource: fs.readFileSync(js, 'utf8'), jsPath: js, moduleRoot: folder, world,
    runtime,
  });
  fs.writeFileSync(path.join(folder, output), component);
  return { size: component.length };
};

// The same by componentize-js, for StarlingMonkey: a core module, which the toolbox makes a component of.
exports.embed = async ({ folder, entry, wit, world, output }, packages) => {
  const tool = path.join(path.dirname(packages.resolve('acorn')), '../../@bytecodealliance/componentize-js/src/componentize.js');
  const { componentize } = await import(pathToFileURL(tool));
  process.chdir(folder);
  const { component } = await componentize({
    sourcePath: path.join(folder, entry), witPath: path.join(folder, wit), worldName: world,
    disableFeatures: ['http', 'fetch-event'], env: { HOME: process.env.HOME }, // where wizer looks for its settings
  });
  fs.writeFileSync(path.join(folder, output), component);
  return { size: component.length };
};

// Writes one module `output` whose default export gives, for a specifier of `wanted`, what that package exports.
exports.bundle = async ({ folder, wanted, output, lower }, packages) => {
  const esbuild = packages('esbuild');
  const table = wanted.map((name) => `${JSON.stringify(name)}: () => require(${JSON.stringify(name)})`);
  const made = await esbuild.build({
    stdin: { contents: `export default { ${table.join(',\n')} };`, resolveDir: folder, sourcefile: 'packages.js' },
    bundle: true, write: false, format: 'esm', platform: 'neutral', mainFields: ['browser', 'module', 'main'], minifySyntax: true,
    conditions: ['worker', 'browser', 'module', 'import', 'default'], target: 'es2022', legalComments: 'none', logLevel: 'silent',
    ...(lower ? { supported: { 'async-await': false, 'async-generator': false, 'for-await': false } } : {}),
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  }).catch((error) => ({ errors: error.errors ?? [{ text: String(error) }] }));
  if (made.errors.length) {
    return { errors: made.errors.map((e) => ({ text: e.text, file: e.location?.file ?? '', line: e.location?.line ?? 0 })) };
  }
  fs.writeFileSync(output, made.outputFiles[0].contents);
  return { size: made.outputFiles[0].contents.length, errors: [] };
};
