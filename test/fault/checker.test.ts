import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseServerStarted } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { runOn } from '../support/database-server.ts';
import { checkRecord } from './checker.ts';

const SHA = createHash('sha256').update('weights').digest('hex');

/**
 * Writes one sweep of one run with two epochs, an attempt that expired, one that succeeded, and one checkpoint. The run was promoted
 * once and has ended the search.
 */
function sweepRows(sweep: string): string[] {
  return [
    `INSERT INTO sweeps (sweep_id, spec_digest, display_name, spec, state, objective_metric, objective_goal, test_policy)
     VALUES ('${sweep}', 'x', 'x', '{}', 'SUCCEEDED', 'val_loss', 'minimize', 'winner')`,
    `INSERT INTO runs (run_id, sweep_id, run_index, parameters_digest, parameters, state, stage, best_value, best_stage, best_epoch)
     VALUES ('${sweep}-r', '${sweep}', 0, 'x', '{}', 'SUCCEEDED', 'HEAD', 0.5, 'HEAD', 2)`,
    `INSERT INTO tasks (task_id, sweep_id, stage, state, position, lease_epoch)
     VALUES ('${sweep}-t', '${sweep}', 'HEAD', 'SUCCEEDED', 1, 2)`,
    `INSERT INTO attempts (task_id, lease_epoch, trainer_id, slot_index, request_id, state, create_time, end_time) VALUES
     ('${sweep}-t', 1, 'a', 0, '${sweep}-1', 'EXPIRED', '2026-01-01 10:00:00Z', '2026-01-01 10:01:00Z'),
     ('${sweep}-t', 2, 'b', 0, '${sweep}-2', 'SUCCEEDED', '2026-01-01 10:01:00Z', '2026-01-01 10:02:00Z')`,
    `INSERT INTO epoch_metrics (run_id, stage, epoch, name, lease_epoch, task_id, value) VALUES
     ('${sweep}-r', 'HEAD', 1, 'val_loss', 1, '${sweep}-t', 0.7), ('${sweep}-r', 'HEAD', 2, 'val_loss', 2, '${sweep}-t', 0.5)`,
    `INSERT INTO checkpoints (checkpoint_id, run_id, task_id, lease_epoch, stage, epoch, kind, uri, sha256, size_bytes)
     VALUES ('${sweep}-c', '${sweep}-r', '${sweep}-t', 2, 'HEAD', 2, 'BEST', 'checkpoints/${sweep}-r/best', '${SHA}', 7)`,
    `INSERT INTO test_results (run_id, checkpoint_id, role, accuracy, accuracy_low, accuracy_high, loss, image_count, correct_count, confusion_matrix)
     VALUES ('${sweep}-r', '${sweep}-c', 'WINNER', 0.75, 0.3, 0.9, 0.4, 4, 3, '{2,0,1,1}')`,
    `INSERT INTO searches (sweep_id, policy, decision_count, end_reason, end_time)
     VALUES ('${sweep}', '{"rule": "promotion@2"}', 3, 'ALL_DECIDED', now() + interval '1 h')`,
    `INSERT INTO rungs (sweep_id, rung, stage, epoch, entry_count) VALUES ('${sweep}', 0, 'HEAD', NULL, 1)`,
    `INSERT INTO rung_entries (sweep_id, rung, run_id, arrival, value, epoch, task_id, lease_epoch, correct)
     VALUES ('${sweep}', 0, '${sweep}-r', 1, 0.5, 2, '${sweep}-t', 2, '\\x0f')`,
    `INSERT INTO decisions (sweep_id, decision_id, kind, run_id, rung, rule, place, cut, reason) VALUES
     ('${sweep}', 1, 'PAUSE', '${sweep}-r', 0, 'promotion@2', NULL, NULL, 'waits'),
     ('${sweep}', 2, 'PROMOTE', '${sweep}-r', 0, 'promotion@2', 1, 1, 'promoted'),
     ('${sweep}', 3, 'END', NULL, NULL, 'promotion@2', NULL, NULL, 'all runs are decided')`,
    `INSERT INTO tasks (task_id, sweep_id, stage, state, position, lease_epoch)
     VALUES ('${sweep}-p0-0', '${sweep}', 'FINE_TUNE', 'SUCCEEDED', 2, 0)`,
    `INSERT INTO task_runs (task_id, run_id, position) VALUES ('${sweep}-p0-0', '${sweep}-r', 0)`,
  ];
}

let database: TestDatabase;
let artifactsDir: string;

/** Disables triggers and foreign keys, which would reject most of the planted violations. */
async function write(statements: readonly string[]): Promise<void> {
  await runOn(database.url, [`SET session_replication_role = 'replica'`, ...statements]);
}

async function violated(): Promise<readonly string[]> {
  const options = {
    databaseUrl: database.url,
    artifactsDir,
    referenceSweepId: 'calm',
    sweepIds: ['wild'],
    fileGraceMs: 0,
  };
  const findings = await checkRecord(options);
  return findings.filter(({ violations }) => violations.length > 0).map(({ invariant }) => invariant);
}

beforeAll(() => databaseServerStarted());
beforeEach(async () => {
  database = await createTestDatabase();
  artifactsDir = mkdtempSync(join(tmpdir(), 'graft-checker-'));
  for (const sweep of ['calm', 'wild']) {
    mkdirSync(join(artifactsDir, `checkpoints/${sweep}-r`), { recursive: true });
    writeFileSync(join(artifactsDir, `checkpoints/${sweep}-r/best`), 'weights');
  }
  await write([...sweepRows('calm'), ...sweepRows('wild')]);
});
afterEach(async () => {
  await database.drop();
  rmSync(artifactsDir, { recursive: true, force: true });
});

