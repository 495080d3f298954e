import { nearness } from './text/nearest-name.ts';

/** Kinds of things that a handle can name; `proto/graft/v1/handle.proto` has the forms of each. */
export type HandleKind = 'SWEEP' | 'RUN' | 'CHECKPOINT' | 'TRAINER';

/** Results of resolving a handle. */
export type HandleOutcome = 'FOUND' | 'AMBIGUOUS' | 'NOT_FOUND';

/** Names the latest sweep wherever a sweep is wanted. */
export const LATEST = 'latest';

/** Names the best run of a sweep in `SWEEP/best`. */
export const BEST = 'best';

/** Most candidates of an ambiguous handle that are listed. */
export const MAX_AMBIGUOUS = 5;
/** Most candidates of an unknown handle that are listed. */
export const MAX_NEAREST = 3;

/** Something with an identity and a name for people, which may be empty. */
export interface Nameable {
  readonly id: string;
  readonly displayName: string;
}

/** The things that a handle names. */
export interface HandleMatches<T> {
  readonly items: readonly T[];
  /** True if the handle is a whole identity or name, not a prefix. */
  readonly isWhole: boolean;
}

/** Returns the things with this identity; else those with this name; else those of which either starts with the handle. */
export function matchHandle<T extends Nameable>(handle: string, things: readonly T[]): HandleMatches<T> {
  const wanted = handle.toLowerCase();
  const identical = things.filter(({ id }) => id === handle);
  const byId = identical.length > 0 ? identical : things.filter(({ id }) => id.toLowerCase() === wanted);
  if (byId.length > 0) return { items: byId, isWhole: true };
  const byName = things.filter(({ displayName }) => displayName.toLowerCase() === wanted);
  if (byName.length > 0) return { items: byName, isWhole: true };
  const startsSo = (text: string): boolean => text.toLowerCase().startsWith(wanted);
  return {
    items: things.filter(({ id, displayName }) => startsSo(id) || startsSo(displayName)),
    isWhole: false,
  };
}

/** Returns the things whose name contains the handle or is spelled similarly, the nearest first. */
export function nearestThings<T extends Nameable>(handle: string, things: readonly T[]): readonly T[] {
  return things
    .map((thing) => ({
      thing,
      distance: Math.min(distanceTo(handle, thing.id), distanceTo(handle, thing.displayName)),
    }))
    .filter(({ distance }) => distance < Infinity)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MAX_NEAREST)
    .map(({ thing }) => thing);
}

function distanceTo(handle: string, name: string): number {
  if (name === '') return Infinity;
  if (name.toLowerCase().includes(handle.toLowerCase())) return 0;
  const distance = nearness(handle, name);
  return distance < handle.length ? distance : Infinity;
}

/** A run by its sweep and its number within it. */
export interface RunOfSweep {
  /** Handle of the sweep. */
  readonly sweep: string;
  readonly run: number | typeof BEST;
}

const RUN_OF_SWEEP = /^(.+)\/(\d{1,9}|best)$/s;
const NUMBER = /^\d{1,9}$/;

/** Reads `SWEEP/3`, `SWEEP/best` or `3`, a run of the latest sweep; null for another form. */
export function parseRunOfSweep(handle: string): RunOfSweep | null {
  if (NUMBER.test(handle)) return { sweep: LATEST, run: Number(handle) };
  const [, sweep, run] = RUN_OF_SWEEP.exec(handle) ?? [];
  if (sweep === undefined || run === undefined) return null;
  return { sweep, run: run === BEST ? BEST : Number(run) };
}
