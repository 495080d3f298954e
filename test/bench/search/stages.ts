import type { BudgetSpec, StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import { atLeast, atMost, percent, points } from './bench-result.ts';
import type { BenchResult, BenchSettings } from './bench-result.ts';
import { searchWithGraft } from './graft-search.ts';
import { exhaustiveWinner } from './outcome.ts';
import { meanOf } from './paired-interval.ts';
import { exhaustiveSeconds } from './world.ts';
import type { RecordedGrid } from './recorded-grid.ts';
import { describeGrid, readRecordedGrid, recordedWorld } from './worlds/recorded.ts';

const REPLAYS = 200;
const SLOTS = 4;
/** Distance from the exhaustive winner that counts as found. */
const NEAR = 0.003;
const MIN_FOUND = 0.9;
const MAX_SECONDS = 0.1;

interface Side {
  readonly stopping: Partial<StoppingSpec>;
  /** Part of the exhaustive grid's slot-seconds; null: no budget. */
  readonly budget: number | null;
}

/** The first one has the targets. */
const SIDES: Readonly<Record<string, Side>> = {
  'promotion, budget 10 %': { stopping: { rule: 'promotion' }, budget: MAX_SECONDS },
  'promotion, budget 5 %': { stopping: { rule: 'promotion' }, budget: MAX_SECONDS / 2 },
  promotion: { stopping: { rule: 'promotion' }, budget: null },
  'promotion, promote_idle: false': { stopping: { rule: 'promotion', promoteIdle: false }, budget: null },
};

interface Replay {
  /** True accuracy of the exhaustive winner minus that of the search's. */
  readonly gap: number;
  /** The same as both searches saw it. */
  readonly seenGap: number;
  readonly seconds: number;
  readonly complete: number;
}

/** B5: heads first, then the promising fine-tunes, replayed on the recorded grid. A reason where there is none. */
export async function stages({ say }: BenchSettings): Promise<BenchResult | { readonly reason: string }> {
  const grid = readRecordedGrid();
  if ('reason' in grid) return grid;
  const sides = new Map<string, Replay[]>();
  for (const [name, side] of Object.entries(SIDES)) {
    say(`stages: ${name}`);
    const replays: Replay[] = [];
    for (let seed = 1; seed <= REPLAYS; seed++) replays.push(await replayOf(recordedWorld(grid, seed), side));
    sides.set(name, replays);
  }
  const [ours = []] = sides.values();
  sides.set('all to the end, other images drawn', otherLuck(grid));
  const found = meanOf(ours.map(({ gap }) => (gap <= NEAR ? 1 : 0)));
  const whole = exhaustiveSeconds(recordedWorld(grid, 0));
  const fineTunes = grid.runs.filter(({ fineTune }) => fineTune !== null).length;
  return {
    title: `B5 stages: ${REPLAYS} replays of the recorded grid (${grid.runs.length} runs, ${fineTunes} of them fine-tuned), ${SLOTS} slots`,
    columns: [
      { title: 'search' },
      { title: 'slot-seconds', align: 'right' },
      { title: 'within 0.3 points', align: 'right' },
      { title: 'mean gap, points', align: 'right' },
      { title: 'gap as seen', align: 'right' },
      { title: 'fine-tuned to the end', align: 'right' },
    ],
    rows: [...sides].map(([name, replays]) => {
      const mean = (of: (replay: Replay) => number): number => meanOf(replays.map(of)).mean;
      const gap = meanOf(replays.map((replay) => replay.gap));
      return [
        name,
        percent(mean(({ seconds }) => seconds)),
        percent(mean((replay) => (replay.gap <= NEAR ? 1 : 0))),
        `${points(gap.mean)} ± ${points((gap.high - gap.low) / 2)}`,
        seen(mean(({ seenGap }) => seenGap)),
        mean(({ complete }) => complete).toFixed(1),
      ];
    }),
    targets: [
      // A share of replays: the target is for the share itself.
      {
        ...atLeast('within 0.3 points of the exhaustive winner in ≥ 90 %', found, MIN_FOUND, percent),
        isMet: found.mean >= MIN_FOUND,
      },
      atMost(
        'slot-seconds ≤ 10 % of the exhaustive grid',
        meanOf(ours.map(({ seconds }) => seconds)),
        MAX_SECONDS,
        percent,
      ),
    ],
    notes: [
      `Recorded ${grid.createTime} on ${grid.machine}: ${whole.toFixed(0)} slot-seconds; ${grid.dataset}, ${grid.validationImages} validation images.`,
      ...describeGrid(grid, grid.validationImages),
      'Each replay has another order of runs and draws the validation images with replacement; both the exhaustive grid and the search ' +
        'choose by the drawn images, and the gap is between their choices on the recorded ones. Two exhaustive searches that draw other ' +
        'images are the limit of what luck leaves.',
    ],
  };
}

function seen(gap: number): string {
  return Number.isNaN(gap) ? '' : points(gap);
}

/** Returns how far the choices of two exhaustive searches are apart that draw other validation images: what luck alone makes. */
function otherLuck(grid: RecordedGrid): Replay[] {
  return Array.from({ length: REPLAYS }, (_, index) => {
    const best = exhaustiveWinner(recordedWorld(grid, index + 1));
    const world = recordedWorld(grid, REPLAYS + index + 1);
    const other = exhaustiveWinner(world);
    const complete = world.runs.filter(({ fineTune }) => fineTune !== null).length;
    return { gap: best.truth - other.truth, seenGap: Number.NaN, seconds: 1, complete };
  });
}

async function replayOf(world: ReturnType<typeof recordedWorld>, { stopping, budget }: Side): Promise<Replay> {
  const whole = exhaustiveSeconds(world);
  const bound: BudgetSpec | null =
    budget === null ? null : { slotSeconds: budget * whole, wallSeconds: null, target: null };
  const outcome = await searchWithGraft(world, {
    stopping,
    slots: SLOTS,
    ...(bound === null ? {} : { budget: bound }),
  });
  const best = exhaustiveWinner(world);
  return {
    gap: best.truth - outcome.winner.truth,
    seenGap: best.value - outcome.winner.value,
    seconds: outcome.slotSeconds / whole,
    complete: outcome.complete.filter((run) => world.runs[run]?.fineTune !== null).length,
  };
}
