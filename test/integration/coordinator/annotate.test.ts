import { afterAll, beforeAll, expect, it } from 'vitest';
import { MAX_TAGS } from '../../../services/core/annotations.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

let harness: Harness;
/** A second coordinator on the same database. */
let other: Harness;
let sweepId: string;

beforeAll(async () => {
  harness = await startHarness();
  other = await startHarness({
    databaseUrl: harness.databaseUrl,
    env: { GRAFT_ARTIFACTS_DIR: harness.artifacts.root },
  });
  sweepId = await harness.submit(specOf({ displayName: 'as submitted' }));
});

afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await harness[Symbol.asyncDispose]();
});

const NOTHING = { addTags: [], removeTags: [] };

it('renames a sweep, and keeps the submitted name in its spec', async () => {
  const { sweep } = await harness.sweeps.updateSweep({ sweepId, displayName: 'Heads, renamed', ...NOTHING });
  expect([sweep?.displayName, sweep?.spec?.displayName]).toEqual(['Heads, renamed', 'as submitted']);
  const listed = (await other.sweeps.listSweeps({ pageSize: 0, pageToken: '' })).sweeps[0];
  expect(listed?.displayName).toBe('Heads, renamed');
  const [row] = await harness.query('SELECT display_name FROM sweep_summaries WHERE sweep_id = $1', [sweepId]);
  expect(row).toEqual({ display_name: 'Heads, renamed' });
});

it('leaves absent fields as they are, and empties notes that are empty', async () => {
  await harness.sweeps.updateSweep({ sweepId, notes: 'first line\nsecond line', addTags: ['keep'], removeTags: [] });
  const { sweep } = await harness.sweeps.updateSweep({ sweepId, ...NOTHING });
  expect(sweep).toMatchObject({ displayName: 'Heads, renamed', notes: 'first line\nsecond line', tags: ['keep'] });
  expect((await harness.sweeps.updateSweep({ sweepId, notes: '', ...NOTHING })).sweep?.notes).toBe('');
});

it('loses no tag of concurrent changes by two coordinators, however often they are repeated', async () => {
  const tags = Array.from({ length: 20 }, (_, index) => `tag-${String(index).padStart(2, '0')}`);
  await Promise.all(
    tags.flatMap((tag, index) => {
      const calls = (index % 2 === 0 ? harness : other).sweeps;
      const change = { sweepId, addTags: [tag], removeTags: ['keep', 'missing'] };
      return [calls.updateSweep(change), calls.updateSweep(change)];
    }),
  );
  expect((await harness.sweeps.getSweep({ sweepId })).sweep?.tags).toEqual(tags);
});

it('lists the sweeps with a tag, in pages', async () => {
  const tagged = [];
  for (let count = 0; count < 3; count += 1) {
    const id = await harness.submit(specOf());
    await harness.sweeps.updateSweep({ sweepId: id, addTags: ['listed'], removeTags: [] });
    tagged.unshift(id);
    await harness.submit(specOf());
  }
  const first = await harness.sweeps.listSweeps({ pageSize: 2, pageToken: '', tag: 'listed' });
  const rest = await harness.sweeps.listSweeps({ pageSize: 2, pageToken: first.nextPageToken, tag: 'listed' });
  expect([...first.sweeps, ...rest.sweeps].map((sweep) => sweep.sweepId)).toEqual(tagged);
  expect(rest.nextPageToken).toBe('');
  const wrong = harness.sweeps.listSweeps({ pageSize: 2, pageToken: first.nextPageToken, tag: 'tag-00' });
  await expect(wrong).rejects.toMatchObject({ violations: [{ field: 'page_token' }] });
});

it('keeps notes and tags of a run in API and SQL', async () => {
  const runId = `${sweepId}-r001`;
  const change = { runId, notes: 'diverges', addTags: ['b', 'a'], removeTags: [] };
  expect((await other.sweeps.updateRun(change)).run).toMatchObject({ notes: 'diverges', tags: ['a', 'b'] });
  const { entries } = await harness.sweeps.getLeaderboard({ sweepId, pageSize: 0, pageToken: '' });
  expect(entries.find(({ run }) => run?.runId === runId)?.run).toMatchObject({ notes: 'diverges', tags: ['a', 'b'] });
  const rows = await harness.query('SELECT notes, tags FROM leaderboard WHERE sweep_id = $1 AND run_id = $2', [
    sweepId,
    runId,
  ]);
  expect(rows).toEqual([{ notes: 'diverges', tags: ['a', 'b'] }]);
});

it('reports all mistakes of a change, and changes nothing', async () => {
  const change = {
    sweepId,
    displayName: ' ',
    notes: 'a\u0007b',
    addTags: ['two words', 'fine', 'x'.repeat(65), 'both'],
    removeTags: ['both'],
  };
  await expect(harness.sweeps.updateSweep(change)).rejects.toMatchObject({
    violations: ['display_name', 'notes', 'add_tags[0]', 'add_tags[2]', 'add_tags[3]'].map((field) => ({ field })),
  });
  const many = Array.from({ length: MAX_TAGS }, (_, index) => `more-${index}`);
  await expect(harness.sweeps.updateSweep({ sweepId, addTags: many, removeTags: [] })).rejects.toMatchObject({
    violations: [{ field: 'add_tags' }],
  });
  expect((await harness.sweeps.getSweep({ sweepId })).sweep).toMatchObject({
    displayName: 'Heads, renamed',
    notes: '',
  });
});

it('refuses what does not exist', async () => {
  await expect(harness.sweeps.updateSweep({ sweepId: 'none', ...NOTHING })).rejects.toThrow(
    "There is no sweep 'none'.",
  );
  await expect(harness.sweeps.updateRun({ runId: 'none', ...NOTHING })).rejects.toThrow("There is no run 'none'.");
});
