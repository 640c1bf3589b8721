/** Zig. */
import { language } from './words';

export const ZIG = language({
  name: 'Zig',
  mime: 'text/x-zig',
  extension: 'zig',
  keywords:
    'addrspace align allowzero and anyframe asm async await break callconv catch comptime const continue defer ' +
    'else enum errdefer error export extern fn for if inline linksection noalias noinline nosuspend opaque or ' +
    'orelse packed pub resume return struct suspend switch test threadlocal try union unreachable usingnamespace ' +
    'var volatile while',
  atoms: 'true false null undefined',
  types:
    /^(?:[iu]\d+|f(?:16|32|64|80|128)|[iu]size|c_\w+|bool|void|type|anyerror|anyopaque|anytype|noreturn|comptime_(?:int|float))$/,
  identifier: /^[A-Za-z_]\w*/,
  number: /^(?:0x[\da-fA-F_.]+(?:p[+-]?\d+)?|0b[01_]+|0o[0-7_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)/,
  operator: /^(?:[-+*/%&|^!=<>~?]+|\.{2,3}|\.[*?])/,
  defines: {
    fn: 'variableName.function.definition',
    const: 'variableName.definition',
    var: 'variableName.definition'
  },
  hasBlockComments: false,
  own(stream, state) {
    if (stream.match(/^\\\\.*/) || stream.match(/^'(?:[^'\\]|\\.)*'?/)) {
      return 'string';
    }
    if (stream.match(/^@"(?:[^"\\]|\\.)*"?/)) {
      return 'variableName';
    }
    if (stream.match(/^@[A-Za-z_]\w*/)) {
      return 'variableName.standard';
    }
    return state.last === '.' && stream.match(/^[a-z_]\w*/) ? 'propertyName' : null;
  },
  plain(stream) {
    if (stream.match(/^\s*:/, false)) {
      return 'propertyName';
    }
    return /^[A-Z]/.test(stream.current()) ? 'typeName' : null;
  }
});
