import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { hasControls } from '../../../services/core/text/control-characters.ts';
import type { SweepEvent, TaskEventState } from '../../../services/core/records/event.ts';
import { LineDisplay, createDisplay } from '../../../services/cli/progress/displays.ts';
import { describeEvent } from '../../../services/cli/progress/describe-event.ts';
import { remainingSeconds } from '../../../services/cli/progress/remaining-time.ts';
import { renderProgress } from '../../../services/cli/progress/render-progress.ts';
import {
  applyEvent,
  addRuns,
  isAboutUnknownRun,
  startProgress,
  withForecast,
} from '../../../services/cli/progress/sweep-progress.ts';
import type { SweepProgress } from '../../../services/cli/progress/sweep-progress.ts';
import { movesCursor, usesColour } from '../../../services/cli/terminal/colour.ts';
import { sampleEvents, sampleRun, sampleSweep, sampleTestResult } from './sample-sweep.ts';

const runs = [0, 1, 2, 3, 4].map((index) => sampleRun(index));
const screen = { columns: 120, rows: 40, colour: false, hint: 'Ctrl-C ends this.' };

/** A minute after the start of the sample sweep. */
const NOW = new Date(Date.UTC(2026, 0, 2, 3, 5, 6));

const STAGE = {
  taskCount: 1,
  runCount: 5,
  measuredSeconds: 0,
  lostSeconds: 0,
  forecastMemoryBytes: null,
  measuredMemoryBytes: null,
  ended: false,
};

function epoch(runIndex: number, number: number, valLoss: number, stage: 'HEAD' | 'FINE_TUNE' = 'HEAD'): SweepEvent {
  const metrics = { loss: valLoss / 2, accuracy: 0.9, val_loss: valLoss, val_accuracy: 1 - valLoss };
  return {
    kind: 'EPOCH',
    runId: `s1-r00${runIndex}`,
    stage,
    epoch: number,
    names: Object.keys(metrics),
    values: Object.values(metrics),
  };
}

function running(runIndex: number, state: 'RUNNING' | 'SUCCEEDED' | 'FAILED' = 'RUNNING', reason = ''): SweepEvent {
  return { kind: 'RUN_STATE', runId: `s1-r00${runIndex}`, state, stage: 'HEAD', reason };
}

function after(bodies: readonly SweepEvent[]): SweepProgress {
  return sampleEvents(bodies).reduce(applyEvent, startProgress(sampleSweep({ state: 'ACTIVE' }), runs));
}

it('says a reason once, however many runs end for it', () => {
  const bodies = [
    running(1, 'FAILED', 'no weights'),
    running(3, 'FAILED', 'no weights'),
    running(4, 'FAILED', 'no luck'),
  ];
  const lines = sampleEvents(bodies).map((event, index) => describeEvent(after(bodies.slice(0, index + 1)), event));
  expect(lines.map((line) => line?.replace(/ \(.*\)/, ''))).toEqual([
    'run 1 FAILED: no weights',
    'run 3 FAILED, for the same reason as run 1',
    'run 4 FAILED: no luck',
  ]);
});

it('shows the objective of a sweep in each line of an epoch', () => {
  const sweep = sampleSweep();
  const objective = { metric: 'val_macro_f1', goal: 'maximize' } as const;
  const results = { names: ['loss', 'val_macro_f1'], values: [0.3, 0.8] };
  const body = { kind: 'EPOCH', runId: 's1-r001', stage: 'HEAD', epoch: 2, ...results } as const;
  const [event] = sampleEvents([body]);
  const start = startProgress({ ...sweep, spec: { ...sweep.spec, objective } }, runs);
  expect(describeEvent(applyEvent(start, event!), event!)).toMatch(/ loss 0\.3000 val_macro_f1 0\.8000 best$/);
});

