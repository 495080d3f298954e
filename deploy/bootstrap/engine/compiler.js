import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { downloadWheels, extractFromArchive } from '../pip.js';
import { lastLines, runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';
import { zig } from '../wheels.js';

/** @typedef {import('../step.js').StepContext} StepContext */
/**
 * @typedef {{ name: string, command: readonly [string, ...string[]], env?: NodeJS.ProcessEnv, isZig?: boolean }} Compiler
 */

/**
 * Runs a C++ compiler with each list of arguments. Uses the first installed compiler that succeeds for all of them, else zig from
 * PyPI.
 *
 * @param {StepContext} context
 * @param {string} what name of the target in messages, such as "the binding of tfjs"
 * @param {readonly (readonly string[])[]} calls
 * @throws {SetupError} with the compilers' last lines
 */
export async function compileCpp(context, what, calls) {
  const failures = [];
  for (const compiler of await installedCompilers(context.env)) {
    context.say(`compiling ${what} with ${compiler.name}`);
    const failure = await compileWith(compiler, calls);
    if (failure === undefined) return;
    failures.push(`${compiler.name}: ${failure}`);
  }
  const named = context.env['CXX'] ?? '';
  const none = named === '' ? 'there is no C++ compiler' : `CXX names "${named}", which does not run`;
  const reason = failures.length === 0 ? none : 'no installed C++ compiler can compile it';
  context.say(`${reason}: downloading ${zig.name} ${zig.version} (${zig.megabytes} MB) from PyPI`);
  const failure = await withZig(context, (compiler) => {
    context.say(`compiling ${what} with ${compiler.name} (a minute)`);
    return compileWith(compiler, calls);
  });
  if (failure === undefined) return;
  failures.push(`zig: ${failure}`);
  throw new SetupError(
    `Set-up could not compile ${what}.`,
    'Install a C++17 compiler (Debian, Ubuntu: apt install g++), or name one in CXX.',
    { output: failures.join('\n') },
  );
}

/**
 * @param {Compiler} compiler
 * @param {readonly (readonly string[])[]} calls
 * @returns {Promise<string | undefined>} the error; undefined on success
 */
async function compileWith({ command: [program, ...first], env, isZig }, calls) {
  for (const call of calls) {
    const args = isZig === true ? call.map(asZigSpellsIt) : call;
    const result = await runProgram(program, [...first, ...args], env === undefined ? {} : { env });
    if (result.code !== 0) return lastLines(result);
  }
  return undefined;
}

/**
 * Translates an argument for zig: GCC and Clang name a processor x86-64-v3, zig names it x86_64_v3.
 *
 * @param {string} arg
 */
function asZigSpellsIt(arg) {
  return arg.startsWith('-march=') ? `-march=${arg.slice('-march='.length).replaceAll('-', '_')}` : arg;
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Compiler[]>}
 */
async function installedCompilers(env) {
  /** @type {Compiler[]} */
  const found = [];
  const named = env['CXX'] ?? '';
  for (const name of named === '' ? ['g++', 'clang++', 'c++'] : [named]) {
    const [program = name, ...args] = name.split(' ');
    if ((await runProgram(program, [...args, '--version'])).code === 0)
      found.push({ name, command: [program, ...args] });
  }
  return found;
}

/**
 * @template T
 * @param {StepContext} context
 * @param {(compiler: Compiler) => Promise<T>} use
 * @returns {Promise<T>}
 */
async function withZig(context, use) {
  const { python, paths, remove } = await downloadWheels([zig], join(context.paths.cacheDir, 'scratch'));
  const folder = mkdtempSync(join(context.paths.cacheDir, 'scratch', 'zig-'));
  try {
    for (const path of paths) await extractFromArchive(python, path, folder, ['ziglang/']);
    const program = join(folder, 'ziglang', 'zig');
    // Python's zipfile drops file modes.
    chmodSync(program, 0o755);
    const cache = join(folder, 'cache');
    const zigEnv = { ...context.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
    return await use({ name: `zig ${zig.version}`, command: [program, 'c++'], env: zigEnv, isZig: true });
  } finally {
    remove();
    rmSync(folder, { recursive: true, force: true });
  }
}
