import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, digestOfFolder, readTextIfThere, writeFileAtomically } from '../files.js';
import { lastLines, runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';

/** @typedef {import('../step.js').StepContext} StepContext */
/** @typedef {{ name: string, digest: string, outputs: string[], make: () => Promise<void> }} Generator */

/** @type {import('../step.js').Step} */
export const generateCode = {
  title: 'Generated code',
  async run(context) {
    const lock = readFileSync(join(context.root, 'package-lock.json'), 'utf8');
    const done = [];
    for (const generator of [protoGenerator(context, lock), prismaGenerator(context, lock)]) {
      const stamp = join(context.root, 'node_modules', `.graft-generated-${generator.name}`);
      if (readTextIfThere(stamp) === generator.digest && generator.outputs.every((path) => existsSync(path))) continue;
      await generator.make();
      writeFileAtomically(stamp, generator.digest);
      done.push(generator.name);
    }
    return done.length === 0 ? 'up to date' : `made for ${done.join(' and ')}`;
  },
};

/**
 * @param {StepContext} context
 * @param {string} lock the generators' versions
 * @returns {Generator}
 */
function protoGenerator(context, lock) {
  const folder = join(context.root, 'proto');
  const isInput = (/** @type {string} */ path) => /^(?!gen\/).*\.proto$|^buf.*\.yaml$/.test(path);
  return {
    name: 'proto',
    digest: digestOf([lock, digestOfFolder(folder, isInput)]),
    outputs: ['graft', 'descriptor.binpb', 'grpc.binpb'].map((name) => join(folder, 'gen', name)),
    async make() {
      await runTool(context, 'buf', ['generate'], folder);
      mkdirSync(join(folder, 'gen'), { recursive: true });
      await runTool(context, 'buf', ['build', '--exclude-path', 'grpc', '-o', join('gen', 'descriptor.binpb')], folder);
      await runTool(context, 'buf', ['build', '--path', 'grpc', '-o', join('gen', 'grpc.binpb')], folder);
    },
  };
}

/**
 * @param {StepContext} context
 * @param {string} lock
 * @returns {Generator}
 */
function prismaGenerator(context, lock) {
  const schema = join(context.root, 'prisma', 'schema.prisma');
  const config = join(context.root, '.config', 'prisma.ts');
  // prisma generate never starts its schema engine, but downloads one unless this names a file.
  const env = {
    ...context.env,
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  };
  return {
    name: 'prisma',
    digest: digestOf([lock, readFileSync(schema), readFileSync(config)]),
    outputs: [join(context.root, 'prisma', 'client', 'client.ts')],
    make: () => runTool({ ...context, env }, 'prisma', ['generate'], context.root),
  };
}

/**
 * @param {StepContext} context
 * @param {string} tool in node_modules/.bin
 * @param {string[]} args
 * @param {string} cwd
 */
async function runTool(context, tool, args, cwd) {
  const bin = join(context.root, 'node_modules', '.bin');
  const env = { ...context.env, PATH: `${bin}:${context.env['PATH'] ?? ''}` };
  const result = await runProgram(join(bin, tool), args, { cwd, env });
  if (result.code === 0) return;
  throw new SetupError(`${tool} ${args.join(' ')} failed.`, 'Fix the error below and run set-up again.', {
    output: lastLines(result, 30),
  });
}
