import { seedsOf, withInterval } from '../bench-result.ts';
import type { BenchResult, BenchSettings, Target } from '../bench-result.ts';
import { meanOf } from '../paired-interval.ts';
import {
  difference,
  judge,
  MARKS,
  modelSide,
  MOST_SEEDS,
  peerSide,
  scoresOf,
  scoreSides,
  shown,
} from './compare-samplers.ts';
import type { Mark, Side, SideScores } from './compare-samplers.ts';
import { SamplerPeers } from './sampler-peers.ts';
import { HPOLIB, readTables } from './tables.ts';

const GP_8 = modelSide('gp', 8, 48);
const GP_16 = modelSide('gp', 16, 100);
const TPE = modelSide('tpe', 1, 100);
const OPTUNA_TPE = peerSide('optuna-tpe', 1, 100);
const OPTUNA_TPE_8 = peerSide('optuna-tpe', 8, 48);
/** The start of two searches, which is cheap: it takes all seeds. */
const GP_START = modelSide('gp', 8, 24);
const OPTUNA_START = peerSide('optuna-tpe', 8, 24);
const SMAC_8 = peerSide('smac-forest', 8, 48);
const SIDES = [
  GP_8,
  GP_16,
  TPE,
  modelSide('tpe', 8, 100),
  modelSide('sobol', 1, 100),
  OPTUNA_TPE,
  OPTUNA_TPE_8,
  SMAC_8,
];

/** B2: samplers on recorded tables with noise, in rounds. A reason where the tables or the peers are missing. */
export async function tables({ seeds, say }: BenchSettings): Promise<BenchResult | { readonly reason: string }> {
  const worlds = readTables(HPOLIB);
  if ('reason' in worlds) return worlds;
  const peers = await SamplerPeers.start();
  if ('reason' in peers) return { reason: `The peers can't be installed here: ${peers.reason}` };
  using processes = peers;
  const chosen = seedsOf(Math.min(seeds, MOST_SEEDS));
  const scores = await scoreSides(worlds, SIDES, chosen, processes, say);
  const starts = await scoreSides(worlds, [GP_START, OPTUNA_START], seedsOf(seeds), processes, say);
  const scoredAt = (mark: Mark, { name }: Side): SideScores => scoresOf(mark === 24 ? starts : scores, name);
  const atMark = (side: Side, mark: Mark, limit: number): Target =>
    judge(`${side.name} at ${mark} ≤ ${limit}`, meanOf(scoredAt(mark, side).at(mark)), limit);
  const against = (ours: Side, theirs: Side, factor: number, mark: Mark): Target => {
    const measured = difference(scoredAt(mark, ours), scoredAt(mark, theirs), factor, mark);
    return judge(`${ours.name} at ${mark} minus ${factor} × ${theirs.name} ≤ 0`, measured, 0);
  };
  const ofOptuna = (mark: Mark): string => {
    const [own, other] = [TPE, OPTUNA_TPE].map(({ name }) => meanOf(scoresOf(scores, name).at(mark)).mean);
    const gap = difference(scoresOf(scores, TPE.name), scoresOf(scores, OPTUNA_TPE.name), 1, mark);
    return `${((own ?? 0) / (other ?? 1)).toFixed(2)} at ${mark}, a difference of ${withInterval(gap, shown)}`;
  };
  const ofSmac = (mark: Mark): string =>
    withInterval(difference(scoresOf(scores, GP_8.name), scoresOf(scores, SMAC_8.name), 1, mark), shown);
  return {
    title: `B2 tables: regret on ${worlds.length} HPOLib tables, ${chosen.length} seeds`,
    columns: [
      { title: 'sampler' },
      ...MARKS.map((mark) => ({ title: `n = ${mark}`, align: 'right' as const })),
      { title: 'wall', align: 'right' },
    ],
    rows: [...scores.values()].map((side) => side.cells()),
    targets: [
      atMark(GP_8, 24, 0.16),
      atMark(GP_8, 48, 0.07),
      atMark(GP_16, 100, 0.085),
      against(GP_8, OPTUNA_TPE_8, 0.5, 24),
      against(GP_8, OPTUNA_TPE_8, 0.5, 48),
      against(TPE, OPTUNA_TPE, 1.1, 48),
      against(TPE, OPTUNA_TPE, 1.1, 100),
    ],
    notes: [
      'Regret: true value of the best observed point minus the optimum, as a part of the distance from the mean of the table. Observations ' +
        'are one of four recorded seeds. Wall: time of all suggestions of a search.',
      `Targets at 24 are judged by ${seeds} seeds.`,
      `For comparison: ${GP_8.name} minus ${SMAC_8.name}: ${ofSmac(24)} at 24; ${ofSmac(48)} at 48.`,
      `Graft's TPE one by one, as a multiple of Optuna's: ${ofOptuna(24)}; ${ofOptuna(48)}; ${ofOptuna(100)}.`,
    ],
  };
}