describe('checkRecord', () => {
  it('finds no violation in a valid record', async () => {
    expect(await violated()).toEqual([]);
  });

  it.each<[string, string, readonly string[]]>([
    [
      'a run that failed',
      'every run the end of the undisturbed one',
      [`UPDATE runs SET state = 'FAILED' WHERE run_id = 'wild-r'`],
    ],
    ['a task that waits', 'no attempt is live', [`UPDATE tasks SET state = 'READY' WHERE task_id = 'wild-t'`]],
    [
      'another value',
      'bit by bit',
      [`UPDATE epoch_metrics SET value = 0.7000000000000001 WHERE run_id = 'wild-r' AND epoch = 1`],
    ],
    ['a lost epoch', 'no metric is missing', [`DELETE FROM epoch_metrics WHERE run_id = 'wild-r' AND epoch = 1`]],
    [
      'an epoch counted twice',
      'none is counted twice',
      [
        'DROP INDEX epoch_metrics_surviving_key',
        `INSERT INTO epoch_metrics (run_id, stage, epoch, name, lease_epoch, task_id, value)
         VALUES ('wild-r', 'HEAD', 1, 'val_loss', 2, 'wild-t', 0.7)`,
      ],
    ],
    [
      'a lease that never was',
      'belongs to an attempt',
      [`UPDATE epoch_metrics SET lease_epoch = 9 WHERE run_id = 'wild-r' AND epoch = 2`],
    ],
    ['another winner', 'the winner is', [`UPDATE runs SET best_value = 0.4 WHERE run_id = 'wild-r'`]],
    ['another test result', 'test results are', [`UPDATE test_results SET correct_count = 2 WHERE run_id = 'wild-r'`]],
    ['no test result', 'test results are', [`DELETE FROM test_results WHERE run_id = 'wild-r'`]],
    ['a missing best checkpoint', 'checkpoint of its best epoch', [`DELETE FROM checkpoints WHERE run_id = 'wild-r'`]],
    [
      'two live attempts',
      'two live attempts',
      [`UPDATE attempts SET end_time = '2026-01-01 10:01:01Z' WHERE task_id = 'wild-t' AND lease_epoch = 1`],
    ],
    [
      'a skipped lease epoch',
      'lease epochs of a task',
      [`UPDATE attempts SET lease_epoch = 3 WHERE task_id = 'wild-t' AND lease_epoch = 2`],
    ],
    [
      'other parameters',
      'runs have the parameters',
      [`UPDATE runs SET parameters = '{"epochs": 3}' WHERE run_id = 'wild-r'`],
    ],
    [
      'another place',
      'decisions are those',
      [`UPDATE decisions SET place = 2 WHERE sweep_id = 'wild' AND decision_id = 2`],
    ],
    ['a lost promotion', 'decisions are those', [`DELETE FROM decisions WHERE sweep_id = 'wild' AND decision_id = 2`]],
    [
      'other results by image',
      'their results by image',
      [`UPDATE rung_entries SET correct = '\\x0e' WHERE sweep_id = 'wild'`],
    ],
    ['a gap between entries', 'are numbered 1, 2, 3', [`UPDATE rung_entries SET arrival = 2 WHERE sweep_id = 'wild'`]],
    [
      'the entry of a run of another sweep',
      'those of its own sweep',
      [`UPDATE rung_entries SET run_id = 'calm-r' WHERE sweep_id = 'wild'`],
    ],
    ['a lost verdict', 'has one verdict', [`DELETE FROM decisions WHERE sweep_id = 'wild' AND kind = 'PAUSE'`]],
    [
      'two verdicts about an entry',
      'has one verdict',
      [
        `INSERT INTO decisions (sweep_id, decision_id, kind, run_id, rung) VALUES ('wild', 4, 'CONTINUE', 'wild-r', 0)`,
        `UPDATE searches SET decision_count = 4 WHERE sweep_id = 'wild'`,
      ],
    ],
    [
      'a gap between decisions',
      'decisions are numbered',
      [`UPDATE decisions SET decision_id = 4 WHERE sweep_id = 'wild' AND kind = 'END'`],
    ],
    ['a lost END', 'ends with END', [`UPDATE searches SET end_reason = NULL, end_time = NULL WHERE sweep_id = 'wild'`]],
    ['a promotion without a task', 'by one task', [`DELETE FROM task_runs WHERE task_id = 'wild-p0-0'`]],
    [
      'a run that trained beyond its pause',
      'none trains beyond the rung',
      [
        `UPDATE runs SET state = 'STOPPED', end_cause = 'NOT_PROMOTED', rung = 0 WHERE run_id = 'wild-r'`,
        `UPDATE epoch_metrics SET stage = 'FINE_TUNE' WHERE run_id = 'wild-r'`,
      ],
    ],
    [
      'another sha256',
      'with the sha256 of its row',
      [`UPDATE checkpoints SET sha256 = 'other' WHERE checkpoint_id = 'wild-c'`],
    ],
    [
      'a row whose file is missing',
      'with the sha256 of its row',
      [`UPDATE checkpoints SET uri = 'checkpoints/none' WHERE checkpoint_id = 'wild-c'`],
    ],
    [
      'a file whose row says DELETED',
      'no file is without a row',
      [`UPDATE checkpoints SET state = 'DELETED' WHERE checkpoint_id = 'wild-c'`],
    ],
  ])('finds %s', async (_what, invariant, statements) => {
    await write(statements);
    expect((await violated()).join('\n')).toContain(invariant);
  });

  it('finds a file without a row', async () => {
    writeFileSync(join(artifactsDir, 'checkpoints/wild-r/lost.tmp'), 'half');
    expect((await violated()).join('\n')).toContain('no file is without a row');
  });
});
