import { atMost, percent, seedsOf } from './bench-result.ts';
import type { BenchResult, BenchSettings } from './bench-result.ts';
import { searchWithGraft } from './graft-search.ts';
import { gridSpace, trialArrivals } from './grid-space.ts';
import { bestOf, exhaustiveWinner, secondsUntil } from './outcome.ts';
import type { Arrival, Winner } from './outcome.ts';
import { meanOf } from './paired-interval.ts';
import type { RecordedGrid } from './recorded-grid.ts';
import { SAMPLER_PEERS } from './samplers/sampler-peers.ts';
import type { SamplerPeer, SamplerPeers } from './samplers/sampler-peers.ts';
import type { WorldPoint } from './samplers/sampler-world.ts';
import { exhaustiveSeconds } from './world.ts';
import { recordedWorld } from './worlds/recorded.ts';
import type { RecordedWorld } from './worlds/recorded.ts';

/** Trials of a peer, which repeats points; the grids have fewer runs. */
const TRIALS = 200;
const OF_ALONE = 1 / 5;
const OF_SHARED = 1 / 2;
const GRAFT = 'Graft promotion';
const PEERS = ['optuna-tpe', 'optuna-group'] as const satisfies readonly SamplerPeer[];

/** One search of one replay. */
interface Reached {
  /** Slot-seconds as a part of those of the exhaustive grid with shared work. */
  readonly part: number;
  readonly isReached: boolean;
}

/**
 * B5, second half: slot-seconds until the best run so far has almost the value of the exhaustive winner, on the images that both see: a
 * value that is reached stays so. Peers suggest one run after the other, each
 * trained to its end: with all results known a sampler needs the fewest trials. A search that does not come near is charged what the
 * whole grid costs at its prices, or what it has spent if that is more.
 *
 * @param near largest difference of the values
 */
export async function timeToReach(
  name: string,
  grid: RecordedGrid,
  near: number,
  slots: number,
  peers: SamplerPeers,
  { seeds, say }: BenchSettings,
): Promise<BenchResult> {
  const space = gridSpace(grid);
  const found = new Map<string, Reached[]>();
  const add = (search: string, world: RecordedWorld, arrivals: readonly Arrival[], whole: number): void => {
    const seconds = secondsUntil(world, arrivals, nearWinner(world, near));
    const spent = Math.max(whole, arrivals.at(-1)?.slotSeconds ?? 0);
    const reached = { part: (seconds ?? spent) / exhaustiveSeconds(world), isReached: seconds !== null };
    found.set(search, [...(found.get(search) ?? []), reached]);
  };
  say(`stages, ${name}: slot-seconds to the winner`);
  for (const seed of seedsOf(seeds)) {
    const world = recordedWorld(grid, seed);
    const places = new Map(world.recordedRuns.map((recorded, run) => [recorded, run]));
    const all = [...world.runs.keys()];
    const { arrivals } = await searchWithGraft(world, { stopping: { rule: 'promotion' }, slots });
    add(GRAFT, world, arrivals, exhaustiveSeconds(world));
    for (const peer of PEERS) {
      const trials: number[] = [];
      const observe = (point: WorldPoint): number => {
        const run = places.get(space.runAt(point)) ?? 0;
        trials.push(run);
        return -(bestOf(world, run, { head: true, epochs: world.runs[run]?.fineTuneEpochs ?? 0 })?.value ?? Number.NaN);
      };
      const isFound = (): boolean => {
        return secondsUntil(world, trialArrivals(grid, world, trials, false), nearWinner(world, near)) !== null;
      };
      await peers.searchBy(space.dimensions, { peer, batch: 1, count: TRIALS, seed }, observe, isFound);
      for (const isShared of [false, true]) {
        const whole = trialArrivals(grid, world, all, isShared).at(-1)?.slotSeconds ?? 0;
        add(sideOf(peer, isShared), world, trialArrivals(grid, world, trials, isShared), whole);
      }
    }
  }
  const partsOf = (search: string): number[] => (found.get(search) ?? []).map(({ part }) => part);
  const target = (isShared: boolean, factor: number): BenchResult['targets'][number] => {
    const other = sideOf('optuna-tpe', isShared);
    const theirs = partsOf(other);
    const differences = partsOf(GRAFT).map((part, seed) => part - factor * (theirs[seed] ?? Number.NaN));
    return atMost(`${name}: ${GRAFT} minus ${factor} × ${other} ≤ 0`, meanOf(differences), 0, percent);
  };
  return {
    title: `B5 stages, ${name}: slot-seconds until the best run is within ${100 * near} points of the exhaustive winner, ${seeds} replays`,
    columns: [
      { title: 'search' },
      { title: 'slot-seconds of the grid', align: 'right' },
      { title: 'median', align: 'right' },
      { title: 'reached', align: 'right' },
    ],
    rows: [...found].map(([search, all]) => {
      const { mean, high } = meanOf(all.map(({ part }) => part));
      const sorted = all.map(({ part }) => part).sort((a, b) => a - b);
      return [
        search,
        `${percent(mean)} ± ${percent(high - mean)}`,
        percent(sorted[Math.floor(sorted.length / 2)] ?? Number.NaN),
        percent(meanOf(all.map(({ isReached }) => (isReached ? 1 : 0))).mean),
      ];
    }),
    targets: [target(false, OF_ALONE), target(true, OF_SHARED)],
    notes: [
      `Peers suggest ${TRIALS} runs one after the other, each trained to its end: a sampler that knows all results needs the fewest. Alone each ` +
        'trial pays features, its part of a group of heads, and its fine-tuning; shared, each of these is paid once and a repeated run ' +
        'nothing. A search that does not come near is charged the whole grid at its prices, or what it has spent if that is more.',
    ],
  };
}

/** Returns whether the best run so far has almost the value of the exhaustive winner. */
function nearWinner(world: RecordedWorld, near: number): (winner: Winner) => boolean {
  const best = exhaustiveWinner(world);
  return ({ value }) => best.value - value <= near;
}

function sideOf(peer: (typeof PEERS)[number], isShared: boolean): string {
  return `${SAMPLER_PEERS[peer]}, ${isShared ? 'shared' : 'alone'}`;
}
