import type { Objective } from '../../objective.ts';
import type { RandomStream } from '../../rng/stream.ts';
import { nextAction } from '../../stopping/advance.ts';
import { judge } from '../../stopping/judge.ts';
import { stepAfter } from '../../stopping/ladder.ts';
import type { RungStep } from '../../stopping/ladder.ts';
import { pausesAt, pausesAtRungs } from '../../stopping/policy.ts';
import type { SearchPolicy } from '../../stopping/policy.ts';
import { compareEntries } from '../../stopping/rung-table.ts';
import type { RungEntry } from '../../stopping/rung-table.ts';
import { earlierEntries } from '../../stopping/search-state.ts';
import type { SearchRun, SearchRunStatus, SearchState } from '../../stopping/search-state.ts';
import type { BudgetSpec } from '../../sweep/search-spec.ts';
import { drawScores } from './draw-scores.ts';
import { TaskQueue } from './task-queue.ts';
import type { QueuedTask } from './task-queue.ts';
import type { RunWork, SearchWork } from './search-work.ts';

/** Fixed inputs of all simulations of a sweep. */
export interface SimulatedSweep {
  readonly policy: SearchPolicy;
  readonly work: SearchWork;
  readonly slotCount: number;
  readonly budget: BudgetSpec | null;
  /** Slot-seconds before and after the search, which a budget includes. */
  readonly otherSeconds: number;
}

/** Cost of one simulated search, without indexing and evaluation. */
export interface SimulatedSearch {
  readonly slotSeconds: number;
  readonly wallSeconds: number;
  /** Number of runs that entered each rung. */
  readonly entryCounts: readonly number[];
}

/** Simulates one search on a virtual clock. The functions of a coordinator decide, on scores that are drawn. */
export function simulateSearch(sweep: SimulatedSweep, stream: RandomStream): SimulatedSearch {
  return new Simulation(sweep, stream).run();
}

/** A run of the simulation, as `nextAction` sees it. */
interface SimulatedRun extends RunWork, SearchRun {
  status: SearchRunStatus;
  rung: number | null;
  nextSeconds: number;
  readonly idleFrom: number[];
  /** Value at each rung. */
  readonly values: readonly number[];
}

class Simulation {
  readonly #policy: SearchPolicy;
  readonly #sweep: SimulatedSweep;
  readonly #queue: TaskQueue;
  readonly #runs: readonly SimulatedRun[];
  readonly #rungs: RungEntry[][];
  /** Tasks of the shared work, as far as they are created. */
  readonly #shared = new Map<number, QueuedTask>();
  #hasEnded = false;

