import { nextAction } from '../../stopping/advance.ts';
import type { Promotion, RoundDue, SearchEnd } from '../../stopping/action.ts';
import type { Spending } from '../../stopping/budget.ts';
import { actionInputs, verdictInputs } from '../../stopping/decision-inputs.ts';
import { enterRung } from '../../stopping/enter-rung.ts';
import type { Measurement } from '../../stopping/enter-rung.ts';
import { judge } from '../../stopping/judge.ts';
import { stepAfter } from '../../stopping/ladder.ts';
import type { RungStep } from '../../stopping/ladder.ts';
import { pausesAt } from '../../stopping/policy.ts';
import type { SearchPolicy } from '../../stopping/policy.ts';
import type { StoredDecision } from '../../stopping/replay.ts';
import type { Arrival } from '../../stopping/rule.ts';
import type { RungEntry } from '../../stopping/rung-table.ts';
import type { SearchRun, SearchRunStatus, SearchState } from '../../stopping/search-state.ts';
import type { FineTuneWork, RunWork, SearchWork, SharedWork } from './search-work.ts';
import { TaskQueue } from './task-queue.ts';
import type { Limits, QueuedTask } from './task-queue.ts';

/** A search that is simulated: its work, what runs show at rungs, and its bounds. */
export interface SimulatedSweep {
  readonly policy: SearchPolicy;
  readonly work: SearchWork;
  readonly slotCount: number;
  readonly budget: Spending['budget'];
  /** Seconds of one slot before the search, and slot-seconds after it; a budget includes both. */
  readonly secondsBefore?: number;
  readonly secondsAfter?: number;
  /**
   * Returns what a run shows at a step of its way.
   *
   * @param position in `work.runs`
   * @param slotSeconds spent until then, without those before the search
   */
  readonly measure: (position: number, step: RungStep, slotSeconds: number) => Measurement;
  /** Returns how a run ends on its way to a step, other than by coming there; null: it comes there. */
  readonly faultOf?: (position: number, step: RungStep) => 'FAILED' | 'INFEASIBLE' | null;
  /** Rounds of an adaptive sweep, of which `work` is the first; its policy has them, too. */
  readonly rounds?: SimulatedRounds;
  /** Called with each decision, as a coordinator stores it. */
  readonly onDecision?: (decision: StoredDecision) => void;
}

/** The rounds after the first one. */
export interface SimulatedRounds {
  readonly maxRuns: number | null;
  readonly patienceRounds: number | null;
  /** Returns the work of a round that is due; its positions count on from those before. */
  readonly suggest: (due: RoundDue, state: SearchState) => RoundWork;
}

/** The work that a round adds. */
export type RoundWork = Pick<SearchWork, 'shared' | 'runs'>;

/** A simulated search that has ended, without the work before and after it. */
export interface SimulatedSearch {
  readonly slotSeconds: number;
  readonly wallSeconds: number;
  /** Entries by arrival, for each rung of the ladder. */
  readonly rungs: readonly (readonly RungEntry[])[];
  readonly runs: readonly SearchRun[];
  readonly promotions: readonly Promotion[];
  /** Rounds, the first one included; 0 without any. */
  readonly roundCount: number;
  readonly end: SearchEnd | null;
}

/** Simulates one search on a virtual clock. The functions of a coordinator decide. */
export function simulateSearch(sweep: SimulatedSweep): SimulatedSearch {
  return new Simulation(sweep).run();
}

/** A run of the simulation, as `nextAction` sees it. */
interface SimulatedRun extends RunWork, SearchRun {
  readonly position: number;
  status: SearchRunStatus;
  rung: number | null;
  nextSeconds: number;
  idleFrom: readonly number[];
}

