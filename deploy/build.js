#!/usr/bin/env node
// Builds what the images run: JavaScript of the services, and the files that they read beside it. `npm run build`.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from './bootstrap/paths.js';

/** Read at run time, from the same place within the build. */
const FILES = ['proto/gen/descriptor.binpb', 'prisma/migrations'];

const { values } = parseArgs({ options: { out: { type: 'string', default: join(repositoryRoot, 'dist') } } });
const out = resolve(values.out);

// A file that was deleted in the sources must not live on in the build.
rmSync(out, { recursive: true, force: true });
const compiler = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [compiler, '--project', 'tsconfig.build.json', '--outDir', out], {
  cwd: repositoryRoot,
  stdio: 'inherit',
});
for (const file of FILES) {
  mkdirSync(dirname(join(out, file)), { recursive: true });
  cpSync(join(repositoryRoot, file), join(out, file), { recursive: true });
}
process.exitCode = status ?? 1;
