import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../services/cli/cli.ts';
import type { GraftClient } from '../../../services/cli/client/client-port.ts';
import type { StoredEvent } from '../../../services/core/records/event.ts';
import { collectReport } from '../../../services/cli/report/collect-report.ts';
import { Curves } from '../../../services/cli/report/curves.ts';
import { sampleEvents, sampleReport, sampleRun, sampleSweep } from './sample-sweep.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-report-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Calls that the collection of a report made, by method. */
const calls: string[] = [];

function answersOf(change: Partial<ReturnType<typeof sampleSweep>> = {}): Partial<GraftClient> {
  const data = sampleReport();
  const sweep = sampleSweep(change);
  return {
    address: 'here',
    resolveHandle: () => Promise.resolve({ outcome: 'FOUND', id: 's1', problem: '', candidates: [] }),
    listSweeps: () => Promise.resolve([sweep]),
    getSweep: () => Promise.resolve(sweep),
    getLeaderboard: () => Promise.resolve(data.leaderboard),
    listEpochMetrics: () => Promise.resolve(data.metrics),
    listTrainers: () => Promise.resolve([]),
    listCheckpoints: () => Promise.resolve([]),
    planSweep: () => Promise.resolve(data.plan!),
    explainSweep: () => Promise.resolve(null),
    getParetoFront: () => Promise.resolve(null),
    getDataset: () => Promise.resolve(data.dataset!),
    listTestPredictions: (runId) => Promise.resolve(data.predictions.get(runId) ?? []),
    async *watchSweep(): AsyncGenerator<StoredEvent> {
      yield* await Promise.resolve(sampleEvents([]));
    },
    close: () => undefined,
  };
}

function clientOf(change: Partial<ReturnType<typeof sampleSweep>>): GraftClient {
  return new Proxy(answersOf(change), {
    get: (target, name) => {
      calls.push(String(name));
      return target[name as keyof GraftClient];
    },
  }) as GraftClient;
}

async function report(
  out: readonly string[],
  change: Parameters<typeof clientOf>[0] = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  let [stdout, stderr] = ['', ''];
  const code = await runCli(['report', 's1', ...out], {
    env: {},
    cwd: folder,
    paths: { cacheDir: join(folder, 'cache'), stateDir: join(folder, 'state') },
    stdout: { write: (part) => (stdout += part) },
    stderr: { write: (part) => (stderr += part) },
    signal: new AbortController().signal,
    signals: { onSecond: null },
    openClient: () => clientOf(change),
  });
  return { code, stdout, stderr };
}

