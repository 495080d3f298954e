import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findBases, spreadBases } from '../../../services/cli/auto/auto-bases.ts';
import { AutoMemory } from '../../../services/cli/auto/auto-memory.ts';
import { AUTO_SCALES, autoSpec } from '../../../services/cli/auto/auto-spec.ts';
import type { AutoRequest } from '../../../services/cli/auto/auto-spec.ts';
import { chooseSearch } from '../../../services/cli/auto/choose-scale.ts';
import { localSlots } from '../../../services/cli/auto/local-slots.ts';
import { readSource } from '../../../services/cli/auto/read-source.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { writeSweepFile } from '../../../services/cli/sweep-file/write-sweep-file.ts';
import { previewSweep } from '../../../services/core/planner/preview-sweep.ts';
import { sampleRuns } from '../../../services/core/samplers/sample-runs.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';

const folder = mkdtempSync(join(tmpdir(), 'graft-auto-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BASES = ['efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2'];

function requestOf(changes: Partial<AutoRequest> = {}): AutoRequest {
  const dataset = { path: '/data/pets', splitFractions: null, allowDuplicates: false, skipBadFiles: true };
  return { displayName: 'auto: pets', dataset, bases: BASES, minutes: 10, ...changes };
}

/** A data set of that many training images, on slots like those of a small machine. */
function planner(trainImages: number, seen: SweepSpec[] = []) {
  const imageCounts = { train: trainImages, validation: trainImages / 2, test: trainImages / 2 };
  const slots = {
    ...localSlots(1, false),
    slotCount: 2,
    device: { kind: 'cpu', threadCount: 1 } as const,
    memoryBytes: 8e9,
  };
  return (spec: SweepSpec) => {
    seen.push(spec);
    return Promise.resolve(previewSweep(spec, slots, { source: 'counted', imageCounts, classCount: 2 }));
  };
}

describe('the sweep of graft auto', () => {
  it.each(AUTO_SCALES.flatMap((scale) => [1, 2, 3].map((count) => [scale, BASES.slice(0, count)] as const)))(
    'is valid for %o on %j, has all of its runs and a baseline, and survives its file',
    (scale, bases) => {
      const spec = autoSpec(requestOf({ bases }), scale);
      expect(validateSweepSpec(spec)).toEqual([]);
      const { runs, missingCount } = sampleRuns(spec);
      expect([runs.length, missingCount]).toEqual([scale.runs, 0]);
      expect(runs[0]?.parameters['head.units']).toBe(256);
      const { spec: read, violations } = parseSweepFile(writeSweepFile(spec), { folder: '/x', home: '/home/me' });
      expect(violations).toEqual([]);
      expect(read).toEqual(spec);
    },
  );

  // Ten plans with 200 simulated sweeps each.
  it('is the largest one whose forecast fits into the time, and smaller in less time and for more images', async () => {
    const counts = [];
    for (const minutes of [20, 3]) {
      const seen: SweepSpec[] = [];
      const { spec, wallSeconds, fits } = await chooseSearch(requestOf({ minutes }), planner(400, seen));
      expect(fits).toBe(true);
      expect(wallSeconds.high).toBeLessThanOrEqual(0.75 * 60 * minutes);
      expect(spec.budget?.wallSeconds).toBe(48 * minutes);
      expect(seen.length).toBeLessThan(6);
      counts.push(
        AUTO_SCALES.findIndex(({ runs, imageSize }) => runs === spec.maxRuns && imageSize === spec.base['image_size']),
      );
    }
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts[1]).toBeGreaterThan(counts[0] ?? 0);
    const many = await chooseSearch(requestOf({ minutes: 3 }), planner(20_000));
    expect(many.spec.maxRuns).toBeLessThan(AUTO_SCALES[counts[1]!]!.runs);
  }, 120_000);

  it('is the smallest one where none fits, and says so', async () => {
    const { spec, fits } = await chooseSearch(requestOf({ minutes: 0.05 }), planner(20_000));
    expect(fits).toBe(false);
    expect(spec.maxRuns).toBe(AUTO_SCALES.at(-1)?.runs);
  });

  it('spreads over the bases from the cheapest to the most expensive', () => {
    expect(spreadBases(BASES, 1)).toEqual(['efficientnet_lite0']);
    expect(spreadBases(BASES, 2)).toEqual(['efficientnet_lite0', 'efficientnet_lite2']);
    expect(spreadBases(BASES, 5)).toEqual(BASES);
    expect(spreadBases(['a', 'b', 'c', 'd', 'e', 'f', 'g'], 4)).toEqual(['a', 'c', 'e', 'g']);
  });
});

describe('what graft auto finds', () => {
  it('are bases whose weights are in either cache, the cheapest first', async () => {
    const [cacheDir, kerasDir] = [join(folder, 'cache'), join(folder, 'keras')];
    mkdirSync(join(cacheDir, 'weights'), { recursive: true });
    mkdirSync(kerasDir);
    writeFileSync(join(cacheDir, 'weights/efficientnet_lite2_imagenet.safetensors'), '');
    writeFileSync(join(cacheDir, 'weights/efficientnet_lite0_imagenet.safetensors'), '');
    writeFileSync(join(kerasDir, 'resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5'), '');
    // Aborted: no address answers.
    const { names, downloaded } = await findBases({ cacheDir, kerasDir }, AbortSignal.abort());
    expect(names).toEqual(['efficientnet_lite0', 'efficientnet_lite2', 'resnet50_v2']);
    expect(downloaded).toEqual([]);
  });

  it('is whether a folder has splits', () => {
    mkdirSync(join(folder, 'split/train'), { recursive: true });
    mkdirSync(join(folder, 'flat/cat'), { recursive: true });
    expect(readSource(join(folder, 'split')).splitFractions).toBeNull();
    expect(readSource(join(folder, 'flat')).splitFractions).toEqual({
      train: 0.7,
      validation: 0.15,
      test: 0.15,
      seed: 0,
    });
  });

  it('is the search that the same command has begun, until it ends', () => {
    const file = join(folder, 'state/auto.json');
    const spec = autoSpec(requestOf(), AUTO_SCALES[0]!);
    const key = { path: '/data/pets', minutes: 10, coordinator: null };
    const memory = new AutoMemory(file);
    expect(memory.find(key)).toBeNull();
    const begun = memory.add(key, spec);
    memory.update(key, { ...begun, usedSeconds: 42 });
    expect(new AutoMemory(file).find(key)).toEqual({ ...begun, usedSeconds: 42 });
    expect(memory.find({ ...key, minutes: 5 })).toBeNull();
    memory.add({ ...key, minutes: 5 }, spec);
    memory.forget(key);
    expect(memory.find(key)).toBeNull();
    expect(memory.find({ ...key, minutes: 5 })).not.toBeNull();
    writeFileSync(file, 'not JSON');
    expect(memory.find(key)).toBeNull();
  });
});