describe('the fold over events', () => {
  it('starts without results, whatever the runs have by now', () => {
    const progress = startProgress(sampleSweep({ state: 'ACTIVE' }), runs);
    expect([...progress.runs.values()].map(({ state, bestValue }) => [state, bestValue])).toEqual(
      runs.map(() => ['QUEUED', null]),
    );
    expect(progress.bestRunId).toBeNull();
  });

  it('keeps the best value of each run and of the sweep, and no worse one', () => {
    const progress = after([epoch(0, 1, 0.5), epoch(1, 1, 0.4), epoch(1, 2, 0.6), epoch(0, 2, 0.45)]);
    expect(progress.bestRunId).toBe('s1-r001');
    expect(progress.runs.get('s1-r001')).toMatchObject({
      bestValue: 0.4,
      bestStage: 'HEAD',
      bestEpoch: 1,
      metrics: { val_loss: 0.6 },
      epoch: 2,
    });
    expect(progress.runs.get('s1-r000')).toMatchObject({ bestValue: 0.45 });
    expect(progress.cursor).toBe(4n);
  });

  it('never takes a NaN loss for the best', () => {
    expect(after([epoch(0, 1, Number.NaN), epoch(1, 1, 9)]).bestRunId).toBe('s1-r001');
  });

  it('restarts the epoch count in a new stage', () => {
    const fineTuning: SweepEvent = {
      kind: 'RUN_STATE',
      runId: 's1-r003',
      state: 'RUNNING',
      stage: 'FINE_TUNE',
      reason: '',
    };
    expect(after([running(3), epoch(3, 6, 0.3), fineTuning]).runs.get('s1-r003')).toMatchObject({
      stage: 'FINE_TUNE',
      epoch: 0,
      bestValue: 0.3,
    });
  });

  it('keeps the leased tasks', () => {
    const task = (state: TaskEventState): SweepEvent => ({
      kind: 'TASK',
      taskId: 't1',
      stage: 'HEAD',
      state,
      trainerId: 'a',
      message: '',
    });
    expect(after([task('LEASED')]).activeTasks.size).toBe(1);
    for (const state of ['SUCCEEDED', 'RELEASED', 'FAILED', 'EXPIRED', 'CANCELLED'] as const) {
      expect(after([task('LEASED'), task(state)]).activeTasks.size).toBe(0);
    }
  });

  it('has the best run of the leaderboard: not a failed one, and among equals the one with the better other metric', () => {
    const both = (index: number, valLoss: number, valAccuracy: number): SweepEvent => ({
      kind: 'EPOCH',
      runId: `s1-r00${index}`,
      stage: 'HEAD',
      epoch: 1,
      names: ['val_loss', 'val_accuracy'],
      values: [valLoss, valAccuracy],
    });
    const measured = [both(0, 0.1, 0.9), both(1, 0.2, 0.8), both(2, 0.2, 0.85), both(3, 0.3, 0.99)];
    expect(after(measured).bestRunId).toBe('s1-r000');
    const failed = after([...measured, running(0, 'FAILED', 'out of luck')]);
    expect(failed.bestRunId).toBe('s1-r002');
    expect(renderProgress(failed, screen, NOW)).toContain(
      'best val_loss 0.2000 at HEAD epoch 1 (run 2, tied with run 1; broken by val_accuracy)',
    );
  });

  it("counts a shared head's epochs for the runs that start from it", () => {
    const sharing = runs.map((run) => (run.runIndex === 0 ? { ...run, headRunId: 's1-r001' } : run));
    const progress = sampleEvents([epoch(1, 1, 0.2)]).reduce(applyEvent, startProgress(sampleSweep(), sharing));
    // As in the record: both have the value, and the earlier run is first.
    expect(progress.bestRunId).toBe('s1-r000');
    expect(progress.runs.get('s1-r000')).toMatchObject({ bestValue: 0.2, epoch: 0 });
  });

  it('reports events of unknown runs', () => {
    const progress = startProgress(sampleSweep(), []);
    const [event] = sampleEvents([epoch(0, 1, 0.5)]);
    expect(isAboutUnknownRun(progress, event!)).toBe(true);
    expect(applyEvent(progress, event!).bestRunId).toBeNull();
    expect(isAboutUnknownRun(addRuns(progress, runs), event!)).toBe(false);
  });
});

