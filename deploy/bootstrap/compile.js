import { cpSync, existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildFolder, digestOf, listFiles } from './files.js';

/** Folders with all sources that a service or the CLI imports. */
const SOURCES = ['services', 'proto/gen', 'prisma/client'];
/** Files that are read at run time, copied to the same path in the output. */
const FILES = ['proto/gen/descriptor.binpb', 'proto/gen/grpc.binpb', 'prisma/migrations'];
/** Number of outputs to keep: running processes may still load modules from an earlier one. */
const KEPT = 3;

/**
 * Compiles the services to JavaScript unless an output of the same sources exists. Node starts compiled services in a fraction of
 * the time that TypeScript takes. Does not check types (`npm run typecheck` does).
 *
 * @param {string} root the checkout, with packages and generated code
 * @returns {Promise<string>} the folder with `services`, `proto` and `prisma`
 * @throws esbuild's BuildFailure for a syntax error
 */
export async function compileOnce(root) {
  const outputs = join(root, 'node_modules', '.graft-compiled');
  const sources = listSources(root);
  const folder = join(outputs, stampOf(root, sources));
  if (existsSync(folder)) return folder;
  await buildFolder(folder, (temporary) => compile(root, sources, temporary));
  removeOldest(outputs, folder);
  return folder;
}

/**
 * Compiles the services into a folder, file by file.
 *
 * @param {string} root
 * @param {readonly string[]} sources paths of TypeScript files
 * @param {string} out
 */
export async function compile(root, sources, out) {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [...sources],
    outbase: root,
    outdir: out,
    // Each file remains a module, so that paths relative to `import.meta.url` still work. esbuild only resolves imports when it
    // bundles, so every import is external.
    bundle: true,
    plugins: [{ name: 'own-files-end-in-js', setup: ({ onResolve }) => onResolve({ filter: /^/ }, leaveOutside) }],
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    sourcemap: true,
    logLevel: 'silent',
  });
  for (const file of FILES) cpSync(join(root, file), join(out, file), { recursive: true });
}

/** @param {string} root */
export function listSources(root) {
  return SOURCES.flatMap((folder) => listFiles(join(root, folder)))
    .filter((path) => /(?<!\.d)\.ts$/.test(path))
    .sort();
}

/**
 * Returns a digest of the sources' times and sizes. Reading all sources would take longer than most commands.
 *
 * @param {string} root
 * @param {readonly string[]} sources
 */
function stampOf(root, sources) {
  const copied = FILES.flatMap((file) => listFiles(join(root, file)));
  // This file has the compiler's settings.
  const inputs = [...sources, ...copied, join(root, 'package-lock.json'), fileURLToPath(import.meta.url)];
  return digestOf(
    inputs.flatMap((path) => {
      const { mtimeMs, size } = statSync(path);
      return [relative(root, path), `${mtimeMs} ${size}`];
    }),
  ).slice(0, 16);
}

/**
 * @param {import('esbuild').OnResolveArgs} args
 * @returns {import('esbuild').OnResolveResult | undefined}
 */
function leaveOutside({ path, kind }) {
  if (kind === 'entry-point') return undefined;
  return { path: path.startsWith('.') ? path.replace(/\.ts$/, '.js') : path, external: true };
}

/**
 * @param {string} outputs
 * @param {string} current
 */
function removeOldest(outputs, current) {
  const now = new Date();
  utimesSync(current, now, now);
  const byAge = readdirSync(outputs)
    .filter((name) => !name.includes('.partial-'))
    .map((name) => ({ path: join(outputs, name), time: statSync(join(outputs, name)).mtimeMs }))
    .sort((a, b) => b.time - a.time);
  for (const { path } of byAge.slice(KEPT)) rmSync(path, { recursive: true, force: true });
}
