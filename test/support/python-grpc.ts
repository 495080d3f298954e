import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolvePaths } from '../../services/platform/paths.ts';

/** Returns a cached virtual environment with grpcio and its protoc, or the reason why there is none. */
export function pythonWithGrpc(): { readonly python: string } | { readonly reason: string } {
  const venv = join(resolvePaths(process.env).cacheDir, 'grpc-venv');
  const python = join(venv, 'bin', 'python');
  try {
    if (!existsSync(join(venv, 'ready'))) {
      execFileSync('python3', ['-m', 'venv', '--clear', venv], { stdio: 'pipe' });
      execFileSync(python, ['-m', 'pip', 'install', '--quiet', 'grpcio==1.74.0', 'grpcio-tools==1.74.0'], {
        stdio: 'pipe',
      });
      writeFileSync(join(venv, 'ready'), '');
    }
    return { python };
  } catch (error) {
    return { reason: `no Python with venv and grpcio: ${(error as Error).message.split('\n')[0] ?? ''}` };
  }
}
