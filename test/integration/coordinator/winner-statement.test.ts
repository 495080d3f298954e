import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GetLeaderboardResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { summarySection } from '../../../services/cli/report/summary-section.ts';
import { RECIPE_VERSION } from '../../../services/core/recipe-version.ts';
import type { Evidence } from '../../../services/core/statistics/evidence.ts';
import type { RungDefinition } from '../../../services/core/stopping/ladder.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { StoppingRule } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { winnerStatementFromProto } from '../../../services/platform/rpc/convert/leaderboard.ts';
import { buildReport } from '../../support/build-report.ts';
import { drawRuns } from '../../unit/core/support/noisy-runs.ts';
import { ACCURACY, alike, searchPolicy } from '../../unit/core/support/search-inputs.ts';
import { simulate } from '../../unit/core/support/search-simulation.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ retentionMs: 3_600_000 });
});
afterAll(() => harness[Symbol.asyncDispose]());

/** Its own in each test, so that no test takes the results of another. */
let seed = 0;
beforeEach(() => {
  seed += 1;
});

function headsOf(changes: Partial<SweepSpec> = {}, base: SweepSpec['base'] = {}): SweepSpec {
  return specOf({ base: { ...specOf().base, seed, ...base }, ...changes });
}

async function trainerOf(name = 'trainer'): Promise<SimulatedTrainer> {
  const trainer = new SimulatedTrainer(harness.trainers, harness.artifacts, `${name}-${seed}`);
  await trainer.register(1, undefined, RECIPE_VERSION);
  return trainer;
}

async function statementOf(sweepId: string): Promise<GetLeaderboardResponse['winnerStatement']> {
  return (await harness.sweeps.getLeaderboard({ sweepId, pageSize: 1, pageToken: '' })).winnerStatement;
}

function entriesOf(sweepId: string): Promise<{ stage: string; bits: number; losses: number | null }[]> {
  return harness.query(
    `SELECT g.stage, length(e.correct) AS bits, length(e.losses) AS losses
       FROM rung_entries e JOIN rungs g USING (sweep_id, rung) WHERE e.sweep_id = $1 ORDER BY e.rung, e.arrival`,
    [sweepId],
  );
}

