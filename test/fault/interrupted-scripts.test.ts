import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../e2e/support/local-cluster.ts';
import { childrenOf } from './process-tree.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 60_000;
/** Node's arguments to run a TypeScript file. */
const SOURCES = ['--import', 'tsx'];

/** Returns all living descendants of a process. */
function below(pid: number): readonly number[] {
  return childrenOf(pid, '').flatMap((child) => [child, ...below(child)]);
}

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe.skipIf(process.platform !== 'linux')('a script that is interrupted', { timeout: 2 * TIMEOUT_MS }, () => {
  let folder: string;
  let script: ChildProcess | null = null;
  let output = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'graft-interrupted-'));
  });
  afterEach(() => {
    script?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts a script whose temporary files go to a folder of the test. */
  function start(args: readonly string[]): number {
    output = '';
    script = spawn(process.execPath, [...SOURCES, ...args], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [script.stdout, script.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
    return script.pid ?? -1;
  }

  /** Signals only the script, as `kill` does; all processes that it started must end with it. */
  async function interrupt(pid: number, signal: NodeJS.Signals): Promise<number | null> {
    const started = below(pid);
    expect(started.length).toBeGreaterThan(0);
    const exited = once(script as ChildProcess, 'exit');
    process.kill(pid, signal);
    const [code] = (await exited) as [number | null];
    expect(started.filter(isAlive)).toEqual([]);
    return code;
  }

  it('ends children that ignore signals, their children and its folders', async () => {
    const path = join(folder, 'script.mjs');
    const stubborn = `process.on('SIGINT', () => {}).on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('ready');`;
    const parent =
      `import { spawn } from 'node:child_process';` +
      `spawn(process.execPath, ['-e', ${JSON.stringify(stubborn)}], { detached: true, stdio: 'inherit' });` +
      `setInterval(() => {}, 1000);`;
    writeFileSync(join(folder, 'parent.mjs'), parent);
    writeFileSync(
      path,
      `import { spawn } from 'node:child_process';
       import { writeFileSync } from 'node:fs';
       import { runScript, temporaryFolder } from ${JSON.stringify(pathToFileURL(join(ROOT, 'test/support/run-script.ts')).href)};
       await runScript(async () => {
         writeFileSync(temporaryFolder('kept-') + '/file', 'x');
         spawn(process.execPath, [${JSON.stringify(join(folder, 'parent.mjs'))}], { stdio: 'inherit' });
         spawn(process.execPath, ['-e', ${JSON.stringify(stubborn)}], { stdio: 'inherit' });
         await new Promise(() => setInterval(() => {}, 1000));
       });`,
    );
    const pid = start([path]);
    const isReady = (): boolean => output.split('ready').length === 3;
    await eventually('three processes', TIMEOUT_MS, () => Promise.resolve(isReady() || undefined));
    expect(below(pid).length).toBeGreaterThanOrEqual(3);
    const kept = (): readonly string[] => readdirSync(folder).filter((name) => name.startsWith('kept-'));
    expect(kept()).toHaveLength(1);
    expect(await interrupt(pid, 'SIGTERM')).toBe(143);
    expect(kept()).toEqual([]);
  });

  it('ends with the exit code that it returns', async () => {
    const path = join(folder, 'script.mjs');
    const module = JSON.stringify(pathToFileURL(join(ROOT, 'test/support/run-script.ts')).href);
    writeFileSync(path, `import { runScript } from ${module}; await runScript(async () => 3);`);
    start([path]);
    expect(await once(script as ChildProcess, 'exit')).toEqual([3, null]);
  });

  it('leaves neither database nor coordinator when it is a benchmark', async () => {
    const pid = start(['test/bench/coordinator/main.ts']);
    await eventually('the coordinator', TIMEOUT_MS, () => {
      if (script?.exitCode !== null) throw new Error(output);
      return Promise.resolve(
        below(pid).length > 3 && childrenOf(pid, 'services/coordinator/').length > 0 ? true : undefined,
      );
    });
    expect(readdirSync(folder).filter((name) => name.startsWith('graft-bench-'))).toHaveLength(1);
    expect(await interrupt(pid, 'SIGINT')).toBe(130);
    expect(readdirSync(folder).filter((name) => name.startsWith('graft-'))).toEqual([]);
  });

  it('is every script of package.json that starts processes', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const sources = Object.values(scripts).flatMap((line) => /--import tsx (\S+)/.exec(line)?.[1] ?? []);
    expect(sources.length).toBeGreaterThanOrEqual(10);
    expect(sources.filter((path) => !/await runScript\(/.test(readFileSync(join(ROOT, path), 'utf8')))).toEqual([]);
  });
});