class Simulation {
  readonly #sweep: SimulatedSweep;
  readonly #queue: TaskQueue;
  readonly #runs: SimulatedRun[] = [];
  readonly #sharedWork: SharedWork[] = [];
  readonly #rungs: RungEntry[][];
  /** Tasks of the shared work, as far as they are created. */
  readonly #shared = new Map<number, QueuedTask>();
  readonly #promotions: Promotion[] = [];
  #decisionCount = 0;
  #roundCount = 0;
  #isExhausted = false;
  #headSeconds = 0;
  #featureSeconds = 0;
  #end: SearchEnd | null = null;

  constructor(sweep: SimulatedSweep) {
    this.#sweep = sweep;
    this.#queue = new TaskQueue(sweep.slotCount);
    this.#rungs = sweep.policy.ladder.map(() => []);
  }

  run(): SimulatedSearch {
    const { work } = this.#sweep;
    this.#begin(work);
    this.#advance();
    // A bound stops running attempts at once, as by their next heartbeat.
    while (this.#end === null && this.#queue.proceed(this.#limits())) this.#advance();
    return {
      slotSeconds: this.#queue.spentSeconds * work.scale,
      wallSeconds: this.#queue.now * work.scale,
      rungs: this.#rungs,
      runs: this.#runs,
      promotions: this.#promotions,
      roundCount: this.#roundCount,
      end: this.#end,
    };
  }

  /** Adds runs, and starts their heads. */
  #begin({ shared, runs }: RoundWork): void {
    if (runs.length === 0) return;
    const round: Pick<SearchRun, 'round'> = this.#sweep.rounds === undefined ? {} : { round: this.#roundCount++ };
    const [firstWork, firstRun] = [this.#sharedWork.length, this.#runs.length];
    this.#sharedWork.push(...shared);
    for (const [place, run] of runs.entries()) {
      const position = firstRun + place;
      this.#runs.push({ ...run, ...round, position, status: 'BELOW', rung: null, nextSeconds: 0, idleFrom: [] });
    }
    for (const [place, { heads }] of shared.entries()) if (heads.length > 0) this.#requireShared(firstWork + place);
    for (const run of this.#runs.slice(firstRun)) if (run.headWork === null) this.#startWithHead(run);
  }

  /** Starts a run that has no head to train: it has none, or another sweep has trained it. */
  #startWithHead(run: SimulatedRun): void {
    run.status = 'TRAINING';
    for (const step of run.path) {
      if (step.stage === 'HEAD') this.#reach(run, step, step.isEnd ? {} : { reused: true });
    }
    // A rule may have stopped it, or it waits.
    if (isTraining(run)) this.#fineTune(run);
  }

  /** Returns a task of the shared work; creates it and its prerequisites unless they exist. */
  #requireShared(place: number): QueuedTask | null {
    const known = this.#shared.get(place);
    if (known !== undefined) return known;
    const work = this.#sharedWork[place];
    if (work === undefined) return null;
    const after = work.dependsOn.flatMap((other) => this.#requireShared(other) ?? []);
    const members = work.heads.flatMap((position) => this.#runs[position] ?? []);
    const parts = members.length === 0 ? this.#featureParts(work.seconds) : this.#headParts(members, work.seconds);
    const task = this.#queue.add(after, work.seconds, parts);
    this.#shared.set(place, task);
    return task;
  }

  *#featureParts(seconds: number): Generator<number> {
    yield seconds;
    this.#featureSeconds += seconds;
  }

  /** Trains the heads of a group epoch by epoch, up to each rung of a member. The members train at the same pace. */
  *#headParts(members: readonly SimulatedRun[], seconds: number): Generator<number> {
    const stops = members.flatMap((run) =>
      run.path.filter(({ stage }) => stage === 'HEAD').map((step) => ({ run, step })),
    );
    const last = Math.max(1, ...stops.map(({ step }) => step.epoch));
    const epochs = [...new Set(stops.map(({ step }) => step.epoch))].sort((a, b) => a - b);
    for (const run of members) run.status = 'TRAINING';
    let before = 0;
    for (const epoch of epochs) {
      const live = members.filter(({ status }) => status === 'TRAINING').length;
      const part = (seconds * ((epoch - before) / last) * live) / members.length;
      yield part;
      this.#headSeconds += part;
      before = epoch;
      for (const { run, step } of stops) if (step.epoch === epoch && run.status === 'TRAINING') this.#reach(run, step);
    }
    for (const run of members) if (run.status === 'TRAINING') this.#fineTune(run);
  }

