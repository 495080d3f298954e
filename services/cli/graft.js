#!/usr/bin/env node
// The launcher of the CLI, in plain JavaScript so that it can say what is missing before anything is set up.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// `graft … | head` closes our output early, which is no error of ours.
process.stdout.on('error', (error) => {
  if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPIPE') throw error;
  process.exit(0);
});

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const source = join(root, 'services', 'cli', 'main.ts');
const built = join(root, 'dist', 'services', 'cli', 'main.js');

// A checkout runs its sources, also when an older build lies beside them; an image has the build only, or asks for it.
const useBuild = existsSync(built) && (process.env['NODE_ENV'] === 'production' || !existsSync(source));
const needed = useBuild
  ? { 'the npm packages': 'node_modules/pg' }
  : {
      'the npm packages': 'node_modules/tsx',
      'the code made from proto': 'proto/gen/graft',
      'the code made from prisma/schema.prisma': 'prisma/client/client.ts',
    };
const missing = Object.entries(needed).filter(([, path]) => !existsSync(join(root, path)));

if (missing.length > 0) {
  const names = missing.map(([name, path]) => `${name} (${path})`).join(', ');
  process.stderr.write(`Graft is not set up here: ${names} missing.\nRun: npm run setup   (in ${root})\n`);
  process.exitCode = 1;
} else {
  if (!useBuild) {
    const { register } = await import('tsx/esm/api');
    register();
  }
  await import(pathToFileURL(useBuild ? built : source).href);
}
