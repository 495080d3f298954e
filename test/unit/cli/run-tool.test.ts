import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runTool } from '../../../services/cli/tool/run-tool.ts';
import { writeFiles } from '../../support/picture.ts';

const folder = mkdtempSync(join(tmpdir(), 'graft-tool-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Returns the command lines of this process's children that run the tool. */
function runningTools(): readonly string[] {
  const listed = execFileSync('ps', ['-o', 'args=', '--ppid', String(process.pid)], { encoding: 'utf8' });
  return listed.split('\n').filter((command) => command.includes('trainer/tool/main'));
}

it('ends the process when its events cannot be used, and passes the error on', async () => {
  const data = join(folder, 'data');
  const places = ['train', 'validation', 'test'].flatMap((split) => [`${split}/cat`, `${split}/dog`]);
  const names = Array.from({ length: 50 }, (_, index) => `${index}.png`);
  await writeFiles(
    data,
    Object.fromEntries(places.flatMap((place) => names.map((name) => [`${place}/${name}`, null]))),
  );
  const source = { path: data, splitFractions: null, allowDuplicates: true, skipBadFiles: false, strict: false };
  const request = { type: 'check-dataset', source, cacheDir: join(folder, 'cache') };
  let running: readonly string[] = [];
  const failing = (): void => {
    running = runningTools();
    throw new Error('the disk is full');
  };
  const { signal } = new AbortController();
  await expect(runTool(request, process.env, signal, failing)).rejects.toThrow('the disk is full');
  expect(running).toHaveLength(1);
  expect(runningTools()).toEqual([]);
}, 60_000);
