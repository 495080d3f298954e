import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_REPORTED_IMAGES, MAX_REPORTED_LOSSES } from '../../../../services/core/task.ts';
import type { RungReport } from '../../../../services/core/task.ts';
import { rungReportToProto } from '../../../../services/platform/rpc/convert/rung-report.ts';
import type { EpochReport, MetricAnswer, MetricBatch } from '../../../../services/trainer/lease/coordinator-port.ts';
import { MetricJournal, removeOldJournals } from '../../../../services/trainer/lease/metric-journal.ts';
import { MetricOutbox, OutboxClosedError } from '../../../../services/trainer/lease/metric-outbox.ts';
import { ReportMetricsRequest } from '../../../../proto/gen/graft/v1/trainer_service.ts';

const LEASE = { taskId: 's1/t1', leaseEpoch: 2 };
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'graft-outbox-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fail(error: unknown): never {
  throw new Error('the journal failed', { cause: error });
}

function newOutbox(): MetricOutbox {
  return new MetricOutbox(LEASE, new MetricJournal(directory, LEASE, fail));
}

function epochOf(epoch: number, loss = 0.5): EpochReport {
  return { runId: 'r1', stage: 'HEAD', epoch, values: { loss } };
}

function rungOf(epoch: number, imageCount: number): RungReport {
  const correct = new Uint8Array(Math.ceil(imageCount / 8)).fill(epoch);
  const losses = imageCount > MAX_REPORTED_LOSSES ? null : new Float32Array(imageCount).fill(epoch);
  return { runId: 'r1', stage: 'HEAD', epoch, isEnd: false, epochCount: epoch, correct, losses };
}

function answer(sequence: number, refusal: MetricAnswer['refusal'] = null, expectedSequence = 0): MetricAnswer {
  return { ...LEASE, sequence, refusal, expectedSequence, stoppedRunIds: [] };
}

describe('MetricOutbox', () => {
  it('numbers batches from 1 and returns each once', () => {
    const outbox = newOutbox();
    outbox.add(epochOf(1));
    outbox.add(epochOf(2));
    expect(outbox.takeNext()).toBeNull();
    outbox.seal();
    outbox.add(epochOf(3));
    outbox.seal();
    expect(outbox.takeNext()).toEqual({ ...LEASE, sequence: 1, epochs: [epochOf(1), epochOf(2)], rungs: [] });
    expect(outbox.takeNext()?.sequence).toBe(2);
    expect(outbox.takeNext()).toBeNull();
  });

  it('sends results by image after their epochs, in messages of less than 1 MB', () => {
    const outbox = newOutbox();
    const reports = Array.from({ length: 40 }, (_, index) => rungOf(index + 1, 20_000));
    for (const report of reports) {
      outbox.add(epochOf(report.epoch));
      outbox.addRung(report);
    }
    outbox.seal();
    const batches: MetricBatch[] = [];
    for (let batch = outbox.takeNext(); batch !== null; batch = outbox.takeNext()) batches.push(batch);
    expect(batches.length).toBeGreaterThan(1);
    expect(batches.flatMap(({ rungs }) => rungs)).toEqual(reports);
    const before = new Set<number>();
    for (const { sequence, epochs, rungs } of batches) {
      for (const { epoch } of epochs) before.add(epoch);
      expect(rungs.every(({ epoch }) => before.has(epoch))).toBe(true);
      const message = ReportMetricsRequest.fromPartial({
        sequence: BigInt(sequence),
        rungs: rungs.map(rungReportToProto),
        epochs: epochs.map(({ runId, epoch, values }) => ({ runId, epoch, values: Object.values(values) })),
      });
      expect(ReportMetricsRequest.encode(message).finish().length).toBeLessThan(1_000_000);
    }
    // The largest single report.
    outbox.addRung(rungOf(41, MAX_REPORTED_IMAGES));
    outbox.seal();
    expect(outbox.takeNext()?.rungs).toHaveLength(1);
  });

  it('returns unacknowledged batches again after a rewind, unchanged', () => {
    const outbox = newOutbox();
    for (const epoch of [1, 2, 3]) {
      outbox.add(epochOf(epoch));
      outbox.seal();
      outbox.takeNext();
    }
    outbox.receive(answer(1));
    outbox.add(epochOf(4));
    outbox.rewind();
    expect(outbox.takeNext()).toEqual({ ...LEASE, sequence: 2, epochs: [epochOf(2)], rungs: [] });
    outbox.receive(answer(9, 'SEQUENCE_GAP', 3));
    expect(outbox.takeNext()?.sequence).toBe(3);
  });

  it('waits for exactly the epochs that were added before', async () => {
    const outbox = newOutbox();
    outbox.add(epochOf(1));
    const first = outbox.acknowledged();
    outbox.add(epochOf(2));
    const second = outbox.acknowledged();
    let isSecondDone = false;
    void second.then(() => (isSecondDone = true));
    outbox.receive(answer(1));
    await first;
    expect(isSecondDone).toBe(false);
    outbox.receive(answer(2));
    await second;
    await outbox.acknowledged();
  });

  it.each([
    ['LEASE_LOST', answer(1, 'LEASE_LOST')],
    ['METRIC_CONFLICT', answer(1, 'METRIC_CONFLICT')],
    ['SEQUENCE_LOST', answer(2, 'SEQUENCE_GAP', 1)],
  ] as const)('rejects pending waits when it is closed: %s', async (reason, refusal) => {
    const outbox = newOutbox();
    outbox.add(epochOf(1));
    outbox.seal();
    outbox.receive(reason === 'SEQUENCE_LOST' ? answer(1) : answer(0));
    outbox.add(epochOf(2));
    const waiting = outbox.acknowledged();
    const told = expect(waiting).rejects.toMatchObject({ name: 'OutboxClosedError', reason });
    outbox.receive(refusal);
    await told;
    await expect(outbox.acknowledged()).rejects.toBeInstanceOf(OutboxClosedError);
    outbox.add(epochOf(3));
    expect(outbox.takeNext()).toBeNull();
  });

  it('delivers every epoch once and in order after any sequence of faults', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant('add' as const) },
      { weight: 3, arbitrary: fc.constant('seal' as const) },
      { weight: 4, arbitrary: fc.constant('send' as const) },
      { weight: 1, arbitrary: fc.constant('answer-lost' as const) },
      { weight: 1, arbitrary: fc.constant('break' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const outbox = newOutbox();
        const stored: number[] = [];
        const storedRungs: number[] = [];
        let last = 0;
        let epoch = 0;
        const send = (isAnswered: boolean): boolean => {
          const batch = outbox.takeNext();
          if (batch === null) return false;
          if (batch.sequence > last + 1) outbox.receive(answer(batch.sequence, 'SEQUENCE_GAP', last + 1));
          else {
            if (batch.sequence === last + 1) {
              stored.push(...batch.epochs.map((report) => report.epoch));
              storedRungs.push(...batch.rungs.map((report) => report.epoch));
            }
            last = Math.max(last, batch.sequence);
            if (isAnswered) outbox.receive(answer(batch.sequence));
          }
          return true;
        };
        for (const name of steps) {
          if (name === 'add') {
            outbox.add(epochOf((epoch += 1)));
            outbox.addRung(rungOf(epoch, 9));
          }
          if (name === 'seal') outbox.seal();
          if (name === 'send') send(true);
          if (name === 'answer-lost') send(false);
          if (name === 'break') outbox.rewind();
        }
        outbox.seal();
        outbox.rewind();
        while (send(true));
        expect(stored).toEqual(Array.from({ length: epoch }, (_, index) => index + 1));
        expect(storedRungs).toEqual(stored);
        expect(outbox.hasUnacknowledged).toBe(false);
      }),
    );
  });
});

