import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { LocalCluster, eventually } from '../../e2e/support/local-cluster.ts';

/** A sweep file as an object; JSON is valid YAML. */
export type SweepFile = Readonly<Record<string, unknown>>;

export interface SweepMeasurement {
  readonly sweepId: string;
  /** Seconds from the sweep's row to the first row of epoch metrics. */
  readonly firstEpochSeconds: number;
  /** Seconds from the sweep's row to the end of the last training attempt. */
  readonly trainedSeconds: number;
  /** Seconds from the sweep's row to its end, including the evaluation on the test split. */
  readonly wholeSeconds: number;
  /** Seconds of each stage, from the first lease to the last end. */
  readonly stageSeconds: Readonly<Record<string, number>>;
  readonly runs: readonly RunMeasurement[];
}

export interface RunMeasurement {
  readonly runIndex: number;
  readonly bestValAccuracy: number;
  /** Test accuracy; null if the test policy did not select the run. */
  readonly testAccuracy: number | null;
  readonly peakMemoryBytes: number;
}

const TRAINER_TIMEOUT_MS = 60_000;
const SWEEP_TIMEOUT_MS = 60 * 60_000;
const MEMORY_PERIOD_MS = 250;

/** A local cluster (`graft up`) with one trainer on all cores, and sweeps submitted to it as by a user. */
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
   * @param folder folder for sweep files.
   * @param env environment of all processes of the cluster, in addition to this one's.
   */
  static async start(folder: string, env: Readonly<Record<string, string>> = {}): Promise<GraftSide> {
    const side = new GraftSide(await LocalCluster.start({ env }), folder);
    // `graft up` is ready, and `graft demo` submits, once the trainer is registered; Keras' start isn't counted either.
    await eventually('the trainer', TRAINER_TIMEOUT_MS, async () => {
      const ready = await side.#query("SELECT 1 FROM trainers WHERE state = 'READY'");
      return ready.length > 0 ? true : undefined;
    });
    return side;
  }

  /** @throws {Error} when the sweep, or one of its runs, does not succeed. */
  async run(file: SweepFile): Promise<SweepMeasurement> {
    const path = join(this.#folder, `sweep-${++this.#sweepCount}.yaml`);
    // What is measured is trained each time.
    writeFileSync(path, JSON.stringify({ ...file, reuse: false }));
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
   * Returns the maximum total resident memory in bytes of the trainer's processes while `work` runs. It sums the
   * kernel's records of the processes, sampled often because a worker resets its record with each task.
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
    // The process ended between the listing and the read.
    return 0;
  }
}
