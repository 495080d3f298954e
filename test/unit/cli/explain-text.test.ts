import { describe, expect, it } from 'vitest';
import { describeRungs } from '../../../services/cli/describe/explain-run-text.ts';
import { describeSearch } from '../../../services/cli/describe/explain-sweep-text.ts';
import { explainRun } from '../../../services/cli/describe/run-text.ts';
import { sampleRuns } from '../../../services/core/samplers/sample-runs.ts';
import type { RungEntryRecord, RungVisitRecord } from '../../../services/core/records/explanation.ts';
import { sampleRun, sampleSweep } from './sample-sweep.ts';

function entry(place: number, more: Partial<RungEntryRecord> = {}): RungEntryRecord {
  return {
    rung: 0,
    runId: `s1-r0${place}`,
    runIndex: place,
    arrival: place,
    value: 1 - place / 100,
    standardError: null,
    epoch: 4,
    place,
    competes: true,
    hasEvidence: false,
    decision: 'PAUSE',
    reason: '',
    ...more,
  };
}

const places = (first: number, last: number): RungEntryRecord[] =>
  Array.from({ length: last - first + 1 }, (_, index) => entry(first + index));

function visit(own: number, more: Partial<RungVisitRecord> = {}): RungVisitRecord {
  return {
    rung: { rung: 0, stage: 'FINE_TUNE', epoch: 4, entryCount: 20 },
    entry: entry(own),
    seen: places(1, 20),
    seenCount: 20,
    cut: 7,
    failedCount: 0,
    rivalCount: 20,
    decisions: [],
    comparison: null,
    ...more,
  };
}

function lines(...visits: RungVisitRecord[]): readonly string[] {
  return describeRungs({ visits, otherDecisions: [], outlook: [], notes: [], origin: '' }, 'val_loss', false);
}

describe('the rungs of a run', () => {
  it('are tables as they were seen: the best, the cut and the run, with what is left out', () => {
    expect(lines(visit(14))).toEqual([
      'Rung 0 (fine-tuning, epoch 4): val_loss 0.8600, place 14 of 20.',
      '  place  run  val_loss',
      '      1    1    0.9900  paused',
      '      2    2    0.9800  paused',
      '      3    3    0.9700  paused',
      '           …            1 more',
      '      5    5    0.9500  paused',
      '      6    6    0.9400  paused',
      '      7    7    0.9300  paused',
      '  ── cut: the best 7 of 20 train on',
      '      8    8    0.9200  paused',
      '      9    9    0.9100  paused',
      '           …            2 more',
      '     12   12    0.8800  paused',
      '     13   13    0.8700  paused',
      '     14   14    0.8600  this run',
      '     15   15    0.8500  paused',
      '     16   16    0.8400  paused',
      '           …            4 more',
    ]);
  });

  it('name failed runs, and the place now if more runs have come', () => {
    const seen = places(1, 3);
    const [title] = lines(
      visit(2, { entry: entry(2, { place: 5 }), seen, seenCount: 3, failedCount: 1, rivalCount: 12, cut: 2 }),
    );
    expect(title).toBe(
      'Rung 0 (fine-tuning, epoch 4): val_loss 0.9800, place 2 of 4 (1 failed run at the end) when it was decided, 5 of 12 now.',
    );
  });

  it('end with the line of the cut where all trained on', () => {
    const all = lines(visit(1, { seen: places(1, 2), seenCount: 2, rivalCount: 2, cut: 2 }));
    expect(all.at(-1)).toBe('  ── cut: the best 2 of 2 train on');
  });

  it('have no table for a run that was alone', () => {
    expect(lines(visit(1, { seen: places(1, 1), seenCount: 1, rivalCount: 1, cut: null }))).toHaveLength(1);
  });
});

it('is explained with its origin, and with the extension that added it', () => {
  const { spec } = sampleSweep();
  const variants = [{ 'head.units': 64 }, { 'head.units': 128 }];
  const sweep = sampleSweep({ spec: { ...spec, strategy: 'list', variants } });
  const { parameters } = sampleRuns(sweep.spec).runs[1]!;
  const origin = (createTime: Date): string | undefined =>
    explainRun({ ...sampleRun(1), parameters, createTime }, [], sweep, null, null)
      .split('\n')
      .find((line) => line.startsWith('It is '));
  expect(origin(sweep.createTime)).toBe('It is variant 2 of the sweep file.');
  expect(origin(new Date(sweep.createTime.getTime() + 60_000))).toMatch(
    /^It is variant 2 of the sweep file, added by an extension at \d{4}-\d{2}-\d{2} /,
  );
});

describe('the search of a sweep', () => {
  const explanation = { rule: '', policy: '', rungs: [], decisionCounts: [], notes: [], replay: null, screen: [] };
  const search = { explanation, entries: [], decisions: [], runs: [], isPlanned: false, hasEnded: false };

  it('is planned later, or was planned by a version without rungs', () => {
    expect(describeSearch(search, 'val_loss', false)).toBe('The sweep is not planned yet, so it has no rungs.');
    expect(describeSearch({ ...search, isPlanned: true }, 'val_loss', false)).toBe(
      'It was planned by a version without rungs: each run trained to its end, unless it failed or stopped itself.',
    );
  });

  it('lists runs that end at a rung behind those that compete, without places', () => {
    const head = { rung: 0, stage: 'HEAD', epoch: null, entryCount: 4 } as const;
    const entries = [
      entry(1, { runIndex: 5, competes: false, decision: 'CONTINUE' }),
      entry(1, { decision: 'PROMOTE' }),
      entry(2, { runIndex: 6, competes: false, decision: 'CONTINUE' }),
      entry(2),
    ];
    const facts = { ...search, entries, explanation: { ...explanation, rule: 'promotion@1', rungs: [head] } };
    const shown = (hasEnded: boolean): string[] =>
      describeSearch({ ...facts, hasEnded }, 'val_loss', false).split('\n');
    expect(shown(true).slice(2, 8)).toEqual([
      'Rung 0 (end of the head): 4 runs',
      'place  run  val_loss  epoch  decision',
      '    1    1    0.9900      4  promoted',
      '    2    2    0.9800      4  not promoted',
      '         5    0.9900      4  at its end',
      '         6    0.9800      4  at its end',
    ]);
    expect(shown(false)[5]).toBe('    2    2    0.9800      4  paused');
  });
});
