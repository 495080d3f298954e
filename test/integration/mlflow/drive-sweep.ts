import { tmpdir } from 'node:os';
import { runCli } from '../../../services/cli/cli.ts';
import { createGraftClient } from '../../../services/cli/client/grpc-client.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf } from '../coordinator/harness.ts';
import type { Harness } from '../coordinator/harness.ts';
import type { SimulatedTrainer } from '../coordinator/simulated-trainer.ts';
import { sortPoints } from './mlflow-record.ts';
import type { Point } from './mlflow-record.ts';

/** Four runs that are fine-tuned, from two heads. */
export function mirroredSpec(changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({
    displayName: 'mirrored',
    base: {
      ...specOf().base,
      epochs: 5,
      'fine_tune.enabled': true,
      'fine_tune.epochs': 3,
      'fine_tune.unfreeze': 'block2',
    },
    parameters: [
      {
        name: 'optimizer.learning_rate',
        domain: { kind: 'values', values: [0.00001, 0.001] },
        conditions: [],
      },
      { name: 'fine_tune.learning_rate', domain: { kind: 'values', values: [0.00001, 0.0001] }, conditions: [] },
    ],
    ...changes,
  });
}

/** Resolves when everything has been sent or is a dead letter. */
export async function untilMirrored(harness: Harness): Promise<void> {
  for (;;) {
    const [row] = await harness.query<{ left: number }>(
      'SELECT count(*)::int AS left FROM outbox WHERE dead_time IS NULL',
    );
    if (row?.left === 0) return;
    await harness.coordinator.loops.passes();
  }
}

/** Every row of `epoch_metrics` of a run as MLflow is to have it, superseded rows and those of a head it shares included. */
export async function pointsOfRecord(harness: Harness, runId: string): Promise<Point[]> {
  const rows = await harness.query<Point>(
    `SELECT lower(stage) || '/' || name AS key, epoch AS step, value,
            floor(extract(epoch FROM create_time) * 1000)::float8 AS "timeMs"
       FROM epoch_metrics m
      WHERE run_id = $1
         OR (stage = 'HEAD' AND superseded_by IS NULL AND run_id = (SELECT head_run_id FROM runs WHERE run_id = $1))`,
    [runId],
  );
  return sortPoints(rows);
}

/** Parameters of a run as text, from the view that people read. */
export async function paramsOfRecord(harness: Harness, runId: string): Promise<Record<string, string>> {
  const rows = await harness.query<{ name: string; value: string }>(
    'SELECT name, value FROM run_parameter_values WHERE run_id = $1',
    [runId],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** The metric that `trainWithLoss` reports as infinite and NaN at first. */
export const DIVERGED_METRIC = 'loss';

/**
 * A sweep to its end, with what makes metrics awkward: a task that is handed back after two epochs without a checkpoint, so
 * that they are trained and counted again, and a loss that is infinite and NaN in them.
 */
export async function trainWithLoss(trainer: SimulatedTrainer): Promise<void> {
  let task = await trainer.mustLease('INDEX');
  while (task.stage !== 'HEAD') {
    await trainer.work(task);
    const next = await trainer.lease(0, 5_000);
    if (next === null) throw new Error('there is no HEAD task');
    task = next;
  }
  const batches = [1, 2].map((epoch) => {
    const batch = trainer.batch(task, epoch, epoch);
    const odd = [Number.POSITIVE_INFINITY, Number.NaN][epoch - 1] ?? 0;
    const epochs = batch.epochs.map((report) => ({
      ...report,
      values: report.values.map((value, index) => (report.names[index] === DIVERGED_METRIC ? odd : value)),
    }));
    return { ...batch, epochs };
  });
  const answers = await trainer.report(batches);
  const refusal = answers.find(({ errorReason }) => errorReason !== '');
  if (refusal !== undefined) throw new Error(`refused: ${refusal.errorReason}`);
  await trainer.release(task, 1);
  await trainer.workAll();
}

/** Output of the command line, as it talks to the coordinator. @throws Error where it does not end with 0. */
export async function graft(harness: Harness, ...args: readonly string[]): Promise<string> {
  let out = '';
  let errors = '';
  const code = await runCli(['--coordinator', harness.coordinator.address, ...args], {
    env: {},
    cwd: tmpdir(),
    paths: { cacheDir: tmpdir(), stateDir: tmpdir() },
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    signal: new AbortController().signal,
    signals: { onSecond: null },
    openClient: createGraftClient,
  });
  if (code !== 0) throw new Error(`graft ${args.join(' ')} ended with ${code}: ${errors}`);
  return out;
}
