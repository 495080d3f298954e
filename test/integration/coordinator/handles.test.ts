import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HandleKind, HandleOutcome } from '../../../proto/gen/graft/v1/handle.ts';
import type { ResolveHandleResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

/** Sweeps beside those of the tests. */
const OTHER_SWEEPS = 2_000;

let harness: Harness;
let first: string;
let second: string;
let single: string;

beforeAll(async () => {
  harness = await startHarness();
  await harness.query(
    `INSERT INTO sweeps (sweep_id, spec_digest, display_name, spec, state, objective_metric, objective_goal, test_policy, create_time)
     SELECT 'old' || i, 'd', 'archive ' || i, '{}', 'CANCELLED', 'val_loss', 'minimize', 'winner', now() - interval '1 day'
       FROM generate_series(1, $1) AS i`,
    [OTHER_SWEEPS],
  );
  first = await harness.submit(specOf({ displayName: 'Heads of 50% \\ width' }));
  second = await harness.submit(specOf({ displayName: 'heads of many_widths' }));
  single = await harness.submit(specOf({ displayName: 'single', parameters: [] }));
});

afterAll(() => harness[Symbol.asyncDispose]());

function resolve(kind: HandleKind, handle: string): Promise<ResolveHandleResponse> {
  return harness.sweeps.resolveHandle({ kind, handle });
}

async function idOf(kind: HandleKind, handle: string): Promise<string> {
  const { outcome, id, problem } = await resolve(kind, handle);
  expect([outcome, problem]).toEqual([HandleOutcome.FOUND, '']);
  return id;
}

describe('a sweep', () => {
  it('is found as latest, by identity, name, and a prefix of either', async () => {
    const found = ['latest', single, single.toUpperCase(), 'SINGLE', 'sing', single.slice(0, 8)].map((handle) =>
      idOf(HandleKind.SWEEP, handle),
    );
    expect(new Set(await Promise.all(found))).toEqual(new Set([single]));
  });

  it('is found by a name with characters that patterns know', async () => {
    expect(await idOf(HandleKind.SWEEP, 'heads of 50%')).toBe(first);
    expect(await idOf(HandleKind.SWEEP, 'heads of 50% \\')).toBe(first);
    expect(await idOf(HandleKind.SWEEP, 'heads of many_')).toBe(second);
    expect((await resolve(HandleKind.SWEEP, 'heads_of')).outcome).toBe(HandleOutcome.NOT_FOUND);
    expect((await resolve(HandleKind.SWEEP, '%')).outcome).toBe(HandleOutcome.NOT_FOUND);
  });

  it('is not found by an ambiguous prefix, which lists the latest five', async () => {
    const two = await resolve(HandleKind.SWEEP, 'heads');
    expect(two.outcome).toBe(HandleOutcome.AMBIGUOUS);
    expect(two.problem).toBe("'heads' is the beginning of 2 sweeps. Use the id of one:");
    expect(two.candidates.map(({ id }) => id)).toEqual([second, first]);
    const many = await resolve(HandleKind.SWEEP, 'archive');
    expect(many.problem).toContain('more than 5 sweeps');
    expect(many.candidates).toHaveLength(5);
  });

  it('is found by its identity, although many others have it as their name or begin with it', async () => {
    await harness.query(`UPDATE sweeps SET display_name = 'OLD1' WHERE sweep_id LIKE 'old10%'`);
    expect(await idOf(HandleKind.SWEEP, 'old1')).toBe('old1');
  });

  it('is not found by an unknown name, which lists similar ones, else the latest', async () => {
    const similar = await resolve(HandleKind.SWEEP, 'singel');
    expect(similar.outcome).toBe(HandleOutcome.NOT_FOUND);
    expect(similar.problem).toBe("There is no sweep 'singel'. Similar:");
    expect(similar.candidates[0]).toMatchObject({ id: single, displayName: 'single', state: 'ACTIVE' });
    const other = await resolve(HandleKind.SWEEP, 'quite something else');
    expect(other.problem).toContain('The latest:');
    expect(other.candidates.map(({ id }) => id)).toEqual([single, second, first]);
  });
});

describe('a run', () => {
  it('is found by its number in a sweep, by identity and by a prefix of it', async () => {
    const expected = `${second}-r001`;
    for (const handle of [`${second}/1`, 'heads of many/1', expected, expected.slice(0, -1) + '1']) {
      expect(await idOf(HandleKind.RUN, handle)).toBe(expected);
    }
    for (const handle of ['latest/0', '0', 'single', `${single}-r`, single]) {
      expect(await idOf(HandleKind.RUN, handle)).toBe(`${single}-r000`);
    }
  });

  it.each([
    ['latest/9', /^There is no run 9 in sweep .*: the only one is 0\.$/],
    ['heads of many/2', /^There is no run 2 in sweep .*: their numbers are 0 to 1\.$/],
    ['nothing/2', /^There is no sweep 'nothing'\./],
    ['latest/best', /^Sweep .* has no best run/],
    ['nothing', /^There is no run or sweep 'nothing'\./],
  ])('is not found as %s', async (handle, problem) => {
    const answer = await resolve(HandleKind.RUN, handle);
    expect(answer.outcome).toBe(HandleOutcome.NOT_FOUND);
    expect(answer.problem).toMatch(problem);
  });

  it('is not found by a sweep of several runs, which names their numbers', async () => {
    const { outcome, problem } = await resolve(HandleKind.RUN, 'heads of many');
    expect(outcome).toBe(HandleOutcome.AMBIGUOUS);
    expect(problem).toContain('with 2 runs: their numbers are 0 to 1. Name one, as in heads of many/0');
  });
});

describe('a checkpoint', () => {
  it('is found by a prefix, as that of a run, and as that of the best run', async () => {
    const run = `${second}-r001`;
    await harness.query(
      `UPDATE runs SET best_value = 0.5, best_val_loss = 0.5, best_stage = 'HEAD', best_epoch = 2 WHERE run_id = $1`,
      [run],
    );
    for (const [id, kind, epoch] of [
      ['cabc1', 'BEST', 1],
      ['cabd2', 'BEST', 2],
      ['cabe3', 'LAST', 3],
    ]) {
      await harness.query(
        `INSERT INTO checkpoints (checkpoint_id, run_id, stage, epoch, kind, uri, sha256, size_bytes, state, task_id, lease_epoch)
         VALUES ($1::text, $2, 'HEAD', $4, $3, $1::text, $1::text, 1, 'STORED', $5, 1)`,
        [id, run, kind, epoch, `${second}-t00`],
      );
    }
    for (const handle of ['cabd2', 'cabd', run, 'heads of many', `${second}/1`, `${second}/best`]) {
      expect(await idOf(HandleKind.CHECKPOINT, handle)).toBe('cabd2');
    }
    const several = await resolve(HandleKind.CHECKPOINT, 'cab');
    expect(several.problem).toContain("'cab' is the beginning of 3 checkpoints");
    await harness.query('UPDATE runs SET best_epoch = 3 WHERE run_id = $1', [run]);
    expect((await resolve(HandleKind.CHECKPOINT, run)).problem).toContain('has no stored checkpoint of its best epoch');
    await harness.query('UPDATE runs SET best_epoch = 2 WHERE run_id = $1', [run]);
    // A whole name of a sweep precedes the beginning of a checkpoint's identity.
    await harness.query(`UPDATE sweeps SET display_name = 'cabe' WHERE sweep_id = $1`, [second]);
    expect(await idOf(HandleKind.CHECKPOINT, 'cabe')).toBe('cabd2');
    await harness.query(`UPDATE sweeps SET display_name = 'heads of many_widths' WHERE sweep_id = $1`, [second]);
  });

  it('is not found where there is none', async () => {
    const answer = await resolve(HandleKind.CHECKPOINT, `${first}/0`);
    expect(answer.outcome).toBe(HandleOutcome.NOT_FOUND);
    expect(answer.problem).toContain(`Run ${first}-r000 has no stored checkpoint of its best epoch`);
    expect((await resolve(HandleKind.CHECKPOINT, 'nothing')).problem).toContain(
      "There is no checkpoint, run or sweep 'nothing'.",
    );
  });
});

it('finds a trainer by host name and prefix', async () => {
  await harness.trainer('trainer-7f');
  expect(await idOf(HandleKind.TRAINER, 'trainer-7f')).toBe('trainer-7f');
  expect(await idOf(HandleKind.TRAINER, 'trainer-')).toBe('trainer-7f');
  const [row] = await harness.query<{ hostname: string }>('SELECT hostname FROM trainers');
  expect(await idOf(HandleKind.TRAINER, row?.hostname ?? '')).toBe('trainer-7f');
  expect((await resolve(HandleKind.TRAINER, 'trainer-8f')).candidates.map(({ id }) => id)).toEqual(['trainer-7f']);
});

it.each([
  ['no kind', HandleKind.UNSPECIFIED, 'latest', 'kind'],
  ['an empty handle', HandleKind.SWEEP, '', 'handle'],
])('refuses %s', async (_name, kind, handle, field) => {
  await expect(resolve(kind, handle)).rejects.toMatchObject({ violations: [{ field }] });
});
