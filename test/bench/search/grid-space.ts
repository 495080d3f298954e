import { groupByKey } from '../../../services/core/group-by-key.ts';
import { cutFeatures } from './graft-search.ts';
import type { Arrival } from './outcome.ts';
import type { RecordedGrid } from './recorded-grid.ts';
import type { WorldDimension, WorldPoint } from './samplers/sampler-world.ts';
import { lastOf } from './world.ts';
import type { RecordedWorld } from './worlds/recorded.ts';

/** A recorded grid as a space of conditional dimensions. */
export interface GridSpace {
  readonly dimensions: readonly WorldDimension[];
  /** Returns the position of a point's run in the recorded grid. */
  readonly runAt: (point: WorldPoint) => number;
}

/** Returns the grid as a space: a choice of the backbone, and for each backbone the parameters that vary in its runs. */
export function gridSpace({ runs }: RecordedGrid): GridSpace {
  const byBackbone = [...groupByKey(runs, ({ backbone }) => backbone).values()];
  const names = [...new Set(runs.flatMap(({ parameters }) => Object.keys(parameters)))];
  const varied = names
    .filter((name) => name !== 'backbone')
    .flatMap((name) => {
      const lists = byBackbone.map((own) => valuesOf(own.map(({ parameters }) => parameters[name])));
      // Backbones with the same values share a dimension.
      const places = groupByKey(lists.keys(), (backbone) => JSON.stringify(lists[backbone]));
      return [...places.values()].flatMap((anyOf) => {
        const values = lists[anyOf[0] ?? 0] ?? [];
        return values.length < 2 ? [] : [{ name, id: `${name} ${anyOf.join(' ')}`, values, anyOf }];
      });
    });
  const pointOf = (run: RecordedGrid['runs'][number]): WorldPoint => {
    const backbone = byBackbone.findIndex((own) => own.includes(run));
    const own = varied.filter(({ anyOf }) => anyOf.includes(backbone));
    return Object.fromEntries([
      ['backbone', backbone],
      ...own.map(({ name, id, values }) => [id, values.indexOf(run.parameters[name])] as const),
    ]);
  };
  const keyOf = (point: WorldPoint): string =>
    JSON.stringify(Object.entries(point).sort(([a], [b]) => (a < b ? -1 : 1)));
  const places = new Map(runs.map((run, place) => [keyOf(pointOf(run)), place]));
  return {
    dimensions: [
      { name: 'backbone', kind: 'choice', count: byBackbone.length },
      ...varied.map(({ id, values, anyOf }): WorldDimension => {
        const when = anyOf.length === byBackbone.length ? {} : { when: { name: 'backbone', anyOf } };
        return values.every((value) => typeof value === 'number')
          ? { name: id, kind: 'steps', low: 0, high: values.length - 1, step: 1, ...when }
          : { name: id, kind: 'choice', count: values.length, ...when };
      }),
    ],
    runAt: (point) => {
      const place = places.get(keyOf(point));
      if (place === undefined) throw new RangeError(`The grid has no run ${keyOf(point)}.`);
      return place;
    },
  };
}

/** Returns different values in their order; those that are absent don't count. */
function valuesOf(values: readonly unknown[]): unknown[] {
  const known = [...new Set(values)].filter((value) => value !== undefined);
  return known.every((value) => typeof value === 'number') ? known.sort((a, b) => a - b) : known;
}

/**
 * Returns what trials cost that train runs to their end, one after the other. Alone each trial pays the features of its backbone, its
 * part of a group of heads, and its fine-tuning. Shared, each of these is paid once.
 *
 * @param runs positions in the world
 */
export function trialArrivals(
  grid: RecordedGrid,
  world: RecordedWorld,
  runs: readonly number[],
  isShared: boolean,
): Arrival[] {
  const paid = new Set<string>();
  let slotSeconds = 0;
  const pay = (work: string, seconds: number): void => {
    if (isShared && paid.has(work)) return;
    paid.add(work);
    slotSeconds += seconds;
  };
  const headOf = (run: number): string => {
    const parameters = Object.entries(grid.runs[world.recordedRuns[run] ?? 0]?.parameters ?? {});
    return JSON.stringify(parameters.filter(([name]) => !name.startsWith('fine_tune.')));
  };
  const { shared, taskSeconds } = world;
  const headCounts = shared.map((task) => new Set(task.runs.map(headOf)).size);
  const cuts = cutFeatures(world);
  const payFeatures = (place: number): void => pay(`features ${place}`, shared[place]?.seconds ?? 0);
  return runs.map((run): Arrival => {
    const group = shared.findIndex((task) => task.runs.includes(run));
    const features = shared[group]?.after ?? null;
    if (features !== null) payFeatures(features);
    pay(`head ${headOf(run)}`, (shared[group]?.seconds ?? 0) / (headCounts[group] ?? 1));
    const { fineTune, fineTuneEpochs } = world.runs[run] ?? { fineTune: null, fineTuneEpochs: null };
    if (fineTune !== null) {
      for (const cut of cuts) payFeatures(cut);
      pay(`run ${run}`, taskSeconds + lastOf(fineTune.seconds));
    }
    return { slotSeconds, run, trained: { head: true, epochs: fineTuneEpochs ?? 0 } };
  });
}