describe('graft report -o', () => {
  it.each([
    ['a file', 'sweep.html', 'sweep.html'],
    ['a file in a folder that does not exist', 'new/deep/sweep.html', 'new/deep/sweep.html'],
    ['a folder', 'reports', 'reports/graft-report-s1.html'],
    ['a folder with a slash', 'reports/', 'reports/graft-report-s1.html'],
    ['a folder that does not exist', 'others/', 'others/graft-report-s1.html'],
    ['a folder with a dot that does not exist', 'v1.2/', 'v1.2/graft-report-s1.html'],
    ['a name without an extension', 'more', 'more/graft-report-s1.html'],
  ])('writes to %s', async (_, out, written) => {
    mkdirSync(join(folder, 'reports'), { recursive: true });
    const { code, stdout, stderr } = await report(['-o', out]);
    expect(stderr).toBe(`View it in a browser: file://${join(folder, written)}\n`);
    expect([code, stdout]).toEqual([0, `${join(folder, written)}\n`]);
    expect(readFileSync(join(folder, written), 'utf8')).toContain('</html>');
  });

  it('replaces an older report when the new one is complete, also through a link', async () => {
    const inner = join(folder, 'replaced');
    mkdirSync(inner);
    const pathOf = (name: string): string => join(inner, name);
    writeFileSync(pathOf('latest.html'), 'older');
    // Shows whether the older file was overwritten: its content is still there under this name.
    linkSync(pathOf('latest.html'), pathOf('kept.html'));
    symlinkSync(pathOf('latest.html'), pathOf('link.html'));
    expect((await report(['-o', pathOf('link.html')])).code).toBe(0);
    expect(readFileSync(pathOf('latest.html'), 'utf8')).toContain('</html>');
    expect(readFileSync(pathOf('kept.html'), 'utf8')).toBe('older');
    expect(lstatSync(pathOf('link.html')).isSymbolicLink()).toBe(true);
    expect(readdirSync(inner).sort()).toEqual(['kept.html', 'latest.html', 'link.html']);
  });

  it.runIf(existsSync('/dev/full'))('refuses a full disk', async () => {
    const { code, stdout, stderr } = await report(['-o', '/dev/full']);
    expect([code === 0, stdout]).toEqual([false, '']);
    expect(stderr).toContain("/dev/full can't be written: ");
  });

  it('is the current folder by default', async () => {
    expect((await report([])).stdout).toBe(`${join(folder, 'graft-report-s1.html')}\n`);
  });

  it('is standard output for -', async () => {
    const { code, stdout, stderr } = await report(['-o', '-']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^<!doctype html>[\s\S]*<\/html>\s*$/i);
  });

  it.each([
    ['another format', 'sweep.pdf', 'sweep.pdf ends in .pdf, but the report is HTML.'],
    ['a file as a folder', 'plain.html/', 'plain.html is a file, not a folder.'],
    ['a folder below a file', 'plain.html/sweep.html', 'plain.html leads through a file as if it were a folder.'],
  ])('refuses %s with a remedy', async (_, out, expected) => {
    writeFileSync(join(folder, 'plain.html'), '');
    const { code, stdout, stderr } = await report(['-o', out]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(expected);
    expect(stderr).not.toMatch(/ENO|EEX|    at /);
  });

  it('says that a sweep is still running', async () => {
    const { code, stderr } = await report(['-o', 'running.html'], {
      state: 'ACTIVE',
      endTime: null,
      finishedRunCount: 2,
    });
    expect(code).toBe(0);
    expect(stderr).toContain('The sweep is still running: 2 of 5 runs have ended, and the report says so.');
  });

  it('makes a number of calls that does not depend on the number of runs', async () => {
    calls.length = 0;
    await report(['-o', 'calls.html']);
    const counted = calls.filter((name) => name !== 'then' && name !== 'close');
    expect(counted.filter((name) => name === 'listTestPredictions')).toHaveLength(2);
    expect(counted.length).toBeLessThanOrEqual(13);
    expect(counted).not.toContain('getRun');
  });

  it('reads the curves of a large sweep in one list, and keeps what is drawn, once', async () => {
    const entries = Array.from({ length: 1_000 }, (_, index) => {
      // Run 1 trained the heads of all later runs.
      const run = sampleRun(index, { runId: `r${index}`, headRunId: index > 1 ? 'r1' : null });
      return { rank: index + 1, run, testResult: null };
    });
    const asked: unknown[] = [];
    const client: Partial<GraftClient> = {
      getSweep: () => Promise.resolve(sampleSweep()),
      getLeaderboard: () => Promise.resolve({ entries, testLookCount: 0, winnerStatement: null, winner: null }),
      listEpochMetrics: (of) => {
        asked.push(of);
        const metric = { epoch: 1, name: 'val_loss', value: 0.5, runId: 'r1' };
        return Promise.resolve([
          { ...metric, stage: 'HEAD' },
          { ...metric, stage: 'HEAD', name: 'learning_rate' },
          { ...metric, stage: 'FINE_TUNE' },
        ]);
      },
    };
    const { signal } = new AbortController();
    const { metrics, runs } = await collectReport({ ...answersOf(), ...client } as GraftClient, 's1', signal);
    expect(asked).toEqual([{ sweepId: 's1' }]);
    expect(metrics.map(({ runId, stage, name }) => [runId, stage, name])).toEqual([
      ['r1', 'HEAD', 'val_loss'],
      ['r1', 'FINE_TUNE', 'val_loss'],
    ]);
    // Runs 1 to 999; only run 1 is fine-tuned.
    const curves = new Curves(metrics, runs).curvesOf('val_loss');
    expect(curves.size).toBe(999);
    expect([...curves.values()].flat()).toHaveLength(1_000);
  });
});
