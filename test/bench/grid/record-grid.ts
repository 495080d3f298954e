import { cpus } from 'node:os';
import type pg from 'pg';
import { GRID_VERSION } from '../search/recorded-grid.ts';
import type { RecordedEpoch, RecordedGrid, RecordedRun, RecordedShared } from '../search/recorded-grid.ts';

/** Reads what a sweep has shown whose rungs are all of its epochs: outcomes of the validation images, and seconds. */
export async function readGrid(pool: pg.Pool, sweepId: string, fineTuneEpochs: number): Promise<RecordedGrid> {
  const tasks = await readTasks(pool, sweepId, fineTuneEpochs);
  const { runs, validationImages } = await readRuns(pool, sweepId, tasks.fineTunes, fineTuneEpochs);
  return {
    version: GRID_VERSION,
    createTime: new Date().toISOString(),
    machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
    dataset: 'cats-dogs-800',
    validationImages,
    runs,
    shared: tasks.shared,
    taskSeconds: meanOf([...tasks.fineTunes.values()].map(({ rest }) => rest)),
  };
}

interface FineTuneSeconds {
  readonly epoch: number;
  /** Seconds of the task beside its epochs. */
  readonly rest: number;
}

/** Seconds of tasks are those of their attempts, from lease to completion. */
async function readTasks(
  pool: pg.Pool,
  sweepId: string,
  fineTuneEpochs: number,
): Promise<{ shared: RecordedShared[]; fineTunes: ReadonlyMap<number, FineTuneSeconds> }> {
  const { rows } = await pool.query<TaskRow>(
    `SELECT t.task_id, t.stage, sum(extract(epoch FROM a.end_time - a.create_time))::float8 AS seconds,
            (SELECT array_agg(r.run_index ORDER BY r.run_index) FROM task_runs m
               JOIN runs r ON r.run_id = m.run_id OR t.stage = 'HEAD' AND r.head_run_id = m.run_id
              WHERE m.task_id = t.task_id) AS runs,
            (SELECT array_agg(d.depends_on_id) FROM task_dependencies d WHERE d.task_id = t.task_id) AS needs,
            (SELECT extract(epoch FROM max(m.create_time) - min(m.create_time))::float8 / greatest(max(m.epoch) - min(m.epoch), 1)
               FROM epoch_metrics m WHERE m.task_id = t.task_id AND m.stage = t.stage) AS epoch_seconds
       FROM tasks t JOIN attempts a USING (task_id)
      WHERE t.sweep_id = $1 AND t.stage IN ('FEATURES', 'HEAD', 'FINE_TUNE') GROUP BY t.task_id ORDER BY t.position`,
    [sweepId],
  );
  const shared = rows.filter(({ stage }) => stage !== 'FINE_TUNE');
  const at = new Map(shared.map(({ task_id }, index) => [task_id, index]));
  return {
    shared: shared.map(({ stage, seconds, runs, needs }) => ({
      stage: stage === 'HEAD' ? 'HEAD' : 'FEATURES',
      seconds,
      runs: stage === 'HEAD' ? (runs ?? []) : [],
      after: (needs ?? []).map((id) => at.get(id)).find((index) => index !== undefined) ?? null,
    })),
    fineTunes: new Map(
      rows
        .filter(({ stage }) => stage === 'FINE_TUNE')
        .flatMap(({ runs, seconds, epoch_seconds: epoch }) =>
          (runs ?? []).map((run) => [run, { epoch, rest: Math.max(0, seconds - fineTuneEpochs * epoch) }]),
        ),
    ),
  };
}

interface TaskRow {
  readonly task_id: string;
  readonly stage: string;
  readonly seconds: number;
  readonly runs: number[] | null;
  readonly needs: string[] | null;
  readonly epoch_seconds: number;
}

async function readRuns(
  pool: pg.Pool,
  sweepId: string,
  seconds: ReadonlyMap<number, FineTuneSeconds>,
  fineTuneEpochs: number,
): Promise<{ runs: RecordedRun[]; validationImages: number }> {
  const { rows } = await pool.query<RunRow>(
    `SELECT r.run_index, h.run_index AS head_index, r.parameters, t.accuracy AS test_accuracy
       FROM runs r JOIN runs h ON h.run_id = coalesce(r.head_run_id, r.run_id) LEFT JOIN test_results t ON t.run_id = r.run_id
      WHERE r.sweep_id = $1 ORDER BY r.run_index`,
    [sweepId],
  );
  const { rows: entries } = await pool.query<EntryRow>(
    `SELECT r.run_index, g.stage, e.epoch, e.correct, e.losses
       FROM rung_entries e JOIN rungs g USING (sweep_id, rung) JOIN runs r ON r.run_id = e.run_id
      WHERE e.sweep_id = $1`,
    [sweepId],
  );
  const epochs = new Map(entries.map((entry) => [`${entry.run_index} ${entry.stage} ${entry.epoch}`, encode(entry)]));
  const images = entries.find(({ losses }) => losses !== null)?.losses;
  if (images === undefined || images === null) throw new Error('No rung entry has losses of validation images.');
  const none: RecordedEpoch = { correct: null, losses: null };
  const runs = rows.map(
    ({ run_index: run, head_index: trained, parameters, test_accuracy: testAccuracy }): RecordedRun => {
      // Fine-tunes share the head that one of them has trained.
      const head = entries.find((entry) => entry.run_index === trained && entry.stage === 'HEAD');
      if (head === undefined) throw new Error(`Run ${trained} has no entry at the end of its head.`);
      const own = seconds.get(run);
      return {
        backbone: String(parameters['backbone']),
        parameters,
        testAccuracy,
        head: encode(head),
        fineTune:
          own === undefined
            ? null
            : Array.from({ length: fineTuneEpochs }, (_, at) => epochs.get(`${run} FINE_TUNE ${at + 1}`) ?? none),
        epochSeconds: own?.epoch ?? 0,
      };
    },
  );
  return { runs, validationImages: images.length / Float32Array.BYTES_PER_ELEMENT };
}

interface RunRow {
  readonly run_index: number;
  /** Run whose head it has. */
  readonly head_index: number;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly test_accuracy: number | null;
}

interface EntryRow {
  readonly run_index: number;
  readonly stage: string;
  readonly epoch: number;
  readonly correct: Buffer | null;
  readonly losses: Buffer | null;
}

function encode({ correct, losses }: EntryRow): RecordedEpoch {
  return { correct: correct?.toString('base64') ?? null, losses: losses?.toString('base64') ?? null };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