  /** Creates the task that fine-tunes a run to the rung at which it pauses, or to its end. */
  #fineTune(run: SimulatedRun): void {
    const { fineTune } = run;
    if (fineTune === null) return;
    run.status = 'TRAINING';
    const features = fineTune.features.flatMap((place) => this.#requireShared(place) ?? []);
    const from = tunedEpochs(run);
    const to = this.#pauseOf(run)?.epoch ?? from;
    const seconds = fineTune.fixedSeconds + (to - from) * fineTune.epochSeconds;
    this.#queue.add(features, seconds, this.#fineTuneParts(run, fineTune));
  }

  /** Returns the next step at which a run pauses or ends. */
  #pauseOf({ path, rung }: SimulatedRun): RungStep | undefined {
    const { policy } = this.#sweep;
    const ahead = path.filter((step) => rung === null || step.rung > rung);
    return ahead.find((step) => pausesAt(policy, path, step)) ?? ahead.at(-1);
  }

  *#fineTuneParts(run: SimulatedRun, { fixedSeconds, epochSeconds, secondsTo }: FineTuneWork): Generator<number> {
    const trained = secondsTo ?? ((epoch: number): number => epoch * epochSeconds);
    let before = tunedEpochs(run);
    let extra = fixedSeconds;
    while (run.status === 'TRAINING') {
      const step = stepAfter(run.path, run.rung);
      if (step === null) return;
      yield extra + trained(step.epoch) - trained(before);
      before = step.epoch;
      extra = 0;
      this.#reach(run, step);
    }
  }

  /** Brings a run to a step of its way: enters it at the rung, and applies the verdict. */
  #reach(run: SimulatedRun, step: RungStep, how: Pick<Arrival, 'reused'> = {}): void {
    const { policy, measure, faultOf, work } = this.#sweep;
    const fault = faultOf?.(run.position, step) ?? null;
    if (fault !== null) {
      run.status = fault;
      return;
    }
    run.rung = step.rung;
    const soFar = { rungs: this.#rungs, runs: this.#runs };
    const measured = { ...measure(run.position, step, this.#queue.spentSeconds * work.scale), ...how };
    const entered = enterRung(policy, soFar, run, step.rung, measured);
    const arrival = entered.arrival();
    const verdict = judge(policy, arrival);
    if (verdict.kind === 'PAUSE') run.status = 'PAUSED';
    else if (verdict.kind === 'STOP') run.status = 'STOPPED';
    else if (!entered.entry.continues) run.status = 'DONE';
    this.#record(() => ({ ...verdict, runIndex: run.index, rung: step.rung, inputs: verdictInputs(arrival) }));
  }

  /** Promotes waiting runs, or ends the search. */
  #advance(): void {
    for (;;) {
      const state = this.#state();
      const action = nextAction(this.#sweep.policy, state);
      // Finalists depend on results by image, which are not simulated; their cost is forecast beside the search.
      if (action === null || action.kind === 'REPEAT') return;
      if (action.kind === 'SUGGEST') {
        this.#suggest(action, state);
        continue;
      }
      this.#record(() => ({ ...NOTHING, ...action, inputs: actionInputs(state) }));
      if (action.kind === 'END') {
        this.#end = action;
        return;
      }
      // A forecast is of what the screen has kept.
      if (action.kind === 'SCREEN') throw new Error(`A simulated search has no screen: ${action.reason}.`);
      this.#promotions.push(action);
      const run = this.#runs.find(({ index }) => index === action.runIndex);
      if (run?.status !== 'PAUSED') throw new Error(`Run ${action.runIndex} does not wait: ${action.reason}.`);
      if (action.idle) run.idleFrom = [...run.idleFrom, action.rung];
      this.#fineTune(run);
    }
  }

  /** Adds the runs of a round. */
  #suggest(due: RoundDue, state: SearchState): void {
    const { rounds } = this.#sweep;
    if (rounds === undefined) throw new Error(`No further round can be simulated: ${due.reason}.`);
    const added = rounds.suggest(due, state);
    const inputs = { ...actionInputs(state), suggested: added.runs.length };
    this.#record(() => ({ ...NOTHING, kind: due.kind, rule: due.rule, reason: due.reason, inputs }));
    this.#isExhausted = added.runs.length < due.count;
    this.#begin(added);
  }

  /** Hands a decision to the caller, if it wants them. */
  #record(decision: () => Unnumbered): void {
    const { onDecision } = this.#sweep;
    if (onDecision === undefined) return;
    this.#decisionCount++;
    // The kind decides which inputs it has.
    onDecision({ ...decision(), decisionId: this.#decisionCount } as StoredDecision);
  }

  #limits(): Limits {
    const { budget, secondsBefore = 0, work } = this.#sweep;
    const left = (bound: number | null | undefined, used: number): number =>
      Math.max(0, ((bound ?? Infinity) - secondsBefore) / work.scale - used);
    return {
      slotSeconds: left(budget?.slotSeconds, this.#queue.spentSeconds),
      wallSeconds: left(budget?.wallSeconds, this.#queue.now),
    };
  }

  #state(): SearchState {
    const { slotCount, budget, secondsBefore = 0, secondsAfter = 0, work } = this.#sweep;
    const { openCount, spentSeconds, openSeconds, now } = this.#queue;
    for (const run of this.#runs) if (run.status === 'PAUSED') run.nextSeconds = this.#nextSeconds(run) * work.scale;
    return {
      rungs: this.#rungs,
      runs: this.#runs,
      slots: { count: slotCount, idle: Math.max(0, slotCount - openCount) },
      openTasks: openCount,
      spending: {
        budget,
        spentSeconds: secondsBefore + spentSeconds * work.scale,
        reservedSeconds: secondsAfter + openSeconds * work.scale,
        wallSeconds: secondsBefore + now * work.scale,
        best: null,
      },
      ...this.#roundsState(),
    };
  }

  #roundsState(): Pick<SearchState, 'rounds'> {
    const { rounds, work } = this.#sweep;
    if (rounds === undefined) return {};
    const { maxRuns, patienceRounds } = rounds;
    return {
      rounds: {
        asked: this.#roundCount,
        maxRuns,
        isExhausted: this.#isExhausted,
        patienceRounds,
        headSeconds: this.#headSeconds * work.scale,
        featureSeconds: this.#featureSeconds * work.scale,
      },
    };
  }

  /** Forecasts the slot-seconds to the next rung of a run that waits, with the features that it would be the first to need. */
  #nextSeconds(run: SimulatedRun): number {
    const { fineTune, path, rung } = run;
    const step = stepAfter(path, rung);
    if (step === null || fineTune === null) return 0;
    const missing = fineTune.features.filter((place) => !this.#shared.has(place));
    const features = missing.reduce((sum, place) => sum + (this.#sharedWork[place]?.seconds ?? 0), 0);
    return features + fineTune.fixedSeconds + (step.epoch - tunedEpochs(run)) * fineTune.epochSeconds;
  }
}

type Unnumbered = Omit<StoredDecision, 'decisionId'>;

function isTraining({ status }: SimulatedRun): boolean {
  return status === 'TRAINING';
}

/** The numbers of a promotion or a run, of which an end has none. */
const NOTHING = { runIndex: null, rung: null, place: null, cut: null, pValue: null, alpha: null };

/** Returns the epochs of fine-tuning that a run has completed. */
export function tunedEpochs({ path, rung }: Pick<SearchRun, 'path' | 'rung'>): number {
  return path.find((step) => step.rung === rung && step.stage === 'FINE_TUNE')?.epoch ?? 0;
}
