import type { HandleOutcome, Nameable } from '../handle.ts';

/** Something that an ambiguous or unknown handle may mean. */
export interface HandleCandidate extends Nameable {
  readonly state: string;
  readonly createTime: Date;
}

/** Result of resolving a handle. */
export interface ResolvedHandle {
  readonly outcome: HandleOutcome;
  /** Empty unless the outcome is FOUND. */
  readonly id: string;
  /** Sentences that say why the handle names no single thing, and introduce the candidates; else empty. */
  readonly problem: string;
  readonly candidates: readonly HandleCandidate[];
}
