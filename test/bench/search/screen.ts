import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { createStream } from '../../../services/core/rng/stream.ts';
import { screen, SCREEN_RULE } from '../../../services/core/stopping/screen/keep.ts';
import type { ScreenCandidate } from '../../../services/core/stopping/screen/candidate.ts';
import { outOfFoldRidge } from '../../../services/core/statistics/ridge.ts';
import { drawProbeImages, stratifiedFolds } from '../../../services/trainer/data/probe-images.ts';
import { LocalCluster } from '../../e2e/support/local-cluster.ts';
import { temporaryFolder } from '../../support/run-script.ts';
import { PHOTOS } from '../grid/grid-sweep.ts';
import { trainSweep } from '../grid/trained-sweep.ts';
import type { Bench } from '../grid/trained-sweep.ts';
import { percent } from './bench-result.ts';
import type { BenchResult, BenchSettings } from './bench-result.ts';
import { writeCrops } from './screen/crops.ts';
import { readCandidates, readImages } from './screen/read-candidates.ts';
import type { MeasuredCandidate } from './screen/read-candidates.ts';

const BACKBONES = ['efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2'];
const SIZES = [48, 64, 96];
const CROPS = { train: 5, validation: 5, test: 1 };
const KEEP = 4;
const PROBE = { trainImageCount: 200, validationImageCount: 100 };
/** Draws of other probe images, for each of which all candidates are fitted, and bootstrap samples of the images of each. */
const DRAWS = 12;
const SAMPLES = 50;
const MIN_KEPT = 0.95;
const MAX_COST = 0.15;

/**
 * B6: the screen of nine candidates: whether it keeps the candidate of the exhaustive winner, in bootstrap replays with other probe
 * images, and its measured cost beside that of all features.
 */
export async function screens({ say }: BenchSettings): Promise<BenchResult | { readonly reason: string }> {
  if (!existsSync(PHOTOS)) return { reason: `the photographs are not in ${PHOTOS}` };
  const folder = temporaryFolder('graft-screen-bench-');
  const data = join(folder, 'data');
  mkdirSync(data);
  await writeCrops(PHOTOS, data, CROPS);
  await using cluster = await LocalCluster.start();
  const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 1 });
  try {
    const bench: Bench = { cluster, pool, folder, say };
    const sweep = (more: object): Readonly<Record<string, unknown>> => ({
      dataset: { path: data, allow_duplicates: true },
      base: { method: 'cached', epochs: 12, optimizer: { name: 'adam', learning_rate: 0.001 } },
      parameters: { backbone: { values: BACKBONES }, image_size: { values: SIZES }, seed: { values: [1, 2, 3] } },
      objective: { metric: 'val_accuracy', goal: 'maximize' },
      reuse: false,
      // So that results by image are kept, by which the best run of a sweep is read.
      stopping: 'paired',
      ...more,
    });
    const screened = await trainSweep(bench, sweep({ screen: { keep: KEEP } }));
    say(`screened: ${screened.slotSeconds.toFixed(0)} slot-seconds`);
    const exhaustive = await trainSweep(bench, sweep({ screen: 'off' }));
    const candidates = await readCandidates(pool, cluster.stateDir, [screened.sweepId, exhaustive.sweepId]);
    return summarize(candidates, replay(candidates, await readImages(pool, cluster.stateDir), say));
  } finally {
    await pool.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Replays {
  /** Replays in which each candidate is kept, by position. */
  readonly kept: readonly number[];
  readonly count: number;
  /** Mean number of candidates that are kept. */
  readonly meanKept: number;
}

/** Screens with other probe images, each time in bootstrap samples of these. */
function replay(
  candidates: readonly MeasuredCandidate[],
  indexed: Awaited<ReturnType<typeof readImages>>,
  say: (line: string) => void,
): Replays {
  const kept = candidates.map(() => 0);
  let sum = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const digest = `replay ${draw}`;
    const images = drawProbeImages({ ...indexed, dataset: { ...indexed.dataset, digest } }, PROBE);
    const labels = images.map(({ label }) => label);
    const folds = stratifiedFolds(labels, 5, digest);
    const right = candidates.map((candidate) => {
      const { predicted } = outOfFoldRidge(candidate.rowsOf(images), labels, indexed.dataset.classNames.length, folds);
      return labels.map((label, image) => label === predicted[image]);
    });
    for (let sample = 0; sample < SAMPLES; sample++) {
      const stream = createStream(draw, 'bootstrap', sample);
      const places = labels.map(() => stream.int(labels.length));
      const { verdicts } = screen(
        { rule: SCREEN_RULE, keep: KEEP },
        candidates.map((candidate, position) => candidateOf(candidate, position, right[position] ?? [], places)),
      );
      for (const { position, isKept } of verdicts) {
        if (!isKept) continue;
        kept[position] = (kept[position] ?? 0) + 1;
        sum += 1;
      }
    }
    say(`replayed ${draw + 1} of ${DRAWS} draws of probe images`);
  }
  return { kept, count: DRAWS * SAMPLES, meanKept: sum / (DRAWS * SAMPLES) };
}

