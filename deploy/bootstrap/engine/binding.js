import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildFolder, digestOf, digestOfFolder } from '../files.js';
import { downloadWheels, extractFromWheel } from '../pip.js';
import { repositoryRoot } from '../paths.js';
import { lastLines, runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';
import { zig } from '../wheels.js';
import { libraryFiles } from './library.js';

/** @typedef {import('../step.js').StepContext} StepContext */
/** @typedef {import('./library.js').TensorflowLibrary} TensorflowLibrary */
/** @typedef {{ name: string, command: readonly [string, ...string[]], env?: NodeJS.ProcessEnv }} Compiler */

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
  await buildFolder(folder, (temporary) => compile(context, { library, sources, headers, temporary, folder }));
  return folder;
}

/**
 * @param {StepContext} context
 * @param {{ library: TensorflowLibrary, sources: string, headers: string, temporary: string, folder: string }} job
 */
async function compile(context, job) {
  const failures = [];
  for (const compiler of await installedCompilers(context.env)) {
    context.say(`compiling the binding of tfjs with ${compiler.name}`);
    const failure = await compileWith(compiler, job);
    if (failure === undefined) return;
    failures.push(`${compiler.name}: ${failure}`);
  }
  const named = context.env['CXX'] ?? '';
  const none = named === '' ? 'there is no C++ compiler' : `CXX names "${named}", which does not run`;
  const reason = failures.length === 0 ? none : 'no installed C++ compiler can compile it';
  context.say(`${reason}: downloading ${zig.name} ${zig.version} (${zig.megabytes} MB) from PyPI`);
  const failure = await withZig(context, (compiler) => {
    context.say(`compiling the binding of tfjs with ${compiler.name} (a minute)`);
    return compileWith(compiler, job);
  });
  if (failure === undefined) return;
  failures.push(`zig: ${failure}`);
  throw new SetupError(
    'The binding between Node and TensorFlow could not be compiled.',
    'Install a C++17 compiler (Debian, Ubuntu: apt install g++), or name one in CXX.',
    { output: failures.join('\n') },
  );
}

/**
 * @param {Compiler} compiler
 * @param {{ library: TensorflowLibrary, sources: string, headers: string, temporary: string, folder: string }} job
 * @returns {Promise<string | undefined>} what went wrong
 */
async function compileWith({ command: [program, ...first], env }, { library, sources, headers, temporary, folder }) {
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
  for (const args of [binding, loader]) {
    const result = await runProgram(program, [...first, ...args], env === undefined ? {} : { env });
    if (result.code !== 0) return lastLines(result);
  }
  return undefined;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Compiler[]>}
 */
async function installedCompilers(env) {
  /** @type {Compiler[]} */
  const found = [];
  const named = env['CXX'] ?? '';
  for (const name of named === '' ? ['g++', 'clang++', 'c++'] : [named]) {
    const [program = name, ...args] = name.split(' ');
    if ((await runProgram(program, [...args, '--version'])).code === 0)
      found.push({ name, command: [program, ...args] });
  }
  return found;
}

/**
 * @template T
 * @param {StepContext} context
 * @param {(compiler: Compiler) => Promise<T>} use
 * @returns {Promise<T>}
 */
async function withZig(context, use) {
  const { python, paths, remove } = await downloadWheels([zig], join(context.paths.cacheDir, 'scratch'));
  const folder = mkdtempSync(join(context.paths.cacheDir, 'scratch', 'zig-'));
  try {
    for (const path of paths) await extractFromWheel(python, path, folder, ['ziglang/']);
    const program = join(folder, 'ziglang', 'zig');
    // Python's zipfile drops the mode of the files.
    chmodSync(program, 0o755);
    const cache = join(folder, 'cache');
    const zigEnv = { ...context.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
    return await use({ name: `zig ${zig.version}`, command: [program, 'c++'], env: zigEnv });
  } finally {
    remove();
    rmSync(folder, { recursive: true, force: true });
  }
}
