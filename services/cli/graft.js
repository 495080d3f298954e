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

// A checkout runs what its sources compile to, also when an older build lies beside them; an image has the build only, or asks for it.
const useBuild = existsSync(built) && (process.env['NODE_ENV'] === 'production' || !existsSync(source));
const needed = useBuild
  ? { 'the npm packages': 'node_modules/pg' }
  : {
      'the npm packages': 'node_modules/esbuild',
      'the code made from proto': 'proto/gen/graft',
      'the code made from prisma/schema.prisma': 'prisma/client/client.ts',
    };
const missing = Object.entries(needed).filter(([, path]) => !existsSync(join(root, path)));

if (missing.length > 0) {
  const names = missing.map(([name, path]) => `${name} (${path})`).join(', ');
  process.stderr.write(`Graft is not set up here: ${names} missing.\nRun: npm run setup   (in ${root})\n`);
  process.exitCode = 1;
} else {
  const main = useBuild ? built : await compiledMain();
  if (main !== undefined) await import(pathToFileURL(main).href);
}

/** Compiles the sources if they have changed since the last time; a second or less. Undefined: it failed, and the reason is printed. */
async function compiledMain() {
  const { compileOnce } = await import('../../deploy/bootstrap/compile.js');
  try {
    return join(await compileOnce(root), 'services', 'cli', 'main.js');
  } catch (error) {
    process.stderr.write(
      `The sources in ${root} can't be compiled: ${error instanceof Error ? error.message : error}\n`,
    );
    process.stderr.write('If this account may not write there, run `npm run setup` as the one that installed Graft.\n');
    process.exitCode = 1;
    return undefined;
  }
}
