import { createStream } from '../../services/core/rng/stream.ts';
import type { RandomStream } from '../../services/core/rng/stream.ts';
import { FILE_DAMAGES } from '../support/damage-file.ts';
import { STORED_KINDS } from './stored-damage.ts';
import type { StoredKind, StoredTarget } from './stored-damage.ts';

/**
 * A fault. Durations are milliseconds; a fault with a duration is undone after it. QUOTA: the worker may not write files.
 */
export type FaultAction =
  | { readonly kind: 'KILL'; readonly target: ProcessTarget }
  | { readonly kind: 'STOP'; readonly target: ProcessTarget; readonly durationMs: number }
  | { readonly kind: 'CUT' | 'BLACK_HOLE'; readonly link: LinkTarget; readonly durationMs: number }
  | { readonly kind: 'QUOTA'; readonly target: ProcessTarget; readonly durationMs: number }
  | { readonly kind: 'DELAY'; readonly link: LinkTarget; readonly durationMs: number; readonly delayMs: number }
  | { readonly kind: 'POSTGRES'; readonly shutdown: 'fast' | 'immediate' }
  | { readonly kind: 'DAMAGE'; readonly stored: StoredTarget };

export interface ProcessTarget {
  readonly part: 'worker' | 'supervisor' | 'coordinator';
  /** Index of the coordinator, or of the trainer among those that hold a lease at that time. */
  readonly index: number;
}

/** The network from a trainer to a coordinator; `coordinator` null: to all coordinators. */
export interface LinkTarget {
  /** Index among the trainers that hold a lease at that time. */
  readonly trainer: number;
  readonly coordinator: number | null;
}

export interface Fault {
  /** Number of the fault, from 1. */
  readonly number: number;
  /** Milliseconds since the previous fault. */
  readonly afterMs: number;
  readonly action: FaultAction;
}

export interface ScheduleOptions {
  readonly seed: number;
  readonly faultCount: number;
  readonly trainerCount: number;
  readonly coordinatorCount: number;
  readonly leaseMs: number;
  /** Maximum pause between two faults; default 4.5 s. */
  readonly maxPauseMs?: number;
}

/** Pauses between two faults: after short ones faults overlap; long ones leave time to recover. */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 4_500;

/**
 * Plans the faults, determined by the seed. Each round of the deck has every kind of fault once, so that even a short schedule has most
 * kinds.
 */
export function planFaults(options: ScheduleOptions): readonly Fault[] {
  const random = createStream(options.seed, 'chaos');
  const faults: Fault[] = [];
  let deck: Card[] = [];
  while (faults.length < options.faultCount) {
    if (deck.length === 0) deck = shuffled(CARDS, random);
    const card = deck.pop();
    if (card === undefined) break;
    faults.push({
      number: faults.length + 1,
      afterMs: Math.round(between(random, MIN_PAUSE_MS, options.maxPauseMs ?? MAX_PAUSE_MS)),
      action: card(random, options),
    });
  }
  return faults;
}

/** Formats a fault for logs: `#3 after 1.2 s: KILL worker 1`. */
export function describeFault({ number, afterMs, action }: Fault): string {
  return `#${number} after ${(afterMs / 1_000).toFixed(1)} s: ${describeAction(action)}`;
}

function describeAction(action: FaultAction): string {
  switch (action.kind) {
    case 'KILL':
      return `KILL ${action.target.part} ${action.target.index}`;
    case 'STOP':
      return `STOP ${action.target.part} ${action.target.index} for ${seconds(action.durationMs)}`;
    case 'QUOTA':
      return `QUOTA on files of worker ${action.target.index} for ${seconds(action.durationMs)}`;
    case 'CUT':
    case 'BLACK_HOLE':
      return `${action.kind} ${describeLink(action.link)} for ${seconds(action.durationMs)}`;
    case 'DELAY':
      return `DELAY ${describeLink(action.link)} by ${seconds(action.delayMs)} for ${seconds(action.durationMs)}`;
    case 'POSTGRES':
      return `POSTGRES ${action.shutdown} shutdown and restart`;
    case 'DAMAGE':
      return `DAMAGE ${action.stored.kind} by ${action.stored.damage}`;
  }
}

