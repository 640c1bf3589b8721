/** Go: the editor's own grammar for it is an old one that tells neither the names it defines nor types. */
import {
  delimitedIndent,
  foldInside,
  foldNodeProp,
  indentNodeProp,
  LanguageSupport,
  LRLanguage
} from '@codemirror/language';

const inBraces = delimitedIndent({ closing: '}', align: false });

export const GO = {
  name: 'Go',
  support: undefined as LanguageSupport | undefined,
  async load(): Promise<void> {
    const { parser } = await import('@lezer/go');
    const language = LRLanguage.define({
      name: 'go',
      parser: parser.configure({
        props: [
          indentNodeProp.add({ 'Block LiteralValue StructType InterfaceType': inBraces }),
          foldNodeProp.add({ 'Block LiteralValue StructType InterfaceType': foldInside })
        ]
      }),
      languageData: { commentTokens: { line: '//', block: { open: '/*', close: '*/' } }, indentOnInput: /^\s*\}$/ }
    });
    this.support = new LanguageSupport(language);
  }
};
