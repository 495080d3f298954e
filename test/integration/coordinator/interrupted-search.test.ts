import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { epochsOf, outcomeOf } from './simulated-trainer.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';
import type { LeasedTask } from '../../../services/core/task.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

const FINE_TUNED = {
  ...specOf().base,
  'fine_tune.enabled': true,
  'fine_tune.epochs': 2,
  'fine_tune.unfreeze': 'block2',
};

function rates(name: string, values: readonly number[]): SweepSpec['parameters'][number] {
  return { name, domain: { kind: 'values', values }, conditions: [] };
}

const STOPPING = {
  ...STOPPING_DEFAULTS,
  rule: 'promotion',
  reductionFactor: 2,
  rungs: { head: [], fineTune: [1] },
} as const;

interface Search {
  readonly name: string;
  readonly spec: SweepSpec;
  /** Decisions of the undisturbed sweep, by kind. */
  readonly decided: Readonly<Record<string, number>>;
}

const SEARCHES: readonly Search[] = [
  {
    name: 'four fine-tunings without heads, of which three are promoted',
    spec: specOf({
      base: { ...FINE_TUNED, epochs: 0, 'fine_tune.allow_untrained_head': true },
      parameters: [rates('fine_tune.learning_rate', [1e-5, 2e-5, 3e-5, 4e-5])],
      reuse: false,
      stopping: { ...STOPPING, synchronous: true },
    }),
    decided: { PAUSE: 4, CONTINUE: 3, PROMOTE: 3, END: 1 },
  },
  {
    name: 'two heads that two fine-tunings each share, with a budget, deciding as results arrive',
    spec: specOf({
      base: { ...FINE_TUNED, epochs: 1 },
      parameters: [rates('optimizer.learning_rate', [0.001, 0.01]), rates('fine_tune.learning_rate', [1e-5, 2e-5])],
      reuse: false,
      stopping: STOPPING,
      budget: { slotSeconds: 10_000, wallSeconds: null, target: null },
    }),
    decided: { PAUSE: 7, CONTINUE: 2, PROMOTE: 5, END: 1 },
  },
];

/** Tables that the coordinator writes to while it trains and decides. */
const TABLES = [
  'attempts',
  'decisions',
  'epoch_metrics',
  'events',
  'feature_sets',
  'rung_entries',
  'rungs',
  'runs',
  'searches',
  'sweeps',
  'task_runs',
  'tasks',
];

/** Lets the n-th write of the coordinator from now on fail. A sequence is not rolled back, so that it counts all of them. */
async function prepareInterruptions(): Promise<void> {
  await harness.query('CREATE SEQUENCE writes');
  await harness.query('CREATE SEQUENCE interruptions');
  await harness.query('CREATE TABLE interruption (at bigint)');
  await harness.query('INSERT INTO interruption VALUES (0)');
  await harness.query(`CREATE FUNCTION interrupt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('writes') = (SELECT at FROM interruption) THEN
      RAISE EXCEPTION 'interrupted, number %', nextval('interruptions');
    END IF;
    RETURN NULL; END $$`);
  for (const table of TABLES) {
    await harness.query(
      `CREATE TRIGGER interrupt AFTER INSERT OR UPDATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION interrupt()`,
    );
  }
}

async function countInterruptions(): Promise<number> {
  const [row] = await harness.query<{ count: number }>(
    'SELECT CASE WHEN is_called THEN last_value::int ELSE 0 END AS count FROM interruptions',
  );
  return row?.count ?? 0;
}

type Wrap = (call: () => Promise<unknown>) => Promise<void>;

/** Repeats calls, each time interrupted one write later, until they go through. */
class Interrupter {
  /** Calls that were interrupted. */
  count = 0;
  #made = 0;

