import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { SweepEvent, TaskEventState } from '../../../services/core/records/event.ts';
import { LineDisplay, createDisplay } from '../../../services/cli/progress/displays.ts';
import { describeEvent, renderProgress } from '../../../services/cli/progress/render-progress.ts';
import {
  applyEvent,
  addRuns,
  isAboutUnknownRun,
  startProgress,
} from '../../../services/cli/progress/sweep-progress.ts';
import type { SweepProgress } from '../../../services/cli/progress/sweep-progress.ts';
import { sampleEvents, sampleRun, sampleSweep, sampleTestResult } from './sample-sweep.ts';

const runs = [0, 1, 2, 3, 4].map((index) => sampleRun(index));
const screen = { columns: 120, rows: 40, colour: false };

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
    expect(progress.runs.get('s1-r001')).toMatchObject({ bestValue: 0.4, valLoss: 0.6, epoch: 2 });
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
    expect(renderProgress(failed, { columns: 200, rows: 40, colour: false }).at(-1)).toBe(
      '1 of 5 runs ended, 1 FAILED · best val_loss 0.2000 (run 2, tied with run 1; broken by val_accuracy)',
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
    running(2, 'FAILED', 'out of luck'),
  ]);

  it('shows runs with varied parameters, state, epoch and values, and marks the best', () => {
    expect(renderProgress(busy, screen)).toEqual([
      'Sweep s1 “heads & "tails" <b>”: ACTIVE',
      '   run  state    stage  epoch  val_loss  val_acc  units  learning_rate  fine_tune',
      '     0  RUNNING  HEAD     2/6    0.2500   0.7500  16     0.001          false',
      '★    1  RUNNING  HEAD     2/6    0.1250   0.8750  32     0.001          false',
      '     2  FAILED   HEAD     0/6         –        –  64     0.001          false',
      '     3  QUEUED                        –        –  128    0.001          true',
      '     4  QUEUED                        –        –  256    1e-5           false',
      '1 of 5 runs ended, 1 FAILED · best val_loss 0.1250 (run 1) · working on HEAD',
    ]);
  });

  it.each([
    [40, 40],
    [25, 10],
    [80, 3],
  ])('is never wider or higher than a screen of %i × %i', (columns, rows) => {
    const many = startProgress(
      sampleSweep(),
      Array.from({ length: 60 }, (_, index) => sampleRun(index, { runId: `s1-r${index}` })),
    );
    const lines = renderProgress(many, { columns, rows, colour: true });
    expect(Math.max(...lines.map((line) => stripVTControlCharacters(line).length))).toBeLessThanOrEqual(columns);
    expect(lines.length).toBeLessThanOrEqual(Math.max(rows, 6));
  });

  it('keeps the best and the running runs if not all fit, and counts the others', () => {
    const lines = renderProgress(busy, { columns: 100, rows: 7, colour: false });
    expect(lines.join('\n')).toMatch(/★ +1 /);
    expect(lines.join('\n')).toMatch(/\n +0 +RUNNING/);
    expect(lines).toContain('… and 3 more runs');
  });

  it('overwrites itself on a terminal', () => {
    let written = '';
    const stream = { isTTY: true, columns: 100, rows: 30, write: (text: string) => (written += text) };
    const display = createDisplay({ stream, colour: false });
    display.show(busy, null);
    display.close();
    const lines = written.split('\n').length - 1;
    display.show(busy, null);
    display.close();
    expect(written).toContain(`\u001b[${lines}A\u001b[0J`);
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
