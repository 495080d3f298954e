import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { digestOf } from '../../../services/core/digest.ts';
import type { JsonValue } from '../../../services/core/digest.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { demoSpec, EMOJI_SCALE } from '../../../services/cli/demo/demo-sweep.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { sweepSpecFromProto, sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';

const FILES = new URL('./spec-digests/', import.meta.url).pathname;

/** Digests of files as they were before sweeps could be stopped, bounded and scheduled, computed by that version. */
const DIGESTS = [
  ['imbalanced-classes.yaml', 'c5d325ef15bbcadb8ef66f4627d636a61ed4fe0fa1f1f42e6cfa8ea6d3650bce'],
  ['keras-recipe.yaml', '055c200b62d5d11322ba0800954868479d10f9652fe664354cf5faa3492dc9ae'],
  ['method-a-cached.yaml', 'd489fcbd9d29277d24790d26c9d3c149c310ea887c2895ab114a498d3e767353'],
  ['method-b-augmented.yaml', '611ff0d8e3d845df1fc949256e7c0e277dba6be3f73ef8610b1f54747e39ea1e'],
  ['method-c-fine-tune.yaml', 'cce20abe84813e899bd3811a7a02527281f451f971f7d9962a401056f40753d5'],
  ['search-sobol.yaml', '43474cfcad60f9067b96f406584c04b018913870c639c8296478badd3c3b61d4'],
] as const;

/** The digest that a coordinator stores: of the spec as it arrives. */
function storedDigest(spec: SweepSpec): string {
  return digestOf(sweepSpecFromProto(sweepSpecToProto(spec)).spec as unknown as JsonValue);
}

// A request that is repeated after an upgrade must be recognised as the same.
it.each(DIGESTS)('keeps the digest of %s', (name, digest) => {
  const text = readFileSync(`${FILES}${name}`, 'utf8');
  const { spec, violations } = parseSweepFile(text, { folder: '/sweeps', home: '/home/me' });
  expect(violations).toEqual([]);
  expect(storedDigest(spec)).toBe(digest);
});

it('keeps the digest of the demo', () => {
  expect(storedDigest(demoSpec('/data/photos', EMOJI_SCALE))).toBe(
    '4ca97def9f33072bdff8ccdb5b1b7622eed975664996702ffe9c74618d811d51',
  );
});

it('keeps the digest of a spec whose new fields are at their defaults', () => {
  const { spec } = parseSweepFile('dataset: { path: /data }\nmax_runs: 4', { folder: '/', home: '/' });
  const { spec: explicit } = parseSweepFile('dataset: { path: /data }\nmax_runs: 4\npriority: 0\nreuse: true', {
    folder: '/',
    home: '/',
  });
  expect(storedDigest(explicit)).toBe(storedDigest(spec));
  expect(explicit).toEqual(spec);
});
