/** A small stream grammar made of word lists, for languages without a grammar of their own. */
import { LanguageSupport, StreamLanguage, type StringStream } from '@codemirror/language';
import type { IEditorLanguage } from '@jupyterlab/codemirror';

import { STYLE } from './style';

export interface State {
  /** How many block comments are open. */
  comments: number;
  /** How many brackets are open. */
  depth: number;
  /** How many angle brackets are open, in a language where they are brackets. */
  angles: number;
  /** The last word or sign that was not a comment. */
  last: string;
  /** The one before it. */
  previous: string;
  /** The keyword that began the statement. */
  statement: string;
}

export interface Words {
  name: string;
  mime: string;
  extension: string;
  keywords: string;
  atoms: string;
  /** Built-in types. */
  types: RegExp;
  identifier: RegExp;
  number: RegExp;
  operator: RegExp;
  /** Keyword -> what the name that follows it is. */
  defines: Record<string, string>;
  /** Whether there are `/* ... *\/` comments, which nest. */
  hasBlockComments: boolean;
  /** Tokens that are the language's own; the stream stays where it is when there is none. */
  own(stream: StringStream, state: State): string | null;
  /** What a name is that is neither keyword, atom, type nor defined here. */
  plain(stream: StringStream, state: State): string | null;
}

const STRING = /^"(?:[^"\\]|\\.)*"?/;

export function language(words: Words): IEditorLanguage {
  const keywords = new Set(words.keywords.split(' '));
  const atoms = new Set(words.atoms.split(' '));

  function word(text: string, stream: StringStream, state: State): string | null {
    // Zig's `[]const u8` and `*const T` define nothing.
    const defined = /^[\]*]$/.test(state.previous) ? undefined : words.defines[state.last];
    const isField = stream.match(/^\s*:(?!:)/, false) !== null;
    if (defined && !keywords.has(text)) {
      return defined;
    }
    if (keywords.has(text) && !isField) {
      state.statement ||= text;
      return 'keyword';
    }
    if (atoms.has(text)) {
      return 'atom';
    }
    return words.types.test(text) && !isField ? 'typeName' : words.plain(stream, state);
  }

  function sign(char: string, state: State): string | null {
    if ('{(['.includes(char)) {
      state.depth += 1;
    } else if ('})]'.includes(char)) {
      state.depth = Math.max(0, state.depth - 1);
    }
    if ('{};'.includes(char)) {
      state.statement = '';
      state.angles = 0;
    }
    return '{}()[]'.includes(char) ? 'bracket' : null;
  }

  function comment(stream: StringStream, state: State): string | null {
    if (state.comments === 0) {
      if (stream.match('//')) {
        stream.skipToEnd();
        return 'comment';
      }
      if (!words.hasBlockComments || !stream.match('/*')) {
        return null;
      }
      state.comments = 1;
    }
    while (state.comments && !stream.eol()) {
      if (stream.match('/*')) {
        state.comments += 1;
      } else if (stream.match('*/')) {
        state.comments -= 1;
      } else {
        stream.next();
      }
    }
    return 'comment';
  }

  function token(stream: StringStream, state: State): string | null {
    if (state.comments === 0 && stream.eatSpace()) {
      return null;
    }
    const start = stream.pos;
    const style = comment(stream, state);
    if (style) {
      return style;
    }
    const found = other(stream, state);
    state.previous = state.last;
    state.last = stream.string.slice(start, stream.pos);
    return found;
  }

  function other(stream: StringStream, state: State): string | null {
    const start = stream.pos;
    const own = words.own(stream, state);
    if (stream.pos > start) {
      return own;
    }
    if (stream.match(STRING)) {
      return 'string';
    }
    if (stream.match(words.number)) {
      return 'number';
    }
    if (stream.match(words.identifier)) {
      return word(stream.current(), stream, state);
    }
    if (stream.match(words.operator)) {
      return 'operator';
    }
    return sign(stream.next() ?? '', state);
  }

  const stream = StreamLanguage.define<State>({
    name: words.name.toLowerCase(),
    startState: () => ({ comments: 0, depth: 0, angles: 0, last: '', previous: '', statement: '' }),
    token,
    indent: (state, after, context) =>
      state.comments ? null : Math.max(0, state.depth - (/^[\])}]/.test(after) ? 1 : 0)) * context.unit,
    languageData: {
      commentTokens: { line: '//', ...(words.hasBlockComments && { block: { open: '/*', close: '*/' } }) },
      indentOnInput: /^\s*[\])}]$/
    }
  });
  return {
    name: words.name,
    mime: words.mime,
    extensions: [words.extension],
    support: new LanguageSupport(stream, STYLE)
  };
}
