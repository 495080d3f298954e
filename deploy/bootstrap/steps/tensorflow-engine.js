import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { obtainBinding } from '../engine/binding.js';
import { obtainLibrary } from '../engine/library.js';
import { linkFile, readTextIfThere, writeFileAtomically } from '../files.js';
import { lastLines, runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';

/** @typedef {import('../step.js').StepContext} StepContext */

/** @type {import('../step.js').Step} */
export const tensorflowEngine = {
  title: 'TensorFlow engine',
  async run(context) {
    const packageFolder = packageFolderOf(context.root);
    const library = await obtainLibrary(context);
    const bindingFolder = await obtainBinding(context, library, packageFolder);
    linkFile(join(bindingFolder, 'tfjs_binding.node'), bindingLink(packageFolder));
    const { version, gpu } = await verifyOnce(context, bindingFolder, library.gpu);
    return `ready (TensorFlow ${version} on ${gpu ? 'GPU' : 'CPU'}, ${library.source})`;
  },
};

/**
 * Returns whether tfjs finds its binding, which installing the packages again removes.
 *
 * @param {string} root
 */
export function isBindingLinked(root) {
  const packageFolder = packageFolderOf(root);
  return existsSync(join(packageFolder, 'package.json')) && existsSync(bindingLink(packageFolder));
}

/** @param {string} root */
function packageFolderOf(root) {
  return join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
}

/**
 * Returns where tfjs expects its binding.
 *
 * @param {string} packageFolder
 */
function bindingLink(packageFolder) {
  const manifest = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'));
  const offered = Math.max(
    ...manifest.binary.napi_versions.filter((/** @type {number} */ one) => one <= napiVersion()),
  );
  return join(packageFolder, 'lib', `napi-v${offered}`, 'tfjs_binding.node');
}

function napiVersion() {
  return Number(process.versions['napi']);
}

/**
 * Loads the engine in a separate process and multiplies two matrices, once per binding and Node version.
 *
 * @param {StepContext} context
 * @param {string} bindingFolder
 * @param {boolean} gpuExpected if true, a result without a GPU is not cached
 * @returns {Promise<{ version: string, gpu: boolean }>}
 */
async function verifyOnce(context, bindingFolder, gpuExpected) {
  const stamp = join(bindingFolder, `verified-node-${process.versions.node}.json`);
  const known = readTextIfThere(stamp);
  if (known !== undefined) return JSON.parse(known);
  const script = join(context.root, 'deploy', 'bootstrap', 'engine', 'verify-engine.cjs');
  const result = await runProgram(process.execPath, [script], {
    cwd: context.root,
    env: context.env,
    timeoutMs: 120_000,
  });
  const answer = parseAnswer(result.stdout);
  if (result.code !== 0 || answer === undefined || answer.product.join(' ') !== '19 22 43 50') {
    throw new SetupError(
      'TensorFlow was built but does not compute.',
      `Delete ${bindingFolder} and run set-up again; with GRAFT_LIBTENSORFLOW, check that the library is for this machine.`,
      { output: lastLines(result) },
    );
  }
  const facts = { version: answer.version, gpu: answer.gpu };
  if (facts.gpu || !gpuExpected) writeFileAtomically(stamp, `${JSON.stringify(facts)}\n`);
  else context.say('the library is for NVIDIA GPUs, but TensorFlow finds none it can use here: run nvidia-smi');
  return facts;
}

/**
 * @param {string} text
 * @returns {{ version: string, gpu: boolean, product: number[] } | undefined}
 */
function parseAnswer(text) {
  try {
    return JSON.parse(text.trim().split('\n').at(-1) ?? '');
  } catch {
    return undefined;
  }
}
