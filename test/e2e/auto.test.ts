import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePage } from '../support/report-page.ts';
import { temporaryFolder } from '../support/run-script.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LAUNCHER } from './support/local-cluster.ts';

/** Runs `graft auto` with a state folder of its own. @param interruptAt output after which it is interrupted once */
async function auto(folder: string, args: readonly string[], interruptAt?: RegExp) {
  const child = spawn(process.execPath, [LAUNCHER, 'auto', 'data', ...args], {
    cwd: folder,
    env: { ...process.env, GRAFT_STATE_DIR: join(folder, 'state'), GRAFT_COORDINATOR: '', DATABASE_URL: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let stdout = '';
  let isInterrupted = false;
  const heard = (text: string): void => {
    output += text;
    if (interruptAt === undefined || isInterrupted || !interruptAt.test(output)) return;
    isInterrupted = true;
    child.kill('SIGINT');
  };
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    heard(chunk.toString());
  });
  child.stderr.on('data', (chunk: Buffer) => heard(chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output, stdout };
}

describe('graft auto', { timeout: 240_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = temporaryFolder('graft-auto-');
    await writeTinyDataset(join(folder, 'data'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('prints a sweep file, and starts nothing', async () => {
    const { code, stdout, output } = await auto(folder, ['--minutes', '0.5', '--print']);
    expect(code, output).toBe(0);
    expect(stdout).toMatch(/^display_name: "?auto: data"?\n/);
    expect(stdout).toContain('strategy: ');
    expect(existsSync(join(folder, 'state/postgres'))).toBe(false);
  });

  it('loses nothing when it is interrupted, and ends with a tested winner, a report and a model', async () => {
    const args = ['--minutes', '0.5', '--trainers', '1', '--out', 'result'];
    const first = await auto(folder, args, /with \d+ runs/);
    expect(first.code, first.output).toBe(130);
    expect(first.output).toContain('nothing is lost');
    const sweepId = /Sweep (s\w+) with/.exec(first.output)?.[1];
    const second = await auto(folder, args);
    expect(second.code, second.output).toBe(0);
    expect(second.output).toContain(`Sweep ${sweepId} with`);
    expect(second.output).toMatch(/Winner: run \d+ of \d+/);
    expect(second.output).toMatch(/Test accuracy: .*95 % interval/);
    const files = ['sweep.yaml', 'report.html', 'model.keras'].map((name) => join(folder, 'result', name));
    for (const file of files) expect(existsSync(file), file).toBe(true);
    expect(parsePage(readFileSync(files[1]!, 'utf8')).querySelector('h1')?.textContent).toBe('auto: data');
  });
});