function describeLink({ trainer, coordinator }: LinkTarget): string {
  return `trainer ${trainer} to ${coordinator === null ? 'all coordinators' : `coordinator ${coordinator}`}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

type Card = (random: RandomStream, options: ScheduleOptions) => FaultAction;

const CARDS: readonly Card[] = [
  killOf('worker'),
  killOf('worker'),
  killOf('supervisor'),
  killOf('coordinator'),
  stopOf('worker', 'within the lease'),
  stopOf('worker', 'past the lease'),
  stopOf('supervisor', 'within the lease'),
  stopOf('supervisor', 'past the lease'),
  stopOf('coordinator', 'within the lease'),
  stopOf('coordinator', 'past the lease'),
  (random, options) => ({
    kind: 'CUT',
    link: linkOf(random, options),
    durationMs: lasting(random, options, 'within the lease'),
  }),
  (random, options) => ({
    kind: 'CUT',
    link: { ...linkOf(random, options), coordinator: null },
    durationMs: lasting(random, options, 'past the lease'),
  }),
  (random, options) => ({
    kind: 'BLACK_HOLE',
    link: linkOf(random, options),
    durationMs: lasting(random, options, 'past the lease'),
  }),
  (random, options) => ({
    kind: 'BLACK_HOLE',
    link: { ...linkOf(random, options), coordinator: null },
    durationMs: lasting(random, options, 'past the lease'),
  }),
  (random, options) => ({
    kind: 'DELAY',
    link: linkOf(random, options),
    durationMs: lasting(random, options, 'past the lease'),
    delayMs: Math.round(between(random, 100, options.leaseMs / 4)),
  }),
  (random, options) => ({
    kind: 'DELAY',
    link: { ...linkOf(random, options), coordinator: null },
    durationMs: lasting(random, options, 'past the lease'),
    delayMs: Math.round(between(random, 1.1 * options.leaseMs, 1.5 * options.leaseMs)),
  }),
  (random, options) => ({
    kind: 'QUOTA',
    target: targetOf('worker', random, options),
    durationMs: lasting(random, options, 'within the lease'),
  }),
  () => ({ kind: 'POSTGRES', shutdown: 'fast' }),
  () => ({ kind: 'POSTGRES', shutdown: 'immediate' }),
  ...STORED_KINDS.map(damageOf),
];

type Lasting = 'within the lease' | 'past the lease';

function killOf(part: ProcessTarget['part']): Card {
  return (random, options) => ({ kind: 'KILL', target: targetOf(part, random, options) });
}

function stopOf(part: ProcessTarget['part'], how: Lasting): Card {
  return (random, options) => {
    const target = targetOf(part, random, options);
    return { kind: 'STOP', target, durationMs: lasting(random, options, how) };
  };
}

function damageOf(kind: StoredKind): Card {
  return (random) => {
    const damage = FILE_DAMAGES[below(random, FILE_DAMAGES.length)] ?? 'flip';
    return { kind: 'DAMAGE', stored: { kind, damage, place: random.uniform(), part: random.uniform() } };
  };
}

function targetOf(part: ProcessTarget['part'], random: RandomStream, options: ScheduleOptions): ProcessTarget {
  return { part, index: below(random, part === 'coordinator' ? options.coordinatorCount : options.trainerCount) };
}

function linkOf(random: RandomStream, options: ScheduleOptions): LinkTarget {
  return { trainer: below(random, options.trainerCount), coordinator: below(random, options.coordinatorCount) };
}

function lasting(random: RandomStream, { leaseMs }: ScheduleOptions, how: Lasting): number {
  return Math.round(
    how === 'past the lease'
      ? between(random, 1.2 * leaseMs, 2 * leaseMs)
      : between(random, 0.1 * leaseMs, 0.7 * leaseMs),
  );
}

function between(random: RandomStream, low: number, high: number): number {
  return low + random.uniform() * (high - low);
}

function below(random: RandomStream, count: number): number {
  return Math.min(count - 1, Math.floor(random.uniform() * count));
}

function shuffled(cards: readonly Card[], random: RandomStream): Card[] {
  const mixed = [...cards];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = below(random, last + 1);
    const card = mixed[last];
    const exchanged = mixed[other];
    if (card === undefined || exchanged === undefined) continue;
    mixed[last] = exchanged;
    mixed[other] = card;
  }
  return mixed;
}
