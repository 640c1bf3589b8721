/** Colours for what JupyterLab's own style leaves without one: Python, which it was made for, has no such tokens. */
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { Tag, tags as t } from '@lezer/highlight';

/** The magic itself. The theme's colour for `meta` is too dark to read on a dark page. */
export const magicTag = Tag.define(t.meta);

const color = (name: string) => `var(--jp-mirror-editor-${name}-color)`;

export const STYLE = syntaxHighlighting(
  HighlightStyle.define([
    { tag: magicTag, color: color('operator'), fontWeight: 'bold' },
    { tag: [t.typeName, t.namespace], color: color('variable-3') },
    { tag: t.definition(t.typeName), color: color('def') },
    { tag: t.macroName, color: color('builtin') },
    { tag: [t.escape, t.regexp], color: color('string-2') }
  ])
);
