import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { demoSpec, PHOTO_SCALE } from '../../../services/cli/demo/demo-sweep.ts';
import type { BenchContext } from './context.ts';
import type { EngineTimes } from './engine-clock.ts';
import { GraftSide } from './graft-side.ts';
import { percent, seconds } from './row.ts';
import type { Row } from './row.ts';

const TARGET = 0.85;
const PRELOADED = [import.meta.resolve('tsx'), new URL('engine-clock.ts', import.meta.url).href];

/**
 * Measures the fraction of the demo sweep's wall time that its one trainer spends inside TensorFlow and the native
 * heads.
 */
export async function engineShare({ root, folder, say }: BenchContext): Promise<Row> {
  say('the demo sweep, with a clock around the engine');
  const clock = mkdtempSync(join(folder, 'clock-'));
  await using graft = await GraftSide.start(folder, {
    GRAFT_BENCH_CLOCK: clock,
    NODE_OPTIONS: [process.env['NODE_OPTIONS'] ?? '', ...PRELOADED.map((module) => `--import=${module}`)].join(' '),
  });
  const { displayName, dataset, base, strategy, variants, seed } = demoSpec(root, PHOTO_SCALE);
  const measured = await graft.run({
    display_name: displayName,
    dataset: { path: dataset.path },
    base,
    strategy,
    variants,
    seed,
  });
  const spent: EngineTimes = { tensorflow: 0, heads: 0 };
  for (const name of readdirSync(clock)) {
    const one = JSON.parse(readFileSync(join(clock, name), 'utf8')) as EngineTimes;
    spent.tensorflow += one.tensorflow / 1_000;
    spent.heads += one.heads / 1_000;
  }
  const share = (spent.tensorflow + spent.heads) / measured.wholeSeconds;
  const stages = Object.entries(measured.stageSeconds).map(([stage, taken]) => `${stage} ${seconds(taken)}`);
  return {
    work: "demo sweep's wall time inside the engine",
    peer: '–',
    peerFigure: '',
    graftFigure: percent(share),
    ratio: null,
    target: `≥ ${percent(TARGET)}`,
    isMet: share >= TARGET,
    accuracies: '',
    notes: [
      `${measured.runs.length} runs on one trainer, ${seconds(measured.wholeSeconds)} from submit to end: TensorFlow ` +
        `${seconds(spent.tensorflow)}, native heads ${seconds(spent.heads)}, the rest outside (${stages.join(', ')}).`,
    ],
  };
}
