import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildFolder, digestOf, digestOfFolder } from '../files.js';
import { repositoryRoot } from '../paths.js';
import { compileCpp } from './compiler.js';
import { libraryFiles } from './library.js';

/** @typedef {import('../step.js').StepContext} StepContext */
/** @typedef {import('./library.js').TensorflowLibrary} TensorflowLibrary */

const LOADER_SOURCE = join(repositoryRoot, 'deploy', 'bootstrap', 'engine', 'quiet-loader.cc');
const BINDING_LIBRARY = 'libgraft_tfjs_binding.so';
const FLAGS = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8'];

/**
 * Compiles the binding of tfjs against a TensorFlow library, once per pair of both.
 *
 * @param {StepContext} context
 * @param {TensorflowLibrary} library
 * @param {string} packageFolder of @tensorflow/tfjs-node-gpu
 * @returns {Promise<string>} the cache folder with tfjs_binding.node
 * @throws {SetupError} with the compiler's last lines
 */
export async function obtainBinding(context, library, packageFolder) {
  const headers = join(repositoryRoot, 'node_modules', 'node-api-headers', 'include');
  const sources = join(packageFolder, 'binding');
  const key = digestOf([
    library.identity,
    digestOfFolder(sources, () => true),
    digestOfFolder(headers, () => true),
    readFileSync(LOADER_SOURCE),
    ...FLAGS,
  ]).slice(0, 16);
  const folder = join(context.paths.cacheDir, 'engine', 'binding', key);
  if (existsSync(join(folder, 'tfjs_binding.node'))) return folder;
  rmSync(folder, { recursive: true, force: true });
  await buildFolder(folder, (temporary) =>
    compileCpp(context, 'the binding of tfjs', compilerCalls({ library, sources, headers, temporary, folder })),
  );
  return folder;
}

/**
 * @param {{ library: TensorflowLibrary, sources: string, headers: string, temporary: string, folder: string }} job
 * @returns {readonly (readonly string[])[]}
 */
function compilerCalls({ library, sources, headers, temporary, folder }) {
  const runPath = `-Wl,-rpath,${library.folder}:${folder}`;
  const libraries = libraryFiles.map((file) => join(library.folder, file));
  const binding = [
    ...FLAGS,
    ...['-I', library.includeFolder, '-I', headers, '-I', join(sources, '..')],
    join(sources, 'tfjs_backend.cc'),
    join(sources, 'tfjs_binding.cc'),
    ...['-o', join(temporary, BINDING_LIBRARY), ...libraries, runPath],
  ];
  const loader = [...FLAGS, '-I', headers, LOADER_SOURCE, '-o', join(temporary, 'tfjs_binding.node'), runPath, '-ldl'];
  return [binding, loader];
}
