import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildFolder, digestOf, digestOfFolder } from '../files.js';
import { compileCpp } from './compiler.js';

/** @typedef {import('../step.js').StepContext} StepContext */

export const headsModule = 'graft_heads.node';

// Each value must result from the same operations whichever tile it falls into, so the compiler must not fuse multiplications
// and additions by itself. The source fuses them explicitly where intended.
const FLAGS = ['-std=c++17', '-O3', '-fPIC', '-fvisibility=hidden', '-ffp-contract=off', '-fno-math-errno', '-pthread'];

/** Instruction sets that the arithmetic is compiled for. The loader chooses one by the names in `find-kernels.cc`. */
const INSTRUCTION_SETS = {
  x64: { basic: [], avx2: ['-march=x86-64-v3'], avx512: ['-march=x86-64-v4'] },
  other: { basic: [] },
};

/**
 * Compiles the native code that trains heads on a CPU (`services/trainer/heads/native`), once per version of the sources.
 *
 * @param {StepContext} context
 * @returns {Promise<string>} the cache folder with graft_heads.node
 * @throws {SetupError} with the compiler's last lines
 */
export async function obtainHeads(context) {
  const sources = join(context.root, 'services', 'trainer', 'heads', 'native');
  const headers = join(context.root, 'node_modules', 'node-api-headers', 'include');
  const sets = Object.entries(process.arch === 'x64' ? INSTRUCTION_SETS.x64 : INSTRUCTION_SETS.other);
  const key = digestOf([
    digestOfFolder(sources, (path) => /\.(cc|h)$/.test(path)),
    digestOfFolder(headers, () => true),
    JSON.stringify([process.arch, sets]),
    ...FLAGS,
  ]).slice(0, 16);
  const folder = join(context.paths.cacheDir, 'engine', 'heads', key);
  if (existsSync(join(folder, headsModule))) return folder;
  rmSync(folder, { recursive: true, force: true });
  await buildFolder(folder, async (temporary) => {
    const objects = sets.map(([name]) => join(temporary, `kernels-${name}.o`));
    const kernels = sets.map(([name, flags], index) => [
      ...[...FLAGS, ...flags, `-DGRAFT_INSTRUCTION_SET=${name}`],
      ...['-c', join(sources, 'kernels.cc'), '-o', objects[index] ?? ''],
    ]);
    const rest = ['binding.cc', 'group.cc', 'head.cc', 'worker-pool.cc', 'find-kernels.cc'];
    const files = rest.map((file) => join(sources, file));
    const module = [...FLAGS, '-DNAPI_VERSION=8', '-I', headers, '-shared', ...files, ...objects];
    await compileCpp(context, 'the heads', [...kernels, [...module, '-o', join(temporary, headsModule)]]);
    for (const object of objects) rmSync(object);
  });
  return folder;
}
