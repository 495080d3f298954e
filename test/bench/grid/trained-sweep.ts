import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Evidence } from '../../../services/core/statistics/evidence.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { LocalCluster } from '../../e2e/support/local-cluster.ts';

const POLL_MS = 2_000;
const PROGRESS_MS = 60_000;

/** A range that holds 80 % of the simulated sweeps of a plan, and their median. */
export interface Range {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** Slot-seconds that `graft sweep plan` expects. */
export interface PlannedSeconds {
  readonly withoutStopping: number;
  /** Null: the rule can't be forecast. */
  readonly search: Range | null;
}

/** The best run of a sweep. */
export interface BestRun {
  readonly runId: string;
  readonly runIndex: number;
  /** Varied parameters, as `name=value`. */
  readonly parameters: readonly string[];
  readonly value: number;
  /** Null: it has no test result. */
  readonly test: { readonly accuracy: number; readonly low: number; readonly high: number } | null;
  /** Outcomes of the validation images at its best epoch. */
  readonly evidence: Evidence;
}

/** A trained sweep, as the CLI shows it. */
export interface TrainedSweep {
  readonly sweepId: string;
  /** Slot-seconds of all attempts, with indexing, without the evaluation: the exhaustive sweep tests each run. */
  readonly slotSeconds: number;
  readonly evaluationSeconds: number;
  readonly featureSeconds: number;
  readonly wallSeconds: number;
  /** Fine-tuned runs that were trained to their end. */
  readonly fineTunedCount: number;
  readonly best: BestRun;
}

/** A cluster of `graft up`, with a connection to its database. */
export interface Bench {
  readonly cluster: LocalCluster;
  readonly pool: pg.Pool;
  /** Folder of the sweep files. */
  readonly folder: string;
  /** Prints a line of progress. */
  readonly say: (line: string) => void;
}

type SweepFile = Readonly<Record<string, unknown>>;

/** Plans a sweep file with `graft sweep plan`. */
export async function planSweep({ cluster, folder }: Bench, sweep: SweepFile): Promise<PlannedSeconds> {
  const { cost } = (await cluster.cliJson(['sweep', 'plan', write(folder, sweep)])) as {
    readonly cost: { readonly slot_seconds: number; readonly search: { readonly slot_seconds: Range } | null };
  };
  return { withoutStopping: cost.slot_seconds, search: cost.search?.slot_seconds ?? null };
}

/**
 * Submits a sweep file and waits for the end of its sweep.
 *
 * @throws {Error} when the sweep does not succeed.
 */
export async function trainSweep(bench: Bench, sweep: SweepFile): Promise<TrainedSweep> {
  const { cluster, folder } = bench;
  const submitted = (await cluster.cliJson(['sweep', 'submit', write(folder, sweep)])) as {
    readonly sweep: { readonly sweep_id: string };
  };
  const sweepId = submitted.sweep.sweep_id;
  await waitForEnd(bench, sweepId);
  const ended = (await cluster.cliJson(['sweep', 'get', sweepId])) as SweepJson;
  const { entries } = (await cluster.cliJson(['leaderboard', sweepId])) as { readonly entries: readonly EntryJson[] };
  const [first] = entries;
  if (first === undefined) throw new Error(`The leaderboard of ${sweepId} is empty.`);
  const secondsOf = (stage: string): number =>
    ended.forecast.stages.find((measured) => measured.stage === stage)?.measured_seconds ?? 0;
  const evaluationSeconds = secondsOf('EVALUATE');
  return {
    sweepId,
    slotSeconds: ended.spent_slot_seconds - evaluationSeconds,
    evaluationSeconds,
    featureSeconds: secondsOf('FEATURES'),
    wallSeconds: (Date.parse(ended.end_time) - Date.parse(ended.start_time)) / 1_000,
    fineTunedCount: entries.filter(({ run }) => run.stage === 'FINE_TUNE' && run.epoch_count === run.epoch_limit)
      .length,
    best: await bestOf(bench, first),
  };
}

interface SweepJson {
  readonly spent_slot_seconds: number;
  readonly start_time: string;
  readonly end_time: string;
  readonly forecast: { readonly stages: readonly { readonly stage: string; readonly measured_seconds: number }[] };
}

interface EntryJson {
  readonly run: {
    readonly run_id: string;
    readonly run_index: number;
    readonly parameters: Parameters;
    readonly varied_names: readonly string[];
    readonly stage: string;
    readonly epoch_count: number;
    readonly epoch_limit: number;
    readonly best_value: number;
    readonly best_stage: string;
    readonly best_epoch: number;
    readonly head_run_id: string | null;
  };
  readonly test_result: {
    readonly accuracy: number;
    readonly accuracy_low: number;
    readonly accuracy_high: number;
  } | null;
}

async function bestOf({ pool }: Bench, { run, test_result: test }: EntryJson): Promise<BestRun> {
  // The head of a fine-tuned run may be that of another one, which entered the rung at its end.
  const { rows } = await pool.query<{ correct: Buffer; images: number }>(
    `SELECT e.correct, octet_length(e.losses) / 4 AS images
       FROM rung_entries e JOIN rungs g USING (sweep_id, rung)
      WHERE e.run_id = ANY($1::text[]) AND g.stage = $2 AND e.epoch = $3 AND e.correct IS NOT NULL AND e.losses IS NOT NULL`,
    [run.best_stage === 'HEAD' ? [run.run_id, run.head_run_id] : [run.run_id], run.best_stage, run.best_epoch],
  );
  const [entry] = rows;
  if (entry === undefined) {
    throw new Error(`${run.run_id} has no outcomes of the validation images at its best epoch, ${run.best_epoch}.`);
  }
  return {
    runId: run.run_id,
    runIndex: run.run_index,
    parameters: run.varied_names.flatMap((name) =>
      Object.hasOwn(run.parameters, name) ? [`${name}=${run.parameters[name]}`] : [],
    ),
    value: run.best_value,
    test: test === null ? null : { accuracy: test.accuracy, low: test.accuracy_low, high: test.accuracy_high },
    evidence: { correct: entry.correct, count: entry.images, losses: null },
  };
}

async function waitForEnd({ pool, say }: Bench, sweepId: string): Promise<void> {
  let said = Date.now();
  for (;;) {
    const { rows } = await pool.query<{ state: string; reason: string; ended: number; total: number }>(
      `SELECT s.state, s.state_reason AS reason, count(*)::int AS total,
              (count(*) FILTER (WHERE t.state = 'SUCCEEDED'))::int AS ended
         FROM sweeps s JOIN tasks t USING (sweep_id) WHERE s.sweep_id = $1 GROUP BY s.sweep_id`,
      [sweepId],
    );
    const [sweep] = rows;
    if (sweep === undefined) throw new Error(`The database has no sweep ${sweepId}.`);
    if (sweep.state === 'SUCCEEDED') return;
    if (sweep.state !== 'ACTIVE') throw new Error(`The sweep ended as ${sweep.state}: ${sweep.reason}`);
    if (Date.now() - said > PROGRESS_MS) {
      said = Date.now();
      say(`${sweep.ended} of ${sweep.total} tasks have ended`);
    }
    await sleep(POLL_MS);
  }
}

/** Writes a sweep file. JSON is valid YAML. */
function write(folder: string, sweep: SweepFile): string {
  const file = join(folder, 'sweep.yaml');
  writeFileSync(file, JSON.stringify(sweep));
  return file;
}
