import type { WinnerRule } from '../sweep/finalist-spec.ts';

/** Choice of the winner of a sweep whose training has ended. */
export interface WinnerRecord {
  readonly runId: string;
  /** Number within the sweep. */
  readonly runIndex: number;
  readonly rule: WinnerRule;
  /** Mean of the objective over its trainings. */
  readonly score: number;
  readonly measurementCount: number;
  /** Score that is expected on new images; null: unknown. */
  readonly expectedScore: number | null;
  /** Number of runs whose place chance could have decided, the winner included. */
  readonly rivalCount: number;
  readonly bestRunId: string;
  /** Smallest model that is not distinguishable from the winner; null: there is none, and the following are null as well. */
  readonly cheaperRunId: string | null;
  readonly cheaperRunIndex: number | null;
  /** Bytes of that model, as a part of the winner's. */
  readonly cheaperPart: number | null;
  /** Mean outcome of that model on the images minus the winner's. */
  readonly cheaperDifference: number | null;
  readonly cheaperDifferenceStandardError: number | null;
  /** The choice with its numbers, in sentences for people. */
  readonly statements: readonly string[];
}
