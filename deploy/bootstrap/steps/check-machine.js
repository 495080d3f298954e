import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from '../setup-error.js';

const LEFTOVER_AGE_MS = 6 * 3_600_000;
const OLDEST_NODE = [20, 19];
const TOO_NEW_NODE = 23;
const OLDEST_GLIBC = [2, 27];

/** @type {import('../step.js').Step} */
export const checkMachine = {
  title: 'This machine',
  async run(context) {
    checkNode(process.versions.node);
    checkPlatform(process.platform, process.arch, context.env['GRAFT_LIBTENSORFLOW'] ?? '');
    if (process.platform === 'linux') checkGlibc();
    context.requireFreeSpace(200, 'set-up');
    removeLeftovers(context.paths.cacheDir);
    return `fit (Node ${process.versions.node}, ${process.platform} ${process.arch})`;
  },
};

/**
 * Checks what generating code requires, on any platform.
 *
 * @type {import('../step.js').Step}
 */
export const checkNodeVersion = {
  title: 'Node',
  async run() {
    checkNode(process.versions.node);
    return process.versions.node;
  },
};

/**
 * @param {string} version such as 20.19.0
 * @throws {SetupError} if tfjs-node does not support it
 */
export function checkNode(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  const tooOld = major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
  if (!tooOld && major < TOO_NEW_NODE) return;
  throw new SetupError(
    `This is Node ${version}; Graft runs on Node ${OLDEST_NODE.join('.')} or later and before ${TOO_NEW_NODE}.`,
    'Install Node 22 (https://nodejs.org, or: nvm install 22), put it first on the path and run set-up again.' +
      (tooOld ? '' : '\nNode 23 removed functions of node:util that TensorFlow.js 4.22 still calls.'),
  );
}

/**
 * @param {string} platform
 * @param {string} arch
 * @param {string} namedLibrary value of GRAFT_LIBTENSORFLOW
 */
export function checkPlatform(platform, arch, namedLibrary) {
  if (platform === 'linux' && arch === 'x64') return;
  if (platform === 'linux' && namedLibrary !== '') return;
  throw new SetupError(
    `This is ${platform} on ${arch}; set-up installs TensorFlow for linux on x64 only.`,
    platform === 'linux'
      ? 'Unpack the tensorflow wheel for this processor from PyPI and name its folder "tensorflow" (with libtensorflow_cc.so.2,\n' +
          'libtensorflow_framework.so.2 and include/) in GRAFT_LIBTENSORFLOW.'
      : 'Use a Linux machine, or Docker or WSL 2 on this one.',
  );
}

/**
 * Removes what killed set-ups left incomplete more than six hours ago. Younger leftovers may belong to a running set-up.
 *
 * @param {string} cacheDir
 */
function removeLeftovers(cacheDir) {
  const folders = ['scratch', 'data', join('engine', 'library'), join('engine', 'binding')].map((name) =>
    join(cacheDir, name),
  );
  for (const folder of folders.filter((one) => existsSync(one))) {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const isLeftover = folder.endsWith('scratch') || name.includes('.partial-');
      const ageMs = Date.now() - statSync(path).mtimeMs;
      if (isLeftover && ageMs > LEFTOVER_AGE_MS) rmSync(path, { recursive: true, force: true });
    }
  }
}

function checkGlibc() {
  const report = /** @type {any} */ (process.report);
  report.excludeNetwork = true;
  const version = report.getReport().header.glibcVersionRuntime;
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_GLIBC;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new SetupError(
    version === undefined ? 'This Linux has no glibc (Alpine?).' : `This Linux has glibc ${version}.`,
    `TensorFlow's and PostgreSQL's binaries need glibc ${OLDEST_GLIBC.join('.')} or later: use Debian 10, Ubuntu 18.04, or anything newer.`,
  );
}
