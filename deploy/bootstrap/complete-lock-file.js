#!/usr/bin/env node
// Completes package-lock.json; run it after npm install. Packages with binaries list one optional package per platform. If the
// configured registry lacks some of them, npm install omits them from the lock file, and npm ci then refuses it everywhere.
// A test fails when this script must be run.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { repositoryRoot } from './paths.js';

/**
 * @typedef {{ version?: string, dev?: boolean, optional?: boolean, os?: string[], cpu?: string[],
 *   optionalDependencies?: Record<string, string> }} LockEntry
 */

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
/** @type {Readonly<Record<string, string>>} */
const PROCESSORS = {
  aarch64: 'arm64',
  arm: 'arm',
  arm64: 'arm64',
  armv7: 'arm',
  ia32: 'ia32',
  loong64: 'loong64',
  mips64el: 'mips64el',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  wasm32: 'wasm32',
  x64: 'x64',
};

/**
 * Returns the optional packages that a lock file names without an entry of their own.
 *
 * @param {Readonly<Record<string, LockEntry>>} packages the lock file's `packages`
 * @returns {{ path: string, entry: LockEntry }[]}
 * @throws {Error} if the name of a package does not tell its platform
 */
export function missingPlatformPackages(packages) {
  return Object.entries(packages).flatMap(([parentPath, parent]) =>
    Object.entries(parent.optionalDependencies ?? {})
      .filter(([name]) => !isDescribed(packages, parentPath, name))
      .map(([name, version]) => ({
        path: `node_modules/${name}`,
        entry: {
          version: exactVersion(name, version),
          ...platformOf(name),
          ...(parent.dev === true ? { dev: true } : {}),
          optional: true,
        },
      })),
  );
}

/**
 * @param {Readonly<Record<string, LockEntry>>} packages
 * @param {string} parentPath
 * @param {string} name
 */
function isDescribed(packages, parentPath, name) {
  for (let folder = parentPath; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (`${folder}${folder === '' ? '' : '/'}node_modules/${name}` in packages) return true;
    if (folder === '') return false;
  }
}

/**
 * @param {string} name
 * @param {string} version
 */
function exactVersion(name, version) {
  if (/^\d+\.\d+\.\d+[-+.\w]*$/.test(version)) return version;
  throw new Error(`The optional package ${name} is asked for as "${version}", which names no single version.`);
}

/** @param {string} name such as @bufbuild/buf-darwin-arm64 */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.find((system) => words.includes(system));
  const cpu = words.map((word) => PROCESSORS[word]).find((processor) => processor !== undefined);
  if (cpu === undefined) throw new Error(`The name of the optional package ${name} does not tell its platform.`);
  return { cpu: [cpu], ...(os === undefined ? {} : { os: [os] }) };
}

function main() {
  const path = join(repositoryRoot, 'package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const missing = missingPlatformPackages(lock.packages);
  for (const { path: key, entry } of missing) lock.packages[key] = entry;
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  if (missing.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  process.stdout.write(`${missing.length} platform packages added to package-lock.json.\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
