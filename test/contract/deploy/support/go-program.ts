import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { resolvePaths } from '../../../../services/platform/paths.ts';
import { runCommand } from '../../../support/python-venv.ts';

export interface GoProgram {
  /** Name in the cache folder, including the version: another version is built separately. */
  readonly name: string;
  /** Folder with go.mod and go.sum, which pin all dependencies. */
  readonly module: string;
  /** Package to build. */
  readonly package: string;
}

/**
 * Builds a program from its Go module, once, into the cache folder.
 *
 * @returns its path.
 * @throws {Error} with Go's output when Go is missing or the build fails.
 */
export async function buildGoProgram({ name, module, package: packageName }: GoProgram): Promise<string> {
  const program = join(resolvePaths(process.env).cacheDir, name);
  if (existsSync(program)) return program;
  const folder = await mkdtemp(join(tmpdir(), 'graft-go-'));
  try {
    await cp(module, folder, { recursive: true });
    const env = { ...process.env, GOFLAGS: '-mod=readonly -trimpath', GOWORK: 'off', CGO_ENABLED: '0' };
    const output = join(folder, 'built-program');
    await runCommand('go', ['-C', folder, 'build', '-o', output, packageName], env);
    await mkdir(dirname(program), { recursive: true });
    await cp(output, `${program}.${process.pid}`);
    await rename(`${program}.${process.pid}`, program);
    return program;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
