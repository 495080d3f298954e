import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildFolder, digestOf, digestOfFolder } from '../files.js';
import { repositoryRoot } from '../paths.js';
import { compileCpp } from './compiler.js';
import { SetupError } from '../setup-error.js';
import { libraryFiles } from './library.js';

/** @typedef {import('../step.js').StepContext} StepContext */
/** @typedef {import('./library.js').TensorflowLibrary} TensorflowLibrary */

const OWN_SOURCES = join(repositoryRoot, 'deploy', 'bootstrap', 'engine');
const LOADER_SOURCE = join(OWN_SOURCES, 'quiet-loader.cc');
const LIST_SOURCE = join(OWN_SOURCES, 'list-attributes.h');
/** Additions to tfjs' source, with which it accepts lists of strings and of types. */
const ADDITION = {
  file: 'tfjs_backend.cc',
  include: '#include "list-attributes.h"\n',
  before: '  switch (tf_attr_type) {',
  call: '  if (graft::set_list(env, tfe_op, attr_name, tf_attr_type, js_value)) return;\n',
};
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
    readFileSync(LIST_SOURCE),
    JSON.stringify(ADDITION),
    ...FLAGS,
  ]).slice(0, 16);
  const folder = join(context.paths.cacheDir, 'engine', 'binding', key);
  if (existsSync(join(folder, 'tfjs_binding.node'))) return folder;
  rmSync(folder, { recursive: true, force: true });
  await buildFolder(folder, async (temporary) => {
    const backend = join(temporary, ADDITION.file);
    writeFileSync(backend, withLists(readFileSync(join(sources, ADDITION.file), 'utf8')));
    const calls = compilerCalls({ library, sources, backend, headers, temporary, folder });
    await compileCpp(context, 'the binding of tfjs', calls);
    rmSync(backend);
  });
  return folder;
}

/**
 * @param {string} source source of tfjs' backend
 * @throws {SetupError} if it is not the version that the addition was written for
 */
function withLists(source) {
  const parts = source.split(ADDITION.before);
  if (parts.length !== 2) {
    throw new SetupError(
      `${ADDITION.file} of @tensorflow/tfjs-node-gpu is not the version that Graft patches.`,
      'Install the version in package-lock.json: npm ci.',
    );
  }
  return ADDITION.include + parts.join(ADDITION.call + ADDITION.before);
}

/**
 * @param {{
 *   library: TensorflowLibrary, sources: string, backend: string, headers: string, temporary: string, folder: string
 * }} job
 * @returns {readonly (readonly string[])[]}
 */
function compilerCalls({ library, sources, backend, headers, temporary, folder }) {
  const runPath = `-Wl,-rpath,${library.folder}:${folder}`;
  const libraries = libraryFiles.map((file) => join(library.folder, file));
  const binding = [
    ...FLAGS,
    ...['-I', library.includeFolder, '-I', headers, '-I', join(sources, '..'), '-I', sources, '-I', OWN_SOURCES],
    backend,
    join(sources, 'tfjs_binding.cc'),
    ...['-o', join(temporary, BINDING_LIBRARY), ...libraries, runPath],
  ];
  const loader = [...FLAGS, '-I', headers, LOADER_SOURCE, '-o', join(temporary, 'tfjs_binding.node'), runPath, '-ldl'];
  return [binding, loader];
}
