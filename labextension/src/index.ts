/**
 * Colours `%%wasm LANGUAGE NAME` and `%%wit NAME` cells in their own language as they are typed.
 *
 * Nothing is written into a notebook: a cell's type, its mimetype and its text stay as they are. The grammars
 * are JupyterLab's own, loaded when a cell first asks for one; only WIT and Zig, which it lacks, are ours.
 */
import {
  EditorExtensionRegistry,
  IEditorExtensionRegistry,
  IEditorLanguageRegistry
} from '@jupyterlab/codemirror';
import type { IPlugin } from '@lumino/application';

import { cells } from './cells';
import { WIT } from './wit';
import { ZIG } from './zig';

const plugin: IPlugin<unknown, void> = {
  id: 'labkernel:highlighting',
  description: 'Colours %%wasm and %%wit cells in their own language.',
  autoStart: true,
  requires: [IEditorExtensionRegistry, IEditorLanguageRegistry],
  activate: (_, extensions: IEditorExtensionRegistry, languages: IEditorLanguageRegistry) => {
    for (const language of [WIT, ZIG]) {
      if (!languages.findByName(language.name)) {
        languages.addLanguage(language);
      }
    }
    extensions.addExtension({
      name: 'labkernel:cells',
      factory: ({ model }) =>
        // A cell's model is an editor's model that has a type; Markdown and raw cells hold no magics.
        'type' in model && model.type === 'code'
          ? EditorExtensionRegistry.createImmutableExtension(
              cells(languages, model.sharedModel.getSource())
            )
          : null
    });
  }
};

export default plugin;