  readonly wrap: Wrap = async (call) => {
    for (let at = 1; at < 200; at += 1) {
      await harness.query(`UPDATE interruption SET at = $1::bigint + (SELECT last_value FROM writes)`, [at]);
      try {
        await call();
        await harness.query('UPDATE interruption SET at = 0');
        return;
      } catch (error) {
        this.count += 1;
        const before = this.#made;
        this.#made = await countInterruptions();
        // Any other error is a bug.
        if (this.#made === before) throw error;
      }
    }
    throw new Error('a call writes more than 200 times');
  };
}

async function trainTask(trainer: SimulatedTrainer, task: LeasedTask, wrap: Wrap): Promise<void> {
  const from = Math.min(...task.runs.map((run) => run.resumeCheckpoint?.epoch ?? 0));
  const pauseEpoch = task.runs[0]?.pauseEpoch ?? null;
  const to = pauseEpoch ?? epochsOf(task);
  for (let epoch = from + 1; epoch <= to; epoch += 1) {
    await wrap(async () => {
      const [answer] = await trainer.report([trainer.batch(task, epoch, epoch - from)]);
      if (answer?.errorReason !== '') throw new Error(`refused: ${answer?.errorMessage ?? ''}`);
    });
    for (const { runId } of task.runs) {
      await trainer.checkpoint(task, runId, epoch, 'BEST');
      await trainer.checkpoint(task, runId, epoch, 'LAST');
    }
  }
  const kind = pauseEpoch === null ? 'SUCCEEDED' : 'PAUSED';
  const outcomes = task.runs.map(({ runId }) => outcomeOf(runId, to, { kind }));
  await wrap(() => trainer.complete(task, { stage: 'TRAIN', outcomes }));
}

async function search(trainer: SimulatedTrainer, spec: SweepSpec, wrap: Wrap): Promise<Record<string, unknown[]>> {
  const sweepId = await harness.submit(spec);
  for (;;) {
    const task = await trainer.lease(0, 300);
    if (task === null) break;
    if (task.stage === 'HEAD' || task.stage === 'FINE_TUNE') await trainTask(trainer, task, wrap);
    else await wrap(() => trainer.work(task));
  }
  const rows = (sql: string): Promise<unknown[]> => harness.query(sql, [sweepId]);
  return {
    decisions: await rows(
      `SELECT decision_id, kind, run_index, rung, rule, place, cut, reason FROM decision_log WHERE sweep_id = $1 ORDER BY decision_id`,
    ),
    entries: await rows(
      `SELECT e.rung, r.run_index, e.arrival, e.value, e.epoch, e.lease_epoch, e.correct, e.losses
         FROM rung_entries e JOIN runs r USING (run_id) WHERE e.sweep_id = $1 ORDER BY e.rung, e.arrival`,
    ),
    runs: await rows(
      'SELECT run_index, state, state_reason, end_cause, rung, best_value FROM runs WHERE sweep_id = $1 ORDER BY run_index',
    ),
    tasks: await rows(
      `SELECT t.stage, t.state, t.lease_epoch, t.pause_epoch, t.rung, array_agg(r.run_index ORDER BY r.run_index) AS members
         FROM tasks t LEFT JOIN task_runs USING (task_id) LEFT JOIN runs r USING (run_id)
        WHERE t.sweep_id = $1 AND t.stage IN ('HEAD', 'FINE_TUNE', 'EVALUATE') GROUP BY t.task_id ORDER BY t.position, t.task_id`,
    ),
    results: await rows(
      `SELECT r.run_index, t.role, t.accuracy FROM test_results t JOIN runs r USING (run_id) WHERE r.sweep_id = $1 ORDER BY 1, 2`,
    ),
  };
}

describe('a search whose batches and completions are interrupted after each of their writes', () => {
  it.each(SEARCHES)('decides as an undisturbed one: $name', { timeout: 180_000 }, async ({ spec, decided }) => {
    const trainer = await harness.trainer('interrupted');
    const undisturbed = await search(trainer, spec, async (call) => {
      await call();
    });
    const kinds = (undisturbed['decisions'] as { kind: string }[]).map(({ kind }) => kind);
    expect(
      Object.fromEntries([...new Set(kinds)].map((kind) => [kind, kinds.filter((one) => one === kind).length])),
    ).toEqual(decided);
    await prepareInterruptions();
    const interrupter = new Interrupter();
    expect(await search(trainer, spec, interrupter.wrap)).toEqual(undisturbed);
    // Each call writes to several tables.
    expect(interrupter.count).toBeGreaterThan(50);
  });
});
