import { describe, expect, test } from 'vitest';
import { artifactKind, probeUri } from '../../../services/core/artifact-names.ts';
import { claimStore, decodeMarker, encodeMarker, whyBenched } from '../../../services/core/store-owner.ts';
import type { FoundStore } from '../../../services/core/store-owner.ts';

const DIGEST = 'ab'.repeat(32);
const OWN = { clusterId: 'cluster-1', createTime: '2026-01-01T00:00:00.000Z' };
const OTHER = { clusterId: 'cluster-2', createTime: '2026-02-02T00:00:00.000Z' };
const EMPTY: FoundStore = { marker: null, hasArtifacts: false, isKnown: false, markTime: null };

describe('artifactKind', () => {
  test.each([
    ['graft-store.json', 'MARKER'],
    ['checkpoints/s123-0001/head-0012-00000-best-3.safetensors', 'CHECKPOINT'],
    ['checkpoints/s123-0001/fine-tune-0001-00040-last-1.safetensors', 'CHECKPOINT'],
    [`features/${DIGEST}.safetensors`, 'FEATURES'],
    [`features/${DIGEST}.parts/00000064`, 'FEATURE_PART'],
    [`datasets/${DIGEST}.jsonl`, 'MANIFEST'],
    [probeUri('node 1/é'), 'PROBE'],
    [`features/${DIGEST}.safetensors.gpu-node-7.example-41-0.tmp`, 'TEMPORARY'],
    ['checkpoints/r/head-0001-00000-last-1.safetensors.Zm9v-_x.upload.tmp', 'TEMPORARY'],
    ['checkpoints/r/fine-tune-0002-00000-last-2.safetensors.node-1.example-41-0.tmp', 'TEMPORARY'],
    [`datasets/${DIGEST}.jsonl.vm-13223-12.tmp`, 'TEMPORARY'],
  ])('%s is %s', (uri, kind) => {
    expect(artifactKind(uri)).toBe(kind);
  });

  test.each([
    'thesis.tmp',
    'checkpoints/my-model.safetensors',
    'checkpoints/run/best.safetensors',
    'checkpoints/run/head-0001-00000-last-1.safetensors.bak',
    'checkpoints/../head-0001-00000-last-1.safetensors',
    'checkpoints/a/b/head-0001-00000-last-1.safetensors',
    'backup/checkpoints/run/head-0001-00000-last-1.safetensors',
    `features/${DIGEST.toUpperCase()}.safetensors`,
    `features/${DIGEST}.parts/notes.txt`,
    `features/${DIGEST}.parts/00000000.tmp`,
    'features/notes.txt.host-1-0.tmp',
    'graft-store.json.bak',
    '',
  ])('%s is a stranger’s', (uri) => {
    expect(artifactKind(uri)).toBeNull();
  });
});

describe('claimStore', () => {
  const claim = (found: Partial<FoundStore>, isAdopting = false) =>
    claimStore({ ...EMPTY, ...found }, 'cluster-1', '/srv/artifacts', isAdopting);

  test('takes an empty store, and one that the record knows', () => {
    expect(claim({})).toEqual({ action: 'MARK', replaces: null });
    expect(claim({ hasArtifacts: true, isKnown: true })).toEqual({ action: 'MARK', replaces: null });
    expect(claim({ marker: OWN, hasArtifacts: true })).toEqual({ action: 'OWNED' });
  });

  test.each([
    ['another cluster’s', { marker: OTHER }, /belongs to another cluster, cluster-2, since 2026-02-02/],
    ['one with a damaged marker', { marker: 'DAMAGED' }, /graft-store.json that can't be read/],
    ['one with files that the database does not know', { hasArtifacts: true }, /the database knows nothing of/],
    [
      'an empty one after it has marked another',
      { markTime: '2026-01-01T00:00:00.000Z' },
      /not mounted, or this is another folder/,
    ],
  ] as const)('refuses %s, says what to do, and takes it over on command', (_what, found, words) => {
    const refused = claim(found);
    expect(refused).toMatchObject({ action: 'REFUSE' });
    const { reason } = refused as { readonly reason: string };
    expect(reason).toMatch(words);
    for (const named of ['/srv/artifacts', 'cluster-1', 'GRAFT_ARTIFACTS_DIR', 'DATABASE_URL', '--adopt-store']) {
      expect(reason).toContain(named);
    }
    expect(claim(found, true)).toMatchObject({ action: 'MARK' });
  });
});

test('decodes an encoded marker, and nothing else', () => {
  expect(decodeMarker(encodeMarker(OWN))).toEqual(OWN);
  const text = encodeMarker(OWN);
  for (const bad of [
    '',
    '{',
    '[]',
    'null',
    text.slice(0, 40),
    text.replace('graft-store-1', 'graft-store-2'),
    text.replace('cluster-1', ''),
  ]) {
    expect(decodeMarker(bad), bad).toBeNull();
  }
});

test('benches a trainer for another store, for none, and for a problem that it reports; accepts an older one', () => {
  const report = { place: '/mnt/artifacts', clusterId: 'cluster-1', problem: '' };
  expect(whyBenched(report, 'cluster-1', 'node7')).toBeNull();
  expect(whyBenched(null, 'cluster-1', 'node7')).toBeNull();
  expect(whyBenched({ ...report, problem: 'The disk is full.' }, 'cluster-1', 'node7')).toBe('The disk is full.');
  for (const clusterId of ['', 'cluster-2']) {
    const reason = whyBenched({ ...report, clusterId }, 'cluster-1', 'node7');
    for (const named of ['/mnt/artifacts', 'node7', 'cluster-1', 'must use one artifact store'])
      expect(reason).toContain(named);
    expect(reason).toContain(clusterId === '' ? 'is not mounted' : 'cluster-2');
  }
});
