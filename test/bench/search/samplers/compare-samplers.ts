import { atMost } from '../bench-result.ts';
import type { Target } from '../bench-result.ts';
import { meanOf } from '../paired-interval.ts';
import type { Mean } from '../paired-interval.ts';
import { searchWithModel } from './model-search.ts';
import type { ModelSettings, SearchTrace } from './model-search.ts';
import { SAMPLER_PEERS } from './sampler-peers.ts';
import type { PeerSearch, SamplerPeers } from './sampler-peers.ts';
import { regretsOf } from './sampler-world.ts';
import type { SamplerWorld } from './sampler-world.ts';

/** Numbers of evaluations at which regrets are compared. */
export const MARKS = [12, 24, 48, 100] as const;
export type Mark = (typeof MARKS)[number];
/** Slow searches: more seeds would take hours. */
export const MOST_SEEDS = 20;

/** A sampler with its settings. */
export type Side =
  ({ readonly name: string } & Omit<ModelSettings, 'seed'>) | ({ readonly name: string } & Omit<PeerSearch, 'seed'>);

export function peerSide(peer: PeerSearch['peer'], batch: number, count: number): Side {
  const name = batch === 1 ? SAMPLER_PEERS[peer] : `${SAMPLER_PEERS[peer]}, batches of ${batch}`;
  return { name, peer, batch, count };
}

export function modelSide(model: ModelSettings['model'], batch: number, count: number): Side {
  const name = batch === 1 ? `Graft ${model}` : `Graft ${model}, rounds of ${batch}`;
  return { name, model, batch, count };
}

/** Regrets of one side on some worlds, and its time. */
export class SideScores {
  readonly side: Side;
  /** Regrets of each seed: the mean over the worlds, at each number of evaluations. */
  readonly #regrets: number[][] = [];
  #seconds = 0;
  #searches = 0;

  constructor(side: Side) {
    this.side = side;
  }

  /** Adds the searches of one seed. */
  add(worlds: readonly SamplerWorld[], traces: readonly SearchTrace[]): void {
    const regrets = traces.map(({ points, observed }, place) => {
      const world = worlds[place];
      return world === undefined ? [] : regretsOf(world, points, observed);
    });
    const sums = regrets[0]?.map((_, n) => regrets.reduce((sum, each) => sum + (each[n] ?? Number.NaN), 0)) ?? [];
    this.#regrets.push(sums.map((sum) => sum / regrets.length));
    this.#seconds += traces.reduce((sum, { seconds }) => sum + seconds, 0);
    this.#searches += traces.length;
  }

  /** Returns the regret of each seed; NaN where the search is shorter. */
  at(mark: Mark): number[] {
    return this.#regrets.map((regrets) => regrets[mark - 1] ?? Number.NaN);
  }

  /** Wall time of the suggestions of a search. */
  get secondsPerSearch(): number {
    return this.#seconds / this.#searches;
  }

  /** Returns the cells of a table: mean regrets with the half width of their intervals, and the time. */
  cells(): string[] {
    const regrets = MARKS.map((mark) => {
      const values = this.at(mark);
      if (values.some(Number.isNaN)) return '';
      const { mean, high } = meanOf(values);
      return `${shown(mean)} ± ${shown(high - mean)}`;
    });
    return [this.side.name, ...regrets, `${this.secondsPerSearch.toFixed(1)} s`];
  }
}

export function shown(regret: number): string {
  return Math.abs(regret) >= 0.0005 ? regret.toFixed(3) : regret.toPrecision(2);
}

/** Returns a side's regret minus a multiple of another one's, by seed. */
export function difference(ours: SideScores, theirs: SideScores, factor: number, mark: Mark): Mean {
  const other = theirs.at(mark);
  return meanOf(ours.at(mark).map((regret, seed) => regret - factor * (other[seed] ?? Number.NaN)));
}

/**
 * Returns the verdict on a target of twenty seeds. Where these can neither show nor refute it, it is missed with that reason: more
 * seeds would take hours.
 */
export function judge(name: string, measured: Mean, limit: number): Target {
  return { ...atMost(name, measured, limit, shown), hasReason: measured.low <= limit };
}

/** Searches the worlds by each side with the same seeds. */
export async function scoreSides(
  worlds: readonly SamplerWorld[],
  sides: readonly Side[],
  seeds: readonly number[],
  peers: SamplerPeers,
  say: (line: string) => void,
): Promise<Map<string, SideScores>> {
  const scores = new Map<string, SideScores>();
  for (const side of sides) {
    const own = new SideScores(side);
    scores.set(side.name, own);
    for (const seed of seeds) {
      const traces: SearchTrace[] = [];
      for (const world of worlds) {
        traces.push(
          'peer' in side ? await peers.search(world, { ...side, seed }) : searchWithModel(world, { ...side, seed }),
        );
      }
      own.add(worlds, traces);
    }
    say(`${worlds.map(({ name }) => name).join(', ')}: ${own.cells().join('  ')}`);
  }
  return scores;
}

export function scoresOf(scores: ReadonlyMap<string, SideScores>, name: string): SideScores {
  const found = scores.get(name);
  if (found === undefined) throw new Error(`${name} was not scored.`);
  return found;
}