describe('the live picture', () => {
  const busy = after([
    { kind: 'TASK', taskId: 't1', stage: 'HEAD', state: 'LEASED', trainerId: 'a', message: '' },
    running(0),
    running(1),
    epoch(0, 2, 0.25),
    epoch(1, 2, 0.125),
    epoch(1, 3, 0.5),
    running(2, 'FAILED', 'out of luck\nand of memory'),
  ]);

  it('shows the last value beside the best one with its epoch, and failures with their reason', () => {
    expect(renderProgress(busy, screen, NOW).slice(2)).toEqual([
      'best val_loss 0.1250 at HEAD epoch 2 (run 1)',
      '   run  state      stage      epoch  val_loss    best  at epoch      val_accuracy  units  learning_rate  fine_tune',
      '     0  RUNNING    HEAD         2/6    0.2500  0.2500  HEAD 2              0.7500  16     0.001          false',
      '★    1  RUNNING    HEAD         3/6    0.5000  0.1250  HEAD 2              0.5000  32     0.001          false',
      '     2  FAILED     HEAD         0/6         –       –                           –  64     0.001          false',
      '     3  QUEUED                              –       –                           –  128    0.001          true',
      '     4  QUEUED                              –       –                           –  256    1e-5           false',
      '1 FAILED: out of luck … (run 2)',
      'Ctrl-C ends this.',
    ]);
    expect(renderProgress(busy, screen, NOW)[1]).toMatch(/^1 of 5 ended, 1 FAILED · .* · working on HEAD$/);
  });

  it('colours states by their meaning, and nothing else that matters', () => {
    const lines = renderProgress(busy, { ...screen, colour: true }, NOW);
    expect(lines.find((line) => line.includes('FAILED  '))).toContain('\u001b[31mFAILED');
    expect(lines.find((line) => line.includes('RUNNING'))).toContain('\u001b[36mRUNNING');
    expect(lines.map((line) => stripVTControlCharacters(line))).toEqual(renderProgress(busy, screen, NOW));
  });

  it('keeps the best and the running runs if not all fit, and counts the others by state', () => {
    const lines = renderProgress(busy, { ...screen, rows: 11 }, NOW);
    expect(lines.join('\n')).toMatch(/★ +1 /);
    expect(lines.join('\n')).toMatch(/\n +0 +RUNNING/);
    expect(lines).toContain('… and 2 other runs: 1 FAILED, 1 QUEUED');
    expect(lines).toHaveLength(10);
  });

  it('ends with the ten best runs by rank, with their test results', () => {
    const many = Array.from({ length: 30 }, (_, index) => sampleRun(index, { runId: `s1-r00${index}` }));
    const ended = sampleEvents([
      ...many.map(({ runIndex }) => epoch(runIndex, 1, 1 / (runIndex + 1))),
      { kind: 'TEST_RESULT', result: sampleTestResult(29, 'WINNER') },
      { kind: 'RUN_STATE', runId: 's1-r0028', state: 'FAILED', stage: 'HEAD', reason: 'out of luck' },
      { kind: 'SWEEP_STATE', state: 'SUCCEEDED', reason: '' },
    ]).reduce(applyEvent, startProgress(sampleSweep({ state: 'ACTIVE' }), many));
    const lines = renderProgress(ended, screen, NOW);
    expect(lines[0]).toMatch(/ SUCCEEDED after /);
    expect(lines[2]).toMatch(/^ {3}1 +29 +QUEUED +0\.0333 +HEAD 1 +0\.9500 \(0\.9104 – 0\.9726\) /);
    const ranked = lines.slice(2, -1).map((line) => Number(line.trim().split(/ +/)[1]));
    expect(ranked).toEqual([29, 27, 26, 25, 24, 23, 22, 21, 20, 19]);
    expect(lines.at(-1)).toBe('… and 20 other runs: 19 QUEUED, 1 FAILED');
  });
});

