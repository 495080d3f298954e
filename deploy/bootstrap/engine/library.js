import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildFolder, digestOf } from '../files.js';
import { downloadWheels, extractFromArchive } from '../pip.js';
import { runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';
import { nvidiaLibraries, tensorflowCpu, tensorflowGpu } from '../wheels.js';

/** @typedef {import('../step.js').StepContext} StepContext */
/** @typedef {{ folder: string, includeFolder: string, identity: string, source: string, gpu: boolean }} TensorflowLibrary */

export const libraryFiles = /** @type {const} */ (['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']);

// The headers that tensorflow/c/c_api.h and tensorflow/c/eager/c_api.h include, of 9,373 headers (135 MB) in the wheel.
const HEADERS = ['tensorflow/c/', 'tensorflow/core/platform/ctstring', 'tsl/platform/ctstring', 'xla/tsl/c/'];

/**
 * Finds the TensorFlow library: the folder GRAFT_LIBTENSORFLOW, else the cache, else a wheel from PyPI.
 *
 * @param {StepContext} context
 * @returns {Promise<TensorflowLibrary>}
 * @throws {SetupError} if GRAFT_LIBTENSORFLOW names no such folder, or a wheel can't be downloaded
 */
export async function obtainLibrary(context) {
  const named = context.env['GRAFT_LIBTENSORFLOW'];
  if (named !== undefined && named !== '') return namedLibrary(named);
  const gpu = await wantsGpu(context.env);
  const wheel = gpu ? tensorflowGpu : tensorflowCpu;
  const extra = gpu ? await missingNvidiaWheels(context.env) : [];
  const identity = digestOf([wheel.sha256, ...extra.map((one) => one.sha256)]).slice(0, 12);
  const root = join(context.paths.cacheDir, 'engine', 'library', `${wheel.name}-${wheel.version}-${identity}`);
  const source = `${wheel.name} ${wheel.version} from PyPI`;
  if (!existsSync(root)) await unpackWheels(context, root, [wheel, ...extra]);
  const folder = join(root, 'tensorflow');
  requireFiles(folder, `Delete ${root} and run set-up again: it was damaged after its installation.`);
  return { folder, includeFolder: join(folder, 'include'), identity: identityOf(folder), source, gpu };
}

/** @param {string} named */
function namedLibrary(named) {
  requireFiles(
    named,
    `GRAFT_LIBTENSORFLOW must name a folder with ${libraryFiles.join(', ')} and include/tensorflow/c/c_api.h, such as\n` +
      'the folder "tensorflow" of an unpacked tensorflow or tensorflow-cpu wheel (2.16 or later).',
  );
  const folder = realpathSync(named);
  const source = `GRAFT_LIBTENSORFLOW=${named}`;
  return {
    folder,
    includeFolder: join(folder, 'include'),
    identity: identityOf(folder),
    source,
    gpu: existsSync('/dev/nvidia0'),
  };
}

/**
 * @param {string} folder
 * @param {string} remedy
 */
function requireFiles(folder, remedy) {
  const missing = [...libraryFiles, 'include/tensorflow/c/c_api.h'].filter((file) => !existsSync(join(folder, file)));
  if (missing.length > 0) throw new SetupError(`${folder} lacks ${missing.join(', ')}.`, remedy);
}

/**
 * Returns the identity of a library without reading its 850 MB: sizes and times.
 *
 * @param {string} folder
 */
function identityOf(folder) {
  const facts = libraryFiles.map((file) => {
    const { size, mtimeMs } = statSync(join(folder, file));
    return `${file} ${size} ${mtimeMs}`;
  });
  return digestOf([folder, ...facts]);
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<boolean>}
 */
async function wantsGpu(env) {
  const wanted = env['GRAFT_ENGINE'] ?? '';
  if (wanted === 'cpu' || wanted === 'gpu') return wanted === 'gpu';
  if (wanted !== '') {
    throw new SetupError(
      `GRAFT_ENGINE is "${wanted}".`,
      'Set it to cpu or gpu, or unset it to use what the machine has.',
    );
  }
  if (existsSync('/dev/nvidia0')) return true;
  return (await runProgram('nvidia-smi', ['-L'])).stdout.includes('GPU 0');
}

/** @param {NodeJS.ProcessEnv} env */
async function missingNvidiaWheels(env) {
  const known = (
    await runProgram('ldconfig', ['-p'], { env: { ...env, PATH: `${env['PATH'] ?? ''}:/sbin:/usr/sbin` } })
  ).stdout;
  const folders = (env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '' && existsSync(folder));
  const files = new Set(folders.flatMap((folder) => readdirSync(folder)));
  return Object.entries(nvidiaLibraries)
    .filter(([file]) => !files.has(file) && !known.includes(`${file} `))
    .map(([, wheel]) => wheel);
}

/**
 * @param {StepContext} context
 * @param {string} root
 * @param {readonly import('../wheels.js').Wheel[]} wheels
 */
async function unpackWheels(context, root, wheels) {
  const megabytes = wheels.reduce((sum, wheel) => sum + wheel.megabytes, 0);
  context.requireFreeSpace(megabytes * 5, 'the TensorFlow engine');
  context.say(`downloading ${wheels.map((wheel) => `${wheel.name} ${wheel.version}`).join(', ')} (${megabytes} MB)`);
  await buildFolder(root, async (temporary) => {
    const { python, paths, remove } = await downloadWheels(wheels, join(context.paths.cacheDir, 'scratch'));
    try {
      context.say('unpacking');
      const wanted = [...libraryFiles, ...HEADERS.map((prefix) => `include/${prefix}`)].map(
        (name) => `tensorflow/${name}`,
      );
      for (const path of paths) await extractFromArchive(python, path, temporary, [...wanted, 'nvidia/']);
    } finally {
      remove();
    }
  });
}