  constructor(sweep: SimulatedSweep, stream: RandomStream) {
    this.#policy = sweep.policy;
    this.#sweep = sweep;
    this.#queue = new TaskQueue(sweep.slotCount);
    const values = drawScores(sweep.policy, sweep.work.runs, stream);
    this.#runs = sweep.work.runs.map((run, position) => ({
      ...run,
      status: 'BELOW',
      rung: null,
      nextSeconds: nextSeconds(run, null),
      idleFrom: [],
      values: values[position] ?? [],
    }));
    this.#rungs = sweep.policy.ladder.map(() => []);
  }

  run(): SimulatedSearch {
    const { work, budget } = this.#sweep;
    for (const [place, { heads }] of work.shared.entries()) if (heads.length > 0) this.#requireShared(place);
    for (const run of this.#runs) if (run.headWork === null) this.#fineTune(run);
    const promotes = pausesAtRungs(this.#policy) || budget !== null;
    while (this.#queue.proceed()) if (promotes) this.#advance();
    return {
      slotSeconds: this.#queue.spentSeconds * work.scale,
      wallSeconds: this.#queue.now * work.scale,
      entryCounts: this.#rungs.map(({ length }) => length * work.scale),
    };
  }

  /** Returns a task of the shared work; creates it and its prerequisites unless they exist. */
  #requireShared(place: number): QueuedTask | null {
    const known = this.#shared.get(place);
    if (known !== undefined) return known;
    const work = this.#sweep.work.shared[place];
    if (work === undefined) return null;
    const after = work.dependsOn.flatMap((other) => this.#requireShared(other) ?? []);
    const members = work.heads.flatMap((position) => this.#runs[position] ?? []);
    const task = this.#queue.add(after, members.length === 0 ? [work.seconds] : this.#headParts(members, work.seconds));
    this.#shared.set(place, task);
    return task;
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
      yield (seconds * ((epoch - before) / last) * live) / members.length;
      before = epoch;
      for (const { run, step } of stops) if (step.epoch === epoch && run.status === 'TRAINING') this.#enter(run, step);
    }
    for (const run of members) if (run.status === 'TRAINING') this.#fineTune(run);
  }

  /** Creates the task that fine-tunes a run to the rung at which it pauses, or to its end. */
  #fineTune(run: SimulatedRun): void {
    if (run.fineTune === null) return;
    run.status = 'TRAINING';
    const features = run.fineTune.features.flatMap((place) => this.#requireShared(place) ?? []);
    this.#queue.add(features, this.#fineTuneParts(run, run.fineTune));
  }

  *#fineTuneParts(
    run: SimulatedRun,
    { fixedSeconds, epochSeconds }: NonNullable<RunWork['fineTune']>,
  ): Generator<number> {
    let before = run.path.find(({ rung, stage }) => rung === run.rung && stage === 'FINE_TUNE')?.epoch ?? 0;
    let extra = fixedSeconds;
    while (run.status === 'TRAINING') {
      const step = stepAfter(run.path, run.rung);
      if (step === null) return;
      yield extra + (step.epoch - before) * epochSeconds;
      before = step.epoch;
      extra = 0;
      this.#enter(run, step);
    }
  }

  /** Enters a run into a rung, and applies the verdict. */
  #enter(run: SimulatedRun, step: RungStep): void {
    const { path, index } = run;
    const definition = this.#policy.ladder[step.rung];
    const entries = this.#rungs[step.rung];
    if (definition === undefined || entries === undefined) return;
    const continues = step.rung !== path.at(-1)?.rung;
    const value = run.values[step.rung] ?? Number.NaN;
    const arrival = entries.length + 1;
    const entry = {
      runIndex: index,
      arrival,
      value,
      standardError: null,
      epoch: step.epoch,
      evidence: null,
      continues,
    };
    insert(this.#policy.objective, entries, entry);
    run.rung = step.rung;
    run.nextSeconds = nextSeconds(run, step.rung);
    if (!continues) run.status = 'DONE';
    // The verdict of `judge`, without the place, which the simulation does not need.
    else if (pausesAt(this.#policy, path, step)) run.status = 'PAUSED';
    else {
      const table = { definition, entries, failedCount: 0 };
      const earlier = earlierEntries(this.#policy, this.#rungs, index, step.rung);
      if (judge(this.#policy, { table, entry, earlier, path }).kind === 'STOP') run.status = 'STOPPED';
    }
  }

  /** Promotes waiting runs, or ends the search. */
  #advance(): void {
    while (!this.#hasEnded) {
      const action = nextAction(this.#policy, this.#state());
      if (action === null) return;
      if (action.kind === 'END') {
        this.#hasEnded = true;
        for (const run of this.#runs) if (run.status === 'PAUSED') run.status = 'STOPPED';
        return;
      }
      const run = this.#runs.find(({ index }) => index === action.runIndex);
      if (run === undefined) return;
      if (action.idle) run.idleFrom.push(action.rung);
      this.#fineTune(run);
    }
  }

  #state(): SearchState {
    const { slotCount, budget, otherSeconds, work } = this.#sweep;
    const { openCount, spentSeconds, openSeconds, now } = this.#queue;
    return {
      rungs: this.#rungs,
      runs: this.#runs,
      slots: { count: slotCount, idle: Math.max(0, slotCount - openCount) },
      openTasks: openCount,
      spending: {
        budget,
        spentSeconds: (spentSeconds - openSeconds) * work.scale,
        reservedSeconds: otherSeconds + openSeconds * work.scale,
        wallSeconds: now * work.scale,
        best: null,
      },
    };
  }
}

function nextSeconds({ path, fineTune }: RunWork, rung: number | null): number {
  const step = stepAfter(path, rung);
  if (step === null || fineTune === null) return 0;
  const before = path.find((other) => other.rung === rung);
  const from = before?.stage === 'FINE_TUNE' ? before.epoch : 0;
  return fineTune.fixedSeconds + (step.epoch - from) * fineTune.epochSeconds;
}

/** Inserts an entry into a rung, best first: sorting what is in order takes one pass, and `nextAction` sorts often. */
function insert(objective: Objective, entries: RungEntry[], entry: RungEntry): void {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = entries[middle];
    if (other !== undefined && compareEntries(objective, other, entry) < 0) low = middle + 1;
    else high = middle;
  }
  entries.splice(low, 0, entry);
}