describe('any picture', () => {
  const TEXT = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('a\nb\u001b[2J\rc', '猫と犬'.repeat(20), '👩‍👩‍👧'.repeat(9), ''),
  );
  const EVENT = fc.oneof(
    fc
      .record({ run: fc.nat(59), number: fc.integer({ min: 1, max: 6 }), value: fc.double() })
      .map(({ run, number, value }): SweepEvent => epoch(run, number, value)),
    fc
      .record({
        run: fc.nat(59),
        state: fc.constantFrom('RUNNING' as const, 'FAILED' as const, 'SUCCEEDED' as const),
        reason: TEXT,
      })
      .map(({ run, state, reason }): SweepEvent => running(run, state, reason)),
    fc
      .record({ state: fc.constantFrom('ACTIVE' as const, 'PAUSED' as const, 'SUCCEEDED' as const), reason: TEXT })
      .map(({ state, reason }): SweepEvent => ({ kind: 'SWEEP_STATE', state, reason })),
  );

  it.each([60, 80, 120, 200, 7])(
    'of %i columns is neither wider nor higher than the screen, and has no other control characters',
    (columns) => {
      fc.assert(
        fc.property(
          fc.array(EVENT, { maxLength: 30 }),
          TEXT,
          fc.integer({ min: 2, max: 60 }),
          fc.integer({ min: 0, max: 60 }),
          (events, text, rows, count) => {
            const some = Array.from({ length: count }, (_, index) =>
              sampleRun(index, {
                runId: `s1-r00${index}`,
                parameters: { weights: text, 'head.units': index },
                variedNames: ['weights', 'head.units'],
              }),
            );
            const sweep = sampleSweep({ state: 'ACTIVE' });
            const named = { ...sweep, displayName: text };
            const progress = sampleEvents(events).reduce(applyEvent, startProgress(named, some));
            const lines = renderProgress(progress, { columns, rows, colour: true, hint: 'Ctrl-C ends this.' }, NOW);
            expect(lines.length).toBeLessThan(rows);
            for (const line of lines) {
              expect(stringWidth(line)).toBeLessThan(columns);
              // The only escapes are colours.
              expect(hasControls(line.replaceAll(/\u001b\[\d+m/g, ''))).toBe(false);
            }
          },
        ),
        { numRuns: 60 },
      );
    },
  );
});

describe('the time that is left', () => {
  const forecast = {
    stages: [
      { ...STAGE, stage: 'HEAD' as const, forecastSeconds: 100 },
      { ...STAGE, stage: 'FEATURES' as const, forecastSeconds: 100 },
    ],
    wallSeconds: 200,
    aloneSeconds: 400,
  };
  const begun: SweepEvent = {
    kind: 'TASK',
    taskId: 't',
    stage: 'FEATURES',
    state: 'LEASED',
    trainerId: 'a',
    message: '',
  };
  const extracted: SweepEvent = { ...begun, state: 'SUCCEEDED' };
  const at = (events: readonly SweepEvent[], seconds: number): number | null => {
    const start = startProgress(sampleSweep({ state: 'ACTIVE', startTime: new Date(0), endTime: null }), runs);
    const progress = withForecast(sampleEvents(events).reduce(applyEvent, start), forecast);
    return remainingSeconds(progress, new Date(seconds * 1_000));
  };

  it('is that of the forecast at first, then that of the measured pace', () => {
    expect(at([begun], 5)).toBe(195);
    // Half of the work took 50 s instead of 100 s.
    expect(at([begun, extracted], 50)).toBeCloseTo(50);
    const half = runs.map(({ runIndex }) => epoch(runIndex, 3, 0.5));
    expect(at([begun, extracted, ...half], 300)).toBeCloseTo(100);
  });

  it('counts runs that ended early as complete', () => {
    const ended = runs.slice(0, 4).map(({ runIndex }) => running(runIndex, 'SUCCEEDED'));
    expect(at([begun, extracted, ...ended], 90)).toBeCloseTo(10);
  });

  it('is unknown before the first lease, without a forecast, and while the sweep is paused', () => {
    const waiting = startProgress(sampleSweep({ state: 'ACTIVE', startTime: null }), runs);
    expect(remainingSeconds(withForecast(waiting, forecast), NOW)).toBeNull();
    expect(remainingSeconds(after([begun]), NOW)).toBeNull();
    expect(at([begun, { kind: 'SWEEP_STATE', state: 'PAUSED', reason: '' }], 5)).toBeNull();
  });
});

