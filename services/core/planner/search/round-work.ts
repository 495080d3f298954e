import { groupByKey } from '../../group-by-key.ts';
import type { SearchPolicy } from '../../stopping/policy.ts';
import { shareHeads, headDigest } from '../head-phase.ts';
import { layOut } from '../lay-out.ts';
import type { CostContext } from '../cost/task-cost.ts';
import type { Cluster, Plan } from '../plan.ts';
import type { RunNeeds } from '../run-needs.ts';
import { headGroups } from '../train-group.ts';
import { featureWorkOf, runWorkOf } from './search-work.ts';
import type { RunWork, SearchWork } from './search-work.ts';
import type { RoundWork } from './simulate-search.ts';

/** Runs of a simulated sweep; the costs of a larger one are scaled. */
const MOST_RUNS = 100;

/** An adaptive sweep whose expected runs are planned. */
export interface RoundsInput {
  readonly policy: SearchPolicy;
  /** Plan of all expected runs, of which the features are taken. */
  readonly plan: Plan;
  /** Needs of the expected runs; those of the first round come first. */
  readonly needs: readonly RunNeeds[];
  /** Number of runs of the first round. */
  readonly firstCount: number;
  readonly context: CostContext;
  readonly cluster: Cluster;
}

/**
 * The work of an adaptive sweep, round by round. A simulated round stands for `scale` rounds of a large sweep, one after the other, so that its
 * heads cost what those of one round cost.
 */
export class RoundPlans {
  readonly scale: number;
  readonly #input: RoundsInput;
  readonly #needs: readonly RunNeeds[];
  readonly #features: ReturnType<typeof featureWorkOf>;
  /** Runs with the same head have the same number. */
  readonly #headGroups: readonly number[];
  readonly #known = new Map<string, RoundWork>();

  constructor(input: RoundsInput) {
    this.#input = input;
    this.#needs = input.needs.slice(0, MOST_RUNS);
    this.scale = input.needs.length / Math.max(1, this.#needs.length);
    this.#features = featureWorkOf(input.plan, this.scale);
    const numbers = new Map<string, number>();
    this.#headGroups = this.#needs.map(({ run }) => {
      const digest = headDigest(run.config);
      const number = numbers.get(digest) ?? numbers.size;
      numbers.set(digest, number);
      return number;
    });
  }

  /** All runs, as far as their scores depend on them. */
  get runs(): readonly Pick<RunWork, 'headGroup'>[] {
    return this.#headGroups.map((headGroup) => ({ headGroup }));
  }

  /** Returns the first round. Its shared work has the features of all rounds. */
  first(): SearchWork {
    const { shared } = this.#features;
    const round = this.#round(0, this.#input.firstCount);
    return { ...shifted(round, 0, shared.length), shared: [...shared, ...round.shared], scale: this.scale };
  }

  /**
   * Returns the round of some of the runs.
   *
   * @param from number of runs before
   * @param sharedCount number of tasks of shared work before
   */
  next(from: number, count: number, sharedCount: number): RoundWork {
    return shifted(this.#round(from, count), from, sharedCount);
  }

  /** Returns a round, with positions that count from its own first run and task. Features have their places before all. */
  #round(from: number, count: number): RoundWork {
    const key = `${from} ${count}`;
    const known = this.#known.get(key) ?? this.#plan(from, count);
    this.#known.set(key, known);
    return known;
  }

  #plan(from: number, count: number): RoundWork {
    const { policy, context, cluster } = this.#input;
    const needs = this.#needs.slice(from, from + count);
    const before = new Set(this.#headGroups.slice(0, from));
    const numberOf = (position: number): number => this.#headGroups[from + position] ?? 0;
    const fresh = needs.filter((_, position) => !before.has(numberOf(position)));
    const headRuns = shareHeads(fresh.map(({ run }) => run));
    const served = groupByKey([...fresh.keys()], (place) => headRuns.get(fresh[place]?.run.runId ?? '') ?? '');
    const positions = new Map(needs.map((need, position) => [need, position]));
    const groups = headGroups(context, fresh, headRuns, cluster.memoryBytes);
    const tasks = layOut({ sweepId: 'round', cluster }, headRuns, [], groups);
    const shared = tasks.map(({ forecast, runIds, featureSets }) => ({
      seconds: forecast.seconds,
      dependsOn: [...new Set(featureSets.flatMap(({ key }) => this.#features.places.get(key) ?? []))],
      heads: runIds.flatMap((runId) =>
        (served.get(runId) ?? []).flatMap((place) => {
          const need = fresh[place];
          return need === undefined ? [] : (positions.get(need) ?? []);
        }),
      ),
    }));
    const runs = needs.map((need, position) => {
      const place = shared.findIndex(({ heads }) => heads.includes(position));
      const headWork = place === -1 ? null : place;
      return runWorkOf(policy, need, context, this.#features.places, headWork, numberOf(position));
    });
    return { shared, runs };
  }
}

/** Moves the positions of a round behind those before it. */
function shifted({ shared, runs }: RoundWork, firstRun: number, firstWork: number): RoundWork {
  return {
    shared: shared.map((work) => ({ ...work, heads: work.heads.map((position) => position + firstRun) })),
    runs: runs.map((run) => ({ ...run, headWork: run.headWork === null ? null : run.headWork + firstWork })),
  };
}
