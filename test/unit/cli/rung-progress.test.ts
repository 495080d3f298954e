import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { GraftClient } from '../../../services/cli/client/client-port.ts';
import { followSweep } from '../../../services/cli/progress/follow-sweep.ts';
import { renderProgress } from '../../../services/cli/progress/render-progress.ts';
import { RungReader } from '../../../services/cli/progress/rung-reader.ts';
import { applyEvent, startProgress, withPlaces } from '../../../services/cli/progress/sweep-progress.ts';
import type { SweepProgress } from '../../../services/cli/progress/sweep-progress.ts';
import type { SweepEvent } from '../../../services/core/records/event.ts';
import type { RungEntryRecord } from '../../../services/core/records/explanation.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import { sampleEvents, sampleRun, sampleSweep } from './sample-sweep.ts';

const runs = [0, 1, 2, 3, 4].map((index) => sampleRun(index));
const screen = { columns: 120, rows: 40, colour: false, hint: null };
const NOW = new Date(Date.UTC(2026, 0, 2, 3, 5, 6));

function after(bodies: readonly SweepEvent[]): SweepProgress {
  return sampleEvents(bodies).reduce(applyEvent, startProgress(sampleSweep({ state: 'ACTIVE' }), runs));
}

describe('a sweep whose runs are compared', () => {
  const entry = (runIndex: number, rung: number, place: number): RungEntryRecord => ({
    rung,
    runId: `s1-r00${runIndex}`,
    runIndex,
    arrival: runIndex + 1,
    value: 0.5,
    standardError: null,
    epoch: 3,
    place,
    competes: true,
    hasEvidence: false,
    decision: 'PAUSE',
    reason: '',
  });
  const paused: SweepEvent = { kind: 'RUN_STATE', runId: 's1-r001', state: 'PAUSED', stage: 'HEAD', reason: 'waits' };
  const entries = [entry(0, 0, 2), entry(1, 0, 3), entry(2, 0, 1), entry(2, 1, 1)];

  it('has the place of each run at its highest rung, and counts the runs that wait', () => {
    const lines = renderProgress(withPlaces(after([paused]), entries), screen, NOW);
    const text = lines.map(stripVTControlCharacters).join('\n');
    expect(text).toContain('0 of 5 ended, 1 paused at a rung');
    expect(lines.find((line) => line.includes('rung: place'))).toBeDefined();
    expect(lines.filter((line) => /\b\d: \d of \d\b/.test(line)).map((line) => /\d: \d of \d/.exec(line)?.[0])).toEqual(
      ['0: 2 of 3', '0: 3 of 3', '1: 1 of 1'],
    );
  });

  it('is as before while no run has reached a rung', () => {
    expect(renderProgress(withPlaces(after([]), []), screen, NOW).join('\n')).not.toContain('rung');
  });

  it('reads places again after a change of a run, and not for each of many', async () => {
    let reads = 0;
    let reader: RungReader | null = null;
    const seen: number[] = [];
    const client = {
      listRungEntries: () => Promise.resolve((reads++, entries)),
      getForecast: () => Promise.resolve({ stages: [], wallSeconds: null, aloneSeconds: null }),
    } as unknown as GraftClient;
    const sweep = sampleSweep();
    const compared = { ...sweep, spec: { ...sweep.spec, stopping: STOPPING_DEFAULTS } };
    await new Promise<void>((resolve) => {
      reader = new RungReader(client, compared, (read) => {
        seen.push(read.length);
        resolve();
      });
      for (let event = 0; event < 50; event++) reader.request();
    });
    (reader as RungReader | null)?.close();
    expect([reads, seen]).toEqual([1, [4]]);
    const unread = new RungReader(client, sweep, () => seen.push(0));
    unread.request();
    unread.close();
    expect(reads).toBe(1);
  });

  it('has its places read for a table only, and keeps them when runs are listed again', async () => {
    const [read, wasRead] = signal();
    const [listed, wasListed] = signal();
    let [reads, lists] = [0, 0];
    const sweep = sampleSweep({ state: 'ACTIVE' });
    const compared = { ...sweep, spec: { ...sweep.spec, stopping: STOPPING_DEFAULTS } };
    const planned: SweepEvent = {
      kind: 'TASK',
      taskId: 's1-t00',
      stage: 'INDEX',
      state: 'SUCCEEDED',
      trainerId: '',
      message: '',
    };
    const client = {
      address: 'x',
      getSweep: () => Promise.resolve(reads === 0 ? compared : { ...compared, state: 'SUCCEEDED' }),
      // The places come while the runs are listed again.
      listRuns: async () => {
        if (lists++ > 0) {
          wasListed();
          await read;
        }
        return runs;
      },
      getForecast: () => Promise.resolve({ stages: [], wallSeconds: null, aloneSeconds: null }),
      listRungEntries: async () => {
        reads++;
        await listed;
        return entries;
      },
      async *watchSweep() {
        yield* await Promise.resolve(sampleEvents([planned]));
      },
    } as unknown as GraftClient;
    const follow = async (showsPlaces: boolean): Promise<number[]> => {
      const sizes: number[] = [];
      const shown = (progress: SweepProgress): unknown => sizes.push(progress.places.size);
      const display = {
        showsPlaces,
        show: shown,
        refresh: (progress: SweepProgress) => {
          shown(progress);
          wasRead();
        },
        note: () => undefined,
        close: () => undefined,
      };
      await followSweep(client, 's1', display, new AbortController().signal);
      return sizes;
    };
    expect((await follow(true)).at(-1)).toBe(3);
    expect(reads).toBe(1);
    expect((await follow(false)).at(-1)).toBe(0);
    expect(reads).toBe(1);
  });
});

/** Returns a promise and what resolves it. */
function signal(): readonly [Promise<void>, () => void] {
  let resolve = (): void => undefined;
  return [new Promise((resolved) => (resolve = resolved)), () => resolve()];
}
