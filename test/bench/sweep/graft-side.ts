import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { LocalCluster, eventually } from '../../e2e/support/local-cluster.ts';

/** A sweep file as an object; JSON is YAML. */
export type SweepFile = Readonly<Record<string, unknown>>;

export interface SweepMeasurement {
  readonly sweepId: string;
  /** From the sweep's row to the first row of epoch metrics. */
  readonly firstEpochSeconds: number;
  /** From the sweep's row to the end of the last training attempt. */
  readonly trainedSeconds: number;
  /** From the sweep's row to its end, the look at the test split included. */
  readonly wholeSeconds: number;
  /** What each kind of stage took, first lease to last end. */
  readonly stageSeconds: Readonly<Record<string, number>>;
  readonly runs: readonly RunMeasurement[];
}

export interface RunMeasurement {
  readonly runIndex: number;
  readonly bestValAccuracy: number;
  /** Where the test policy had it evaluated. */
  readonly testAccuracy: number | null;
  readonly peakMemoryBytes: number;
}

const TRAINER_TIMEOUT_MS = 60_000;
const SWEEP_TIMEOUT_MS = 60 * 60_000;
const MEMORY_PERIOD_MS = 250;

/** A local cluster (`graft up`) with one trainer on all cores, and sweeps on it as a user submits them. */
export class GraftSide implements AsyncDisposable {
  readonly #cluster: LocalCluster;
  readonly #pool: pg.Pool;
  readonly #folder: string;
  #sweepCount = 0;

  private constructor(cluster: LocalCluster, folder: string) {
    this.#cluster = cluster;
    this.#folder = folder;
    this.#pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 2 });
  }

  /**
   * @param folder for sweep files
   * @param env of all processes of the cluster, beside this one's
   */
  static async start(folder: string, env: Readonly<Record<string, string>> = {}): Promise<GraftSide> {
    const side = new GraftSide(await LocalCluster.start({ env }), folder);
    // `graft up` says that it is up, and `graft demo` submits, when the trainer is there; Keras' start isn't counted either.
    await eventually('the trainer', TRAINER_TIMEOUT_MS, async () => {
      const ready = await side.#query("SELECT 1 FROM trainers WHERE state = 'READY'");
      return ready.length > 0 ? true : undefined;
    });
    return side;
  }

  /** @throws Error when the sweep, or a run of it, does not succeed */
  async run(file: SweepFile): Promise<SweepMeasurement> {
    const path = join(this.#folder, `sweep-${++this.#sweepCount}.yaml`);
    writeFileSync(path, JSON.stringify(file));
    const { code, stdout, stderr } = await this.#cluster.cli(['sweep', 'submit', path]);
    if (code !== 0) throw new Error(`graft sweep submit: exit code ${code}\n${stdout}\n${stderr}`);
    const sweepId = await this.#newest();
    await eventually('the end of the sweep', SWEEP_TIMEOUT_MS, async () => {
      const [sweep] = await this.#query<{ state: string; state_reason: string }>(
        'SELECT state, state_reason FROM sweeps WHERE sweep_id = $1',
        [sweepId],
      );
      if (sweep === undefined || sweep.state === 'ACTIVE') return undefined;
      if (sweep.state !== 'SUCCEEDED') throw new Error(`The sweep ended as ${sweep.state}: ${sweep.state_reason}`);
      return true;
    });
    return this.#measure(sweepId);
  }

  /**
   * Highest resident memory, in bytes, of the trainer's processes together while `work` runs: the kernel's own record of each,
   * added up, read often because a worker begins a new record with each task.
   */
  async peakMemory(work: () => Promise<void>): Promise<number> {
    let peak = 0;
    const sample = (): void => {
      const bytes = this.#cluster.pids('services/trainer/').map(residentBytes);
      peak = Math.max(
        peak,
        bytes.reduce((sum, value) => sum + value, 0),
      );
    };
    const timer = setInterval(sample, MEMORY_PERIOD_MS);
    try {
      await work();
      sample();
      return peak;
    } finally {
      clearInterval(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
    await this.#cluster[Symbol.asyncDispose]();
  }

  async #newest(): Promise<string> {
    const [sweep] = await this.#query<{ sweep_id: string }>(
      'SELECT sweep_id FROM sweeps ORDER BY create_time DESC LIMIT 1',
    );
    if (sweep === undefined) throw new Error('The submitted sweep has no row.');
    return sweep.sweep_id;
  }

  async #measure(sweepId: string): Promise<SweepMeasurement> {
    const [times] = await this.#query<{ first_epoch: number; trained: number; whole: number }>(
      `SELECT extract(epoch FROM (SELECT min(m.create_time) FROM epoch_metrics m JOIN runs r USING (run_id)
                                   WHERE r.sweep_id = s.sweep_id) - s.create_time)::float8 AS first_epoch,
              extract(epoch FROM (SELECT max(a.end_time) FROM attempts a JOIN tasks t USING (task_id)
                                   WHERE t.sweep_id = s.sweep_id AND t.stage IN ('HEAD', 'FINE_TUNE')) - s.create_time)::float8
                AS trained,
              extract(epoch FROM s.end_time - s.create_time)::float8 AS whole
         FROM sweeps s WHERE s.sweep_id = $1`,
      [sweepId],
    );
    const stages = await this.#query<{ stage: string; seconds: number }>(
      `SELECT t.stage, extract(epoch FROM max(a.end_time) - min(a.create_time))::float8 AS seconds
         FROM attempts a JOIN tasks t USING (task_id) WHERE t.sweep_id = $1 GROUP BY t.stage ORDER BY min(a.create_time)`,
      [sweepId],
    );
    const runs = await this.#query<{ run_index: number; accuracy: number; test: number | null; peak: string }>(
      `SELECT r.run_index, r.best_val_accuracy AS accuracy, t.accuracy AS test, r.peak_memory_bytes AS peak
         FROM runs r LEFT JOIN test_results t USING (run_id) WHERE r.sweep_id = $1 ORDER BY r.run_index`,
      [sweepId],
    );
    if (times === undefined) throw new Error(`There is no sweep ${sweepId}.`);
    return {
      sweepId,
      firstEpochSeconds: times.first_epoch,
      trainedSeconds: times.trained,
      wholeSeconds: times.whole,
      stageSeconds: Object.fromEntries(stages.map(({ stage, seconds }) => [stage, seconds])),
      runs: runs.map(({ run_index, accuracy, test, peak }) => ({
        runIndex: run_index,
        bestValAccuracy: accuracy,
        testAccuracy: test,
        peakMemoryBytes: Number(peak),
      })),
    };
  }

  async #query<R extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return (await this.#pool.query<R>(text, [...values])).rows;
  }
}

function residentBytes(pid: number): number {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    // It ended between the listing and the look.
    return 0;
  }
}
