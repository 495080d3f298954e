#!/usr/bin/env node
// The launcher of the CLI, in plain JavaScript so that it can report missing parts before set-up.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// Notes of packages for their own developers.
process.noDeprecation = true;

// `graft … | head` closes the output early, which is not an error. Any other reason is one: the result is incomplete.
process.stdout.on('error', (error) => {
  const { code } = /** @type {NodeJS.ErrnoException} */ (error);
  if (code === 'EPIPE') process.exit(0);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
  const reason = isFull ? 'the disk is full' : error.message;
  process.stderr.write(`Standard output can't be written: ${reason}. The result is incomplete.\n`);
  process.exit(isFull ? 5 : 1);
});
process.stderr.on('error', () => undefined);

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const source = join(root, 'services', 'cli', 'main.ts');
const built = join(root, 'dist', 'services', 'cli', 'main.js');

// A checkout compiles its sources, even if a build exists. An image has only the build, or requests it by NODE_ENV=production.
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
  process.exitCode = 7;
} else {
  const main = useBuild ? built : await compiledMain();
  if (main !== undefined) await import(pathToFileURL(main).href);
}

/** Compiles the sources if they have changed, in a second or less. Undefined after a failure, whose reason is printed. */
async function compiledMain() {
  const { compileOnce } = await import('../../deploy/bootstrap/compile.js');
  try {
    return join(await compileOnce(root), 'services', 'cli', 'main.js');
  } catch (error) {
    process.stderr.write(
      `The sources in ${root} can't be compiled: ${error instanceof Error ? error.message : error}\n`,
    );
    process.stderr.write(
      'If this account may not write there, run `npm run setup` under the account that installed Graft.\n',
    );
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    process.exitCode = code === 'EACCES' || code === 'EROFS' ? 6 : 1;
    return undefined;
  }
}
