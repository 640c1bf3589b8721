/** An editor extension that gives a cell the language its first line names, for as long as it names it. */
import {
  defineLanguageFacet,
  indentNodeProp,
  Language,
  languageDataProp,
  type LanguageSupport,
  ParseContext,
  type TreeIndentContext
} from '@codemirror/language';
import { Compartment, EditorState, Prec, type Extension, type Text } from '@codemirror/state';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import {
  type Input,
  NodeSet,
  NodeType,
  parseMixed,
  Parser,
  type ParseWrapper,
  type PartialParse,
  Tree,
  type TreeFragment
} from '@lezer/common';
import { styleTags, tags as t } from '@lezer/highlight';

import { GO } from './go';
import { type Part, readMagic, type Source } from './magic';
import { magicTag, STYLE } from './style';

const NOTHING: Extension = [];
const DATA = defineLanguageFacet();
const PARTS: Part[] = ['Magic', 'Language', 'Name', 'Option', 'Value'];
const NODES = new NodeSet(
  ['Cell', ...PARTS, 'Body'].map((name, id) =>
    NodeType.define({
      id,
      name,
      top: name === 'Cell',
      props: name === 'Cell' ? [languageDataProp.add({ Cell: DATA })] : []
    })
  )
).extend(
  styleTags({
    Magic: magicTag,
    Language: t.keyword,
    Name: t.definition(t.variableName),
    Option: t.attributeName,
    Value: t.string
  }),
  indentNodeProp.add({ Cell: indentAtTheEnd })
);
const node = (name: string): NodeType => NODES.types.find(type => type.name === name)!;

/** At a cell's very end its body has ended, too: ask the body's language all the same, if it has an answer. */
function indentAtTheEnd(context: TreeIndentContext): number | null {
  const body = context.node.lastChild;
  const strategy = body?.type.isTop ? body.type.prop(indentNodeProp) : undefined;
  return strategy ? strategy(Object.create(context, { node: { value: body } })) : null;
}

/** Return the extension for one editor, whose text is `text` when it is made. */
export function cells(languages: IEditorLanguageRegistry, text: string): Extension {
  const slot = new Compartment();
  const find = finder(languages);
  return [
    slot.of(find(text)),
    EditorState.transactionExtender.of(change => {
      if (!change.docChanged) {
        return null;
      }
      const wanted = find(sourceOf(change.newDoc));
      return wanted === slot.get(change.startState) ? null : { effects: slot.reconfigure(wanted) };
    })
  ];
}

const sourceOf = (text: Text): Source => ({
  length: text.length,
  slice: (from, to) => text.sliceString(from, to)
});

/** The extension of each language, shared by all editors; comparing them tells whether a cell's has changed. */
const made = new Map<string, Extension>();

function finder(languages: IEditorLanguageRegistry): (source: Source) => Extension {
  return source => {
    const magic = readMagic(source);
    if (!magic) {
      return NOTHING;
    }
    const inner = grammarOf(magic.language, languages);
    const name = inner?.name.toLowerCase() ?? 'none';
    let extension = made.get(name);
    if (extension === undefined) {
      const language = new Language(DATA, new CellParser(bodyIn(inner)), [], name);
      extension = [Prec.highest(language.extension), STYLE];
      made.set(name, extension);
    }
    return extension;
  };
}

interface Grammar {
  name: string;
  /** The language's support, once it has been loaded. */
  support: LanguageSupport | undefined;
  load(): Promise<unknown>;
}

function grammarOf(name: string, languages: IEditorLanguageRegistry): Grammar | null {
  if (name === GO.name) {
    return GO;
  }
  // A language that another package added to the lab may well be one that the editor knows.
  const known = languages.findByName(name) ?? languages.findByExtension(name);
  return (
    known && {
      name: known.name,
      get support() {
        return known.support;
      },
      load: () => languages.getLanguage(known.name)
    }
  );
}

/** Return what parses a cell's body: a grammar that is not there yet is skipped until it has been loaded. */
function bodyIn(inner: Grammar | null): ParseWrapper {
  let loading: Parser | undefined;
  return parseMixed(({ type }) => {
    if (!inner || type.name !== 'Body') {
      return null;
    }
    if (inner.support) {
      return { parser: inner.support.language.parser };
    }
    loading ??= ParseContext.getSkippingParser(
      inner.load().catch(reason => {
        console.warn(`labkernel: the grammar of ${inner.name} cannot be loaded.`, reason);
      })
    );
    return { parser: loading };
  });
}

/** Lays out the magic's line; what follows it belongs to another parser. */
class CellParser extends Parser {
  constructor(private readonly body: ParseWrapper) {
    super();
  }

  createParse(
    input: Input,
    fragments: readonly TreeFragment[],
    ranges: readonly { from: number; to: number }[]
  ): PartialParse {
    const whole: PartialParse = {
      parsedPos: 0,
      stoppedAt: null,
      advance: () => layOut({ length: input.length, slice: (from, to) => input.read(from, to) }),
      stopAt: () => undefined
    };
    return this.body(whole, input, fragments, ranges);
  }
}

function layOut(source: Source): Tree {
  const magic = readMagic(source);
  const children: Tree[] = [];
  const positions: number[] = [];
  const add = (name: string, from: number, to: number) => {
    children.push(new Tree(node(name), [], [], to - from));
    positions.push(from);
  };
  for (const { part, from, to } of magic?.parts ?? []) {
    add(part, from, to);
  }
  if (magic && magic.body < source.length) {
    add('Body', magic.body, source.length);
  }
  return new Tree(node('Cell'), children, positions, source.length);
}
