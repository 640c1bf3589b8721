/** WIT, the component model's interface language. */
import { language } from './words';

/** Statements whose first name may be one of another package: `use wasi:clocks/wall-clock@0.2.0.{datetime}`. */
const NAMES_PACKAGES = new Set(['package', 'use', 'import', 'export', 'include']);

export const WIT = language({
  name: 'WIT',
  mime: 'text/x-wit',
  extension: 'wit',
  keywords:
    'package world interface import export include use with as from type record variant enum flags resource ' +
    'func static constructor async',
  atoms: '_',
  types:
    /^(?:[us](?:8|16|32|64)|f(?:32|64)|float(?:32|64)|char|bool|string|list|option|result|tuple|map|future|stream|own|borrow|error-context)$/,
  identifier: /^%?[A-Za-z_][\w-]*/,
  number: /^\d+(?:\.\d+)*/,
  operator: /^(?:->|=)/,
  defines: {
    world: 'typeName.definition',
    interface: 'typeName.definition',
    record: 'typeName.definition',
    variant: 'typeName.definition',
    enum: 'typeName.definition',
    flags: 'typeName.definition',
    resource: 'typeName.definition',
    type: 'typeName.definition'
  },
  hasBlockComments: true,
  own(stream, state) {
    if (stream.match('<')) {
      state.angles += 1;
      return null;
    }
    if (stream.match('>')) {
      state.angles = Math.max(0, state.angles - 1);
      return null;
    }
    if (stream.match(/^@(?:since|unstable|deprecated)\b/)) {
      return 'meta';
    }
    if (state.last === state.statement && NAMES_PACKAGES.has(state.statement)) {
      // No space after the colon: `import log: func()` declares a function.
      if (stream.match(/^[\w-]+(?::[A-Za-z][\w-]*)+(?:\/[\w-]+)*(?:@\d[\w.+-]*\w)?(?![\w-])/)) {
        return 'namespace';
      }
    }
    return null;
  },
  plain(stream, state) {
    if (stream.match(/^\s*:\s*(?:async\s+|static\s+)?func\b/, false)) {
      return 'variableName.definition';
    }
    // A field, or the `version` of `@since(version = 0.2.0)`.
    if (stream.match(/^\s*[:=]/, false)) {
      return 'propertyName';
    }
    // Where a type may stand: after a colon, an arrow, an equals sign, as a case's payload, in angle brackets.
    return state.angles || [':', '->', '=', '('].includes(state.last) ? 'typeName' : null;
  }
});
