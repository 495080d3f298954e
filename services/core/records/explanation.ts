import type { Stage } from '../task.ts';
import type { DecisionKind } from './decision.ts';

/** A stored verdict or action of a sweep's search. */
export interface DecisionRecord {
  /** Number within the sweep, from 1. */
  readonly decisionId: bigint;
  readonly sweepId: string;
  readonly createTime: Date;
  /** null: a kind that this version does not know. */
  readonly kind: DecisionKind | null;
  /** null: the decision is about the whole sweep. */
  readonly runId: string | null;
  /** null: the decision is not about a rung. */
  readonly rung: number | null;
  /** Rule and version, such as `promotion@1`; empty for orders of people. */
  readonly rule: string;
  /** Place among the entries of the rung at that time, from 1. */
  readonly place: number | null;
  /** Number of the best entries that continue. */
  readonly cut: number | null;
  readonly pValue: number | null;
  readonly alpha: number | null;
  /** A sentence for people. */
  readonly reason: string;
  /** The other inputs as a JSON object. */
  readonly inputs: string;
}

/** A point of training at which runs are compared. */
export interface RungRecord {
  /** Number in the order of training, from 0. */
  readonly rung: number;
  readonly stage: Stage | null;
  /** null: the end of the stage. */
  readonly epoch: number | null;
  readonly entryCount: number;
}

/** A run at a rung. */
export interface RungEntryRecord {
  readonly rung: number;
  readonly runId: string;
  readonly runIndex: number;
  /** Number in the order of arrival at the rung, from 1. */
  readonly arrival: number;
  readonly value: number;
  readonly standardError: number | null;
  /** Epoch of the stage whose model was measured. */
  readonly epoch: number;
  /** Place among the entries that compete, or among those that don't, from 1. */
  readonly place: number;
  /** True if the run has a further rung, for which it competes with the others. */
  readonly competes: boolean;
  /** True if the results per validation image are stored. */
  readonly hasEvidence: boolean;
  /** Kind of the latest decision about the run at this rung; null: none. */
  readonly decision: DecisionKind | null;
  /** Reason of that decision; empty: none. */
  readonly reason: string;
}

/** A paired comparison of a run with the entry at the cut, on the same validation images. */
export interface PairedComparisonRecord {
  readonly runId: string;
  readonly runIndex: number;
  readonly value: number;
  readonly place: number;
  readonly imageCount: number;
  /** Images on which only this run is right, and only the other one. */
  readonly onlyRunCorrect: number;
  readonly onlyOtherCorrect: number;
  /** One-sided mid-p-value of McNemar's test that this run classifies fewer images correctly. */
  readonly pValue: number;
}

/** A run at one rung: what was seen there, and what was decided. */
export interface RungVisitRecord {
  readonly rung: RungRecord;
  readonly entry: RungEntryRecord;
  /** Entries that the latest decision saw, best first, with their places then; the best one and at most 50 around the run and the cut. */
  readonly seen: readonly RungEntryRecord[];
  /** Number of entries that it saw. */
  readonly seenCount: number;
  /** Last place that trained on; null: the rule has no cut, or too few runs had come. */
  readonly cut: number | null;
  /** Runs that had failed on their way to the rung, which count as its worst. */
  readonly failedCount: number;
  /** Runs that compete at the rung by now, failed ones included. */
  readonly rivalCount: number;
  /** Decisions about the run at this rung, oldest first. */
  readonly decisions: readonly DecisionRecord[];
  /** null: the run is above the cut, or results per image are not stored. */
  readonly comparison: PairedComparisonRecord | null;
}

/** The answer to "why did this run come so far, and no further?". */
export interface RunExplanation {
  /** Rungs that the run reached, in the order of training. */
  readonly visits: readonly RungVisitRecord[];
  /** Decisions about the run that are not about a rung. */
  readonly otherDecisions: readonly DecisionRecord[];
  /** Conditions under which the run would train on, as sentences. */
  readonly outlook: readonly string[];
  /** Facts about rules that did not judge the run, as sentences. */
  readonly notes: readonly string[];
  /** A sentence on how it came into the sweep; empty unless its strategy has rounds. */
  readonly origin: string;
}

/** A decision that its recomputation does not confirm. */
export interface ReplayDifference {
  readonly decisionId: bigint;
  readonly stored: string;
  readonly recomputed: string;
}

/** Outcome of the recomputation of a sweep's decisions. */
export interface ReplayRecord {
  readonly decisionCount: number;
  readonly differenceCount: number;
  /** The first differences, at most 100. */
  readonly differences: readonly ReplayDifference[];
}

/** A candidate of a screen: a base up to a cut, at an image size and with a pooling. */
export interface ScreenEntryRecord {
  readonly backbone: string;
  readonly weights: string;
  /** Empty: the whole base. */
  readonly cut: string;
  readonly imageSize: number;
  readonly pooling: string;
  readonly imageCount: number;
  /** Images that a model predicts correctly which was fitted without them; null: no result. */
  readonly correctCount: number | null;
  /** Place by that number, from 1; null: not decided, or no result. */
  readonly place: number | null;
  /** Images on which only the best, and only this one, is right; null: it is the best, or was not compared. */
  readonly bestOnlyCount: number | null;
  readonly thisOnlyCount: number | null;
  readonly pValue: number | null;
  /** null: not decided yet. */
  readonly kept: boolean | null;
  readonly isBaseline: boolean;
  /** Printed; it decides nothing. */
  readonly logMe: number | null;
  readonly latencySeconds: number | null;
  /** Forecast slot-seconds of the features of all training and validation images. */
  readonly featureSeconds: number;
  readonly seconds: number | null;
  /** Reason for people for which it was kept or left out. */
  readonly reason: string;
}

/** The search of a sweep, explained. */
export interface SweepExplanation {
  /** Rule and version; empty until the sweep is planned. */
  readonly rule: string;
  /** The policy in words. */
  readonly policy: string;
  readonly rungs: readonly RungRecord[];
  readonly decisionCounts: readonly { readonly kind: DecisionKind | null; readonly count: number }[];
  /** Facts about the search, as sentences. */
  readonly notes: readonly string[];
  /** null: it was not requested. */
  readonly replay: ReplayRecord | null;
  /** Candidates of the screen, best first; empty: there is none. */
  readonly screen: readonly ScreenEntryRecord[];
}
