// componentize-js asks jco to make a component of its core module. Here it gets the core module back; the lab's toolbox
// makes the component.
import { fileURLToPath } from 'node:url';

export const componentNew = async (core) => core;
export const metadataAdd = async (core) => core;
export const preview1AdapterReactorPath = () => fileURLToPath(import.meta.url);