describe('MetricJournal', () => {
  it('keeps batches as lines, including NaN, and is removed when the attempt ends', () => {
    const journal = new MetricJournal(directory, LEASE, fail);
    journal.append({ ...LEASE, sequence: 1, epochs: [epochOf(1, Number.NaN)], rungs: [] });
    journal.append({ ...LEASE, sequence: 2, epochs: [epochOf(2)], rungs: [rungOf(2, 9)] });
    const [name] = readdirSync(directory);
    expect(name).toBe('s1%2Ft1.2.jsonl');
    const lines = readFileSync(join(directory, name ?? ''), 'utf8')
      .trim()
      .split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { sequence: number }).sequence)).toEqual([1, 2]);
    expect(lines[0]).toContain('"NaN"');
    const losses = Buffer.from(new Float32Array(9).fill(2).buffer).toString('base64');
    expect(lines[1]).toContain(`"correct":"AgI=","losses":"${losses}"`);
    journal.remove();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('reports once that it is not writable, and lets the attempt continue', () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    const failures: unknown[] = [];
    const journal = new MetricJournal(join(file, 'journals'), LEASE, (error) => failures.push(error));
    journal.append({ ...LEASE, sequence: 1, epochs: [], rungs: [] });
    journal.append({ ...LEASE, sequence: 2, epochs: [], rungs: [] });
    journal.remove();
    expect(failures).toHaveLength(1);
  });

  it('is removed at the start if it is older than a week', () => {
    for (const name of ['old.1.jsonl', 'new.1.jsonl']) writeFileSync(join(directory, name), '');
    utimesSync(join(directory, 'old.1.jsonl'), 0, 0);
    // Other files and folders are kept, however old.
    writeFileSync(join(directory, 'notes.jsonl'), '');
    mkdirSync(join(directory, 'folder.1.jsonl'));
    for (const name of ['notes.jsonl', 'folder.1.jsonl']) utimesSync(join(directory, name), 0, 0);
    removeOldJournals(directory, Date.now());
    expect(readdirSync(directory)).toEqual(['folder.1.jsonl', 'new.1.jsonl', 'notes.jsonl']);
  });
});