function candidateOf(
  { backbone, imageSize, featureSeconds }: MeasuredCandidate,
  position: number,
  right: readonly boolean[],
  places: readonly number[],
): ScreenCandidate {
  const correct = new Uint8Array(Math.ceil(places.length / 8));
  for (const [image, place] of places.entries()) {
    if (right[place] === true) correct[image >> 3] = (correct[image >> 3] ?? 0) | (1 << (image & 7));
  }
  return {
    position,
    backbone,
    weights: 'imagenet',
    cut: null,
    imageSize,
    pooling: 'avg',
    seconds: featureSeconds,
    // No baseline: it would be kept in any case.
    isBaseline: false,
    evidence: { correct, count: places.length, logMe: 0 },
    failure: null,
  };
}

function summarize(candidates: readonly MeasuredCandidate[], { kept, count, meanKept }: Replays): BenchResult {
  const winner = candidates.reduce((best, one) => (one.accuracy > best.accuracy ? one : best));
  const share = (kept[candidates.indexOf(winner)] ?? 0) / count;
  const total = (key: 'probeSeconds' | 'featureSeconds'): number => candidates.reduce((sum, one) => sum + one[key], 0);
  const cost = total('probeSeconds') / total('featureSeconds');
  const seconds = (value: number): string => `${value.toFixed(1)} s`;
  return {
    title: `Screen of ${candidates.length} candidates, keep ${KEEP}`,
    columns: [
      { title: 'candidate' },
      { title: 'heads, val_accuracy', align: 'right' },
      { title: 'probe, right', align: 'right' },
      { title: 'LogME', align: 'right' },
      { title: 'kept in', align: 'right' },
      { title: 'probe', align: 'right' },
      { title: 'features', align: 'right' },
    ],
    rows: candidates.map((one, position) => [
      `${one.backbone} ${one.imageSize} px`,
      one.accuracy.toFixed(4),
      one.probeAccuracy.toFixed(3),
      one.logMe.toFixed(3),
      percent((kept[position] ?? 0) / count),
      seconds(one.probeSeconds),
      seconds(one.featureSeconds),
    ]),
    targets: [
      {
        name: `the winner's candidate is kept in ≥ ${percent(MIN_KEPT)}`,
        measured: percent(share),
        isMet: share >= MIN_KEPT,
      },
      { name: `probes cost ≤ ${percent(MAX_COST)} of all features`, measured: percent(cost), isMet: cost <= MAX_COST },
    ],
    notes: [
      `The winner is ${winner.backbone} at ${winner.imageSize} px: the best mean validation accuracy of three seeds. ` +
        `${count} replays keep ${meanKept.toFixed(2)} candidates on average: ${DRAWS} draws of 300 probe images, ${SAMPLES} bootstrap ` +
        'samples of each.',
      'Only three pretrained bases can be had from PyPI, so the candidates are these at three image sizes. The images are crops of the ' +
        'photographs, five of each for training (2,000) and validation (1,000): probes of 300 images of 600 photographs could not cost less ' +
        'than half.',
    ],
  };
}