describe('the best run of a sweep without a stopping section', { timeout: 60_000 }, () => {
  it('is compared with the baseline by its losses, in the leaderboard and the explanation of the sweep', async () => {
    const sweepId = await harness.submit(headsOf());
    await (await trainerOf()).workAll();
    expect(await entriesOf(sweepId)).toEqual(Array(2).fill({ stage: 'HEAD', bits: 3, losses: 80 }));
    const statement = await statementOf(sweepId);
    expect(statement?.sentence).toMatch(
      /^(The baseline is the best of 2 runs|Run 1 is better than the baseline on the validation images: the baseline's loss is .*)\.$/,
    );
    const { rule, notes, rungs } = await harness.sweeps.explainSweep({ sweepId, replay: true });
    expect(rule).toBe('none@2');
    expect(notes).toEqual([statement?.sentence]);
    expect(rungs).toEqual([]);
    const runs = await harness.query('SELECT rung FROM runs WHERE sweep_id = $1', [sweepId]);
    expect(runs).toEqual([{ rung: null }, { rung: null }]);
    expect(await harness.query('SELECT 1 FROM decisions WHERE sweep_id = $1', [sweepId])).toEqual([]);
    await harness.sweeps.deleteSweep({ sweepId, dryRun: false });
    expect(await entriesOf(sweepId)).toEqual([]);
  });

  it('is compared by right and wrong images alone where accuracy chose it', async () => {
    const sweepId = await harness.submit(headsOf({ objective: ACCURACY }));
    await (await trainerOf()).workAll();
    expect(await entriesOf(sweepId)).toEqual(Array(2).fill({ stage: 'HEAD', bits: 3, losses: null }));
    expect((await statementOf(sweepId))?.distinguishable).toBe(false);
  });

  it('is compared by the head that it shares, and by the run whose result it took', async () => {
    const rates: SweepSpec['parameters'][number] = {
      name: 'fine_tune.learning_rate',
      domain: { kind: 'values', values: [1e-5, 1e-4] },
      conditions: [],
    };
    const base = { 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' };
    const spec = headsOf({ parameters: [rates] }, base);
    const first = await harness.submit(spec);
    await (await trainerOf()).workAll();
    expect((await entriesOf(first)).map(({ stage }) => stage)).toEqual(['HEAD', 'FINE_TUNE', 'FINE_TUNE']);
    const sentence = (await statementOf(first))?.sentence;
    expect(sentence).toBeDefined();
    const second = await harness.submit({ ...spec, displayName: 'again' });
    await (await trainerOf('second')).workAll();
    expect((await harness.sweeps.getSweep({ sweepId: second })).sweep?.reusedRunCount).toBe(2);
    expect((await statementOf(second))?.sentence).toBe(sentence);
    // As if the sweep had not ended: it has no winner yet, and the best epochs of both are those of the one head.
    await harness.query('DELETE FROM winners WHERE sweep_id = $1', [first]);
    await harness.query(
      `UPDATE runs SET best_stage = 'HEAD', best_epoch = 3, best_value = 0.1 - run_index * 0.05 WHERE sweep_id = $1`,
      [first],
    );
    expect((await statementOf(first))?.sentence).toMatch(
      /^Run 1 is not distinguishable from the baseline on the validation images: the baseline's loss is equal to run 1's, .*; p = 1, corrected for the choice among 2 runs\.$/,
    );
  });

  it('is not compared where its trainer sent no results by image, as before', async () => {
    const trainer = await trainerOf();
    trainer.knowsRungs = false;
    const sweepId = await harness.submit(headsOf());
    await trainer.workAll();
    expect(await entriesOf(sweepId)).toEqual([]);
    expect(await statementOf(sweepId)).toBeUndefined();
    await harness.query('DELETE FROM searches WHERE sweep_id = $1', [sweepId]);
    expect(await statementOf(sweepId)).toBeUndefined();
  });
});

const COPIES = 20;
const SEEDS = 200;
const IMAGES = 1_000;
const GAIN_PER_RUNG = 0.015;
const WINNER = 'sweep-of-copies';

/** A measurement of a run at a rung. */
interface Measured {
  readonly run: number;
  readonly rung: RungDefinition;
  readonly epoch: number;
  readonly value: number;
  readonly evidence: Evidence;
}

/** Inserts an ended sweep of copies of the default, whose rungs are empty. */
async function insertCopies(sweepId: string, ladder: readonly RungDefinition[]): Promise<void> {
  const counts = [{ split: 'validation', className: 'cat', imageCount: IMAGES }];
  await harness.query(
    `INSERT INTO datasets (dataset_id, digest, path, class_names, class_counts, problems, manifest_uri)
     VALUES ('copies', 'd', '/data', '{cat}', $1::jsonb, '[]', 'm') ON CONFLICT DO NOTHING`,
    [JSON.stringify(counts)],
  );
  await harness.query(
    `INSERT INTO sweeps (sweep_id, request_id, spec_digest, display_name, spec, state, dataset_id, objective_metric, objective_goal,
                         test_policy, varied_names, start_time, end_time)
     VALUES ($1, $1, repeat('e', 64), $1, $2::jsonb, 'SUCCEEDED', 'copies', 'val_accuracy', 'maximize', 'winner', '{}', now(), now())`,
    [sweepId, JSON.stringify(specOf({ objective: ACCURACY }))],
  );
  await harness.query(
    `INSERT INTO runs (run_id, sweep_id, run_index, parameters_digest, parameters, state, stage, end_time)
     SELECT $1 || '-r' || n, $1, n, lpad(n::text, 64, '0'), '{}', 'SUCCEEDED', 'HEAD', now() FROM generate_series(0, $2 - 1) n`,
    [sweepId, COPIES],
  );
  await harness.query(`INSERT INTO searches (sweep_id, policy) VALUES ($1, '{}')`, [sweepId]);
  await harness.query(
    `INSERT INTO rungs (sweep_id, rung, stage, epoch) SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[])`,
    [sweepId, ladder.map(({ number }) => number), ladder.map(({ stage }) => stage), ladder.map(({ epoch }) => epoch)],
  );
}

/** Replaces what the runs of a sweep measured. */
async function replaceMeasured(sweepId: string, entries: readonly Measured[]): Promise<void> {
  await harness.query('DELETE FROM rung_entries WHERE sweep_id = $1', [sweepId]);
  await harness.query(
    `INSERT INTO rung_entries (sweep_id, rung, run_id, arrival, value, epoch, task_id, lease_epoch, correct)
     SELECT $1, e.rung, $1 || '-r' || e.run, row_number() OVER (PARTITION BY e.rung), e.value, e.epoch, 't', 1, e.correct
       FROM unnest($2::int[], $3::int[], $4::float8[], $5::int[], $6::bytea[]) AS e (rung, run, value, epoch, correct)`,
    [
      sweepId,
      entries.map(({ rung }) => rung.number),
      entries.map(({ run }) => run),
      entries.map(({ value }) => value),
      entries.map(({ epoch }) => epoch),
      entries.map(({ evidence }) => Buffer.from(evidence.correct)),
    ],
  );
  await harness.query(
    `UPDATE runs r SET best_value = b.value, best_val_accuracy = b.value, best_val_loss = 1 - b.value, best_stage = b.stage, best_epoch = b.epoch
       FROM (SELECT DISTINCT ON (e.run_id) e.run_id, e.value, e.epoch, g.stage FROM rung_entries e JOIN rungs g USING (sweep_id, rung)
              WHERE e.sweep_id = $1 ORDER BY e.run_id, e.value DESC) b
      WHERE r.run_id = b.run_id`,
    [sweepId],
  );
  await harness.query(
    `UPDATE runs r SET state = n.state, end_cause = CASE n.state WHEN 'STOPPED' THEN 'NOT_PROMOTED' ELSE 'ALL_EPOCHS' END
       FROM (SELECT e.run_id, CASE WHEN max(e.rung) = (SELECT max(rung) FROM rungs WHERE sweep_id = $1) THEN 'SUCCEEDED' ELSE 'STOPPED' END AS state
               FROM rung_entries e WHERE e.sweep_id = $1 GROUP BY e.run_id) n
      WHERE r.run_id = n.run_id`,
    [sweepId],
  );
}

/** Draws 20 equal runs, and who of them a rule lets come to which rung. */
function measuredUnder(rule: StoppingRule, draw: number): readonly Measured[] {
  const runs = alike(COPIES, { headEpochs: 5 });
  const policy = searchPolicy(runs, { ...STOPPING_DEFAULTS, rule: rule === 'none' ? 'asha' : rule });
  // All improve alike from rung to rung.
  const drawn = policy.ladder.map(({ number }) =>
    drawRuns(
      `copies ${draw} ${number}`,
      IMAGES,
      0.06,
      runs.map(() => GAIN_PER_RUNG * number),
    ),
  );
  const reached = (run: number, rung: RungDefinition): Measured => {
    const { value, evidence } = drawn[rung.number]![run]!;
    return { run, rung, epoch: rung.epoch ?? (rung.stage === 'HEAD' ? 5 : 27), value, evidence };
  };
  if (rule === 'none') {
    const ends = policy.ladder.filter(({ epoch }) => epoch === null);
    return ends.flatMap((rung) => runs.map(({ index }) => reached(index, rung)));
  }
  const { stored } = simulate({
    policy,
    runs,
    slots: 4,
    scoreOf: (run, { rung }) => drawn[rung]![run]!.value,
    evidenceOf: (run, { rung }) => drawn[rung]![run]!.evidence,
  });
  return stored.rungs.flatMap((entries, rung) =>
    entries.map(({ runIndex }) => reached(runIndex, policy.ladder[rung]!)),
  );
}

describe('the report on 20 copies of the default', { timeout: 120_000 }, () => {
  it.each(['none', 'promotion', 'asha'] as const)(
    'under %s says in 90 per cent of the sweeps or more that another best run is not distinguishable from the baseline',
    async (rule) => {
      const sweepId = `${WINNER}-${rule}`;
      const { ladder } = searchPolicy(alike(COPIES, { headEpochs: 5 }), { rule: rule === 'none' ? 'asha' : rule });
      await insertCopies(sweepId, ladder);
      const report = buildReport({ spec: specOf({ objective: ACCURACY }) });
      // In a twentieth of the sweeps the baseline itself is the best run; in a quarter under asha, where the first runs have few rivals.
      const said = { other: 0, better: 0, undistinguished: 0 };
      for (let draw = 0; draw < SEEDS; draw++) {
        await replaceMeasured(sweepId, measuredUnder(rule, draw));
        const statement = await statementOf(sweepId);
        if (statement === undefined) throw new Error('There is no statement.');
        const leaderboard = { ...report.leaderboard, winnerStatement: winnerStatementFromProto(statement) };
        const page = summarySection({ ...report, leaderboard }).text;
        if (page.includes('The baseline is the best of 20 runs.')) continue;
        said.other++;
        if (page.includes('is better than the baseline on the validation images')) said.better++;
        if (page.includes('is not distinguishable from the baseline on the validation images')) said.undistinguished++;
      }
      expect(said.other).toBeGreaterThan(0.7 * SEEDS);
      expect(said.better + said.undistinguished).toBe(said.other);
      expect(said.undistinguished / said.other, JSON.stringify(said)).toBeGreaterThanOrEqual(0.9);
    },
  );
});
