import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parsePage, textOf } from '../support/report-page.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster } from './support/local-cluster.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-finalists-'));
  await writeTinyDataset(join(folder, 'data'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SWEEP = `
display_name: finalists
dataset: { path: data }
base: { backbone: efficientnet_lite0, image_size: 32, batch_size: 8, epochs: 3 }
strategy: list
seed: 11
variants:
  - { head.units: 0 }
  - { head.units: 16 }
  - { head.units: 8, fine_tune.enabled: true, fine_tune.epochs: 2 }
objective: { metric: val_accuracy }
finalists: { runs: 2, seeds: 3 }
winner_rule: one_standard_error
`;

it(
  'repeats finalists of a real sweep, and says in every view which run won and why',
  { timeout: 240_000 },
  async () => {
    await using cluster = await LocalCluster.start();
    const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 1 });
    pool.on('error', () => undefined);
    const cli = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await cluster.cli(args);
      expect(code, stderr).toBe(0);
      return stdout;
    };
    try {
      const file = join(folder, 'sweep.yaml');
      writeFileSync(file, SWEEP);
      expect(await cli('sweep', 'plan', file)).toMatch(
        /Finalists: at most 2 runs, each repeated with 2 further seeds: .* of slot time, .* of wall time, in addition\./,
      );
      await cli('sweep', 'submit', file);
      const watched = await cli('sweep', 'watch', 'latest');
      const { rows: scores } = await pool.query<{ run_index: number; measurement_count: number; repeat_count: number }>(
        'SELECT run_index, measurement_count, repeat_count FROM run_scores ORDER BY run_index',
      );
      expect(scores).toHaveLength(2);
      for (const row of scores) expect(row).toMatchObject({ measurement_count: 3, repeat_count: 2 });
      const { rows: winners } = await pool.query<{ run_index: number; run_id: string; statements: string[] }>(
        'SELECT run_index, run_id, statements FROM sweep_winners',
      );
      const [winner] = winners;
      expect(winner?.statements[0]).toContain('the mean of 3 seeds');
      const flat = (text: string): string => text.replaceAll(/\s+/g, ' ');
      const sentence = flat(winner?.statements[0] ?? 'none');
      expect(flat(watched)).toContain(sentence);
      expect(flat(await cli('sweep', 'get', 'latest'))).toContain(sentence);
      const board = await cli('leaderboard', 'latest');
      expect(flat(board)).toContain(sentence);
      expect(board.split('\n').filter((line) => /^ *\d+ +\d+ /.test(line))).toHaveLength(3);
      const { rows: repeats } = await pool.query<{ run_id: string; repeat_of: string }>(
        'SELECT run_id, repeat_of FROM runs WHERE repeat_of IS NOT NULL ORDER BY run_index',
      );
      expect(flat(await cli('run', 'explain', repeats[0]?.run_id ?? ''))).toMatch(
        new RegExp(
          `It repeats run ${repeats[0]?.repeat_of}, a finalist, with other seeds: .* REPEAT: repeated with 2 further seeds: finalist 1 of 2`,
        ),
      );
      expect(await cli('sweep', 'explain', 'latest', '--replay')).toMatch(/every one|all|no difference|recomputed/i);
      const page = join(folder, 'report.html');
      await cli('report', 'latest', '-o', page);
      const document = parsePage(readFileSync(page, 'utf8'));
      expect(document.querySelectorAll('[aria-labelledby=finalists] tbody tr')).toHaveLength(2);
      expect(textOf(document.querySelector('header'))).toContain(sentence);
      const tested = await pool.query<{ run_id: string }>(`SELECT run_id FROM test_results WHERE role = 'WINNER'`);
      expect(tested.rows).toEqual([{ run_id: winner?.run_id }]);
      await cli('checkpoint', 'export', 'latest', '-o', join(folder, 'winner.keras'));
    } finally {
      await pool.end();
    }
  },
);
