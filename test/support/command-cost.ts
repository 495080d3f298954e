import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const LAUNCHER = new URL('../../services/cli/graft.js', import.meta.url).pathname;
const REPORT_CPU = `data:text/javascript,${encodeURIComponent(
  `process.on('exit', () => {
     const { user, system } = process.cpuUsage();
     process.stderr.write('\\ncpu-ms ' + (user + system) / 1000 + '\\n');
   });`,
)}`;

/** Returns the files that `graft ARGS` loads, modules of packages as their path below `node_modules`. */
export async function filesLoadedBy(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'graft-loaded-'));
  try {
    await run(process.execPath, [LAUNCHER, ...args], { env: { ...process.env, ...env, NODE_V8_COVERAGE: folder } });
    return readdirSync(folder)
      .flatMap((name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as Coverage).result)
      .filter(({ url }) => url.startsWith('file:'))
      .map(({ url }) =>
        url.replace(/.*\/node_modules\/\.graft-compiled\/[^/]+\//, '').replace(/.*\/node_modules\//, ''),
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

/**
 * Returns the processor time of `graft ARGS` as a multiple of that of an empty Node. The least of several runs is taken of each, since
 * a busy machine adds to both.
 */
export async function costInNodes(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const [graft, node]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round += 1) {
    node.push(await cpuMsOf(['-e', '1'], env));
    graft.push(await cpuMsOf([LAUNCHER, ...args], env));
  }
  return Math.min(...graft) / Math.min(...node);
}

async function cpuMsOf(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const { stderr } = await run(process.execPath, ['--import', REPORT_CPU, ...args], {
    env: { ...process.env, ...env },
  });
  return Number(/^cpu-ms (\S+)$/m.exec(stderr)?.[1]);
}