describe('a display', () => {
  const environments: readonly (readonly [string, Readonly<Record<string, string>>, boolean, boolean])[] = [
    ['a terminal', {}, true, true],
    ['NO_COLOR', { NO_COLOR: '1' }, true, false],
    ['an empty NO_COLOR', { NO_COLOR: '' }, true, true],
    ['FORCE_COLOR=0', { FORCE_COLOR: '0' }, true, false],
    ['TERM=dumb', { TERM: 'dumb' }, false, false],
    ['TERM=dumb with FORCE_COLOR', { TERM: 'dumb', FORCE_COLOR: '1' }, false, true],
    ['NO_COLOR with FORCE_COLOR', { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
  ];

  it.each(environments)('on %s', (_, env, isLive, isColoured) => {
    expect(movesCursor({ isTTY: true, write: () => true }, env)).toBe(isLive);
    expect(usesColour({ isTTY: true, write: () => true }, env)).toBe(isColoured);
    expect(usesColour({ write: () => true }, { ...env, FORCE_COLOR: '1' })).toBe(false);
  });

  it('draws over its last picture, also after the terminal became narrower', () => {
    let written = '';
    const stream = { isTTY: true, columns: 200, rows: 50, write: (text: string) => (written += text) };
    const display = createDisplay(stream, {}, '');
    const progress = after([]);
    display.show(progress, null);
    display.note('the connection is lost');
    const first = written.split('\u001b[K\n').length - 2;
    stream.columns = 20;
    written = '';
    display.close();
    const up = Number(/\u001b\[(\d+)A/.exec(written)?.[1]);
    expect(up).toBeGreaterThan(2 * first);
    expect(up).toBeLessThan(stream.rows);
    expect(written.endsWith('\u001b[K\n\u001b[0J\u001b[?2026l')).toBe(true);
  });
});

describe('plain lines', () => {
  it('describe one event each', () => {
    let written = '';
    const display = new LineDisplay({ write: (text) => (written += text) });
    let progress = startProgress(sampleSweep({ state: 'ACTIVE' }), runs);
    display.show(progress, null);
    for (const event of sampleEvents([
      running(3),
      epoch(3, 1, 0.5),
      { kind: 'TEST_RESULT', result: sampleTestResult(3, 'WINNER') },
      { kind: 'SWEEP_STATE', state: 'SUCCEEDED', reason: '' },
    ])) {
      progress = applyEvent(progress, event);
      display.show(progress, event);
    }
    expect(written.replaceAll(/^\d\d:\d\d:\d\d /gm, '').split('\n')).toEqual([
      'sweep s1 “heads & "tails" <b>” with 5 runs: ACTIVE',
      'run 3 (head.units=128 optimizer.learning_rate=0.001 fine_tune.enabled=true) RUNNING',
      'run 3 (head.units=128 optimizer.learning_rate=0.001 fine_tune.enabled=true) HEAD epoch 1/6 loss 0.2500 accuracy 0.9000 val_loss 0.5000 val_accuracy 0.5000 best',
      'test 3 (head.units=128 optimizer.learning_rate=0.001 fine_tune.enabled=true) accuracy 0.9500 (95 %: 0.9104 – 0.9726) on 200 images',
      'sweep SUCCEEDED',
      '',
    ]);
  });

  it('give the reason of a failure', () => {
    const progress = startProgress(sampleSweep(), runs);
    const [event] = sampleEvents([running(2, 'FAILED', 'out of memory')]);
    expect(describeEvent(progress, event!)).toMatch(/FAILED: out of memory$/);
  });
});
