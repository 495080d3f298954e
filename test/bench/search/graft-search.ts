import type { Spending } from '../../../services/core/stopping/budget.ts';
import { nextAction } from '../../../services/core/stopping/advance.ts';
import type { Promotion } from '../../../services/core/stopping/advance.ts';
import { judge } from '../../../services/core/stopping/judge.ts';
import { pathOf } from '../../../services/core/stopping/ladder.ts';
import type { RungStep } from '../../../services/core/stopping/ladder.ts';
import { pauseEpoch, policyOf } from '../../../services/core/stopping/policy.ts';
import type { SearchPolicy } from '../../../services/core/stopping/policy.ts';
import type { RungEntry } from '../../../services/core/stopping/rung-table.ts';
import { earlierEntries } from '../../../services/core/stopping/search-state.ts';
import type { SearchRunStatus, SearchState } from '../../../services/core/stopping/search-state.ts';
import { tableAt } from '../../../services/core/stopping/search-state.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { BudgetSpec, StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import { outcomeOf } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { runOnSlots } from './virtual-clock.ts';
import type { Dispatcher } from './virtual-clock.ts';
import { bestEpoch, lastOf } from './world.ts';
import type { StageCurve, World, WorldRun } from './world.ts';

export interface GraftSearchOptions {
  /** Keys of the sweep file's `stopping` section; the others have their defaults. */
  readonly stopping: Partial<StoppingSpec>;
  readonly slots: number;
  readonly budget?: BudgetSpec;
}

/** A search that has ended, with what was decided about whom. */
export interface GraftOutcome extends Outcome {
  /** Runs that a rule stopped while they trained. */
  readonly stopped: readonly number[];
  readonly promotions: readonly Promotion[];
}

/** Work of a slot: a shared task, or one run's fine-tuning up to its next pause. */
interface SearchWork {
  /** Position in `World.shared`; null: fine-tuning. */
  readonly shared: number | null;
  readonly run: RunState | null;
  /** One element for each milestone of `run`. */
  readonly steps: readonly RungStep[];
  readonly milestones: readonly number[];
}

interface RunState {
  readonly index: number;
  readonly run: WorldRun;
  readonly path: readonly RungStep[];
  status: SearchRunStatus;
  rung: number | null;
  /** Completed epochs of fine-tuning. */
  epoch: number;
  headEnded: boolean;
  readonly idleFrom: number[];
}

/** Searches a world with the functions that the coordinator calls, on a virtual clock. */
export async function searchWithGraft(world: World, options: GraftSearchOptions): Promise<GraftOutcome> {
  const search = new GraftSearch(world, options);
  const reading = await runOnSlots(options.slots, search);
  return search.outcome(reading.slotSeconds, reading.wallSeconds);
}

class GraftSearch implements Dispatcher<SearchWork> {
  readonly #world: World;
  readonly #policy: SearchPolicy;
  readonly #slots: number;
  readonly #budget: BudgetSpec | null;
  readonly #runs: readonly RunState[];
  readonly #rungs: readonly RungEntry[][];
  readonly #ready: SearchWork[] = [];
  readonly #endedShared = new Set<number>();
  readonly #promotions: Promotion[] = [];
  /** Forecast of the slot-seconds of one epoch of fine-tuning: the mean, as a cost model would say after the first tasks. */
  readonly #epochSeconds: number;
  #openSeconds = 0;
  #spentSeconds = 0;
  #hasEnded = false;

  constructor(world: World, { stopping, slots, budget }: GraftSearchOptions) {
    this.#world = world;
    this.#slots = slots;
    this.#budget = budget ?? null;
    this.#policy = policyOf(
      { stopping: { ...STOPPING_DEFAULTS, ...stopping }, objective: world.objective },
      world.runs,
    );
    this.#rungs = this.#policy.ladder.map(() => []);
    this.#runs = world.runs.map((run) => ({
      index: run.index,
      run,
      path: pathOf(this.#policy.ladder, run),
      status: 'TRAINING',
      rung: null,
      epoch: 0,
      headEnded: run.headEpochs === 0,
      idleFrom: [],
    }));
    const fineTunes = world.runs.flatMap(({ fineTune }) => (fineTune === null ? [] : [fineTune.seconds]));
    const seconds = fineTunes.reduce((sum, all) => sum + lastOf(all), 0);
    this.#epochSeconds =
      seconds /
      Math.max(
        1,
        fineTunes.reduce((sum, { length }) => sum + length, 0),
      );
    for (const [shared, task] of world.shared.entries()) {
      this.#plan({ shared, run: null, steps: [], milestones: [task.seconds] });
    }
    for (const state of this.#runs) if (state.headEnded) this.#fineTune(state);
  }

  next(): SearchWork | null {
    const at = this.#ready.findIndex(({ shared }) => {
      const after = shared === null ? null : (this.#world.shared[shared]?.after ?? null);
      return after === null || this.#endedShared.has(after);
    });
    return at < 0 ? null : (this.#ready.splice(at, 1)[0] ?? null);
  }

  reached({ shared, run, steps }: SearchWork, milestone: number): boolean {
    if (run === null) {
      for (const index of this.#world.shared[shared ?? 0]?.runs ?? []) this.#endHead(index);
      return false;
    }
    const step = steps[milestone];
    if (step === undefined) throw new RangeError(`There is no milestone ${milestone}.`);
    run.epoch = step.epoch;
    const verdict = this.#enter(run, step, run.run.fineTune);
    if (verdict === 'STOP') run.status = 'STOPPED';
    else if (step.isEnd) run.status = 'DONE';
    else if (verdict === 'PAUSE') run.status = 'PAUSED';
    return verdict === 'CONTINUE';
  }

  ended(work: SearchWork, seconds: number, runningCount: number): void {
    if (work.shared !== null) this.#endedShared.add(work.shared);
    this.#openSeconds -= lastOf(work.milestones);
    this.#spentSeconds += seconds;
    while (!this.#hasEnded) {
      const state = this.#state(runningCount);
      const action = nextAction(this.#policy, state);
      if (action === null) return;
      if (action.kind === 'END') {
        this.#hasEnded = true;
        this.#ready.length = 0;
        return;
      }
      this.#promotions.push(action);
      const run = this.#runs[action.runIndex];
      if (run?.status !== 'PAUSED') throw new Error(`Run ${action.runIndex} does not wait: ${action.reason}.`);
      if (action.idle) run.idleFrom.push(action.rung);
      this.#fineTune(run);
    }
  }

  outcome(slotSeconds: number, wallSeconds: number): GraftOutcome {
    const trained = this.#runs.map(({ headEnded, epoch }) => ({ head: headEnded, epochs: epoch }));
    return {
      ...outcomeOf(this.#world, trained, slotSeconds, wallSeconds),
      stopped: this.#runs.filter(({ status }) => status === 'STOPPED').map(({ index }) => index),
      promotions: this.#promotions,
    };
  }

  #endHead(index: number): void {
    const state = this.#runs[index];
    if (state === undefined) throw new RangeError(`There is no run ${index}.`);
    state.headEnded = true;
    const step = state.path.find(({ stage, isEnd }) => stage === 'HEAD' && isEnd);
    const verdict = step === undefined ? 'CONTINUE' : this.#enter(state, step, state.run.head);
    if (verdict === 'STOP') state.status = 'STOPPED';
    else if (state.run.fineTune === null) state.status = 'DONE';
    else if (verdict === 'PAUSE') state.status = 'PAUSED';
    else this.#fineTune(state);
  }

  /** Plans a run's fine-tuning from where it is to its next pause, or to its end. */
  #fineTune(state: RunState): void {
    const { run, path, rung, epoch } = state;
    const { fineTune, fineTuneEpochs } = run;
    if (fineTune === null || fineTuneEpochs === null) throw new Error(`Run ${state.index} has no fine-tuning.`);
    const until = pauseEpoch(this.#policy, path, rung) ?? fineTuneEpochs;
    const passed = path.filter((step) => step.stage === 'FINE_TUNE' && step.epoch > epoch && step.epoch <= until);
    // Without a ladder the end is no rung, but still the end.
    const steps = passed.at(-1)?.epoch === until ? passed : [...passed, endOf(until)];
    const before = epoch === 0 ? 0 : (fineTune.seconds[epoch - 1] ?? 0);
    const milestones = steps.map((step) => this.#world.taskSeconds + (fineTune.seconds[step.epoch - 1] ?? 0) - before);
    state.status = 'TRAINING';
    this.#plan({ shared: null, run: state, steps, milestones });
  }

  #plan(work: SearchWork): void {
    this.#ready.push(work);
    this.#openSeconds += lastOf(work.milestones);
  }

  /** Enters a run at a rung, and judges it. */
  #enter(state: RunState, step: RungStep, curve: StageCurve | null): 'CONTINUE' | 'STOP' | 'PAUSE' {
    const entries = this.#rungs[step.rung];
    if (entries === undefined) return 'CONTINUE';
    if (curve === null) throw new Error(`Run ${state.index} has no curve of ${step.stage}.`);
    const epoch = step.isEnd ? bestEpoch(this.#world.objective, curve, step.epoch) : step.epoch;
    const earlier = earlierEntries(this.#policy, this.#rungs, state.index, step.rung);
    const entry: RungEntry = {
      runIndex: state.index,
      arrival: entries.length + 1,
      value: curve.values[epoch - 1] ?? Number.NaN,
      standardError: null,
      epoch,
      evidence: curve.evidenceAt?.(epoch) ?? null,
      continues: step.rung !== state.path.at(-1)?.rung,
    };
    entries.push(entry);
    state.rung = step.rung;
    const table = tableAt(this.#policy, this.#state(0), step.rung);
    return judge(this.#policy, { table, entry, earlier, path: state.path }).kind;
  }

  #state(runningCount: number): SearchState {
    const openTasks = this.#ready.length + runningCount;
    const spending: Spending = {
      budget: this.#budget,
      spentSeconds: this.#spentSeconds,
      reservedSeconds: this.#openSeconds,
      wallSeconds: null,
      best: null,
    };
    return {
      rungs: this.#rungs,
      runs: this.#runs.map(({ index, status, rung, path, epoch, idleFrom }) => {
        const next = path.find((step) => rung === null || step.rung > rung);
        const nextEpochs = (next?.epoch ?? epoch) - epoch;
        const nextSeconds = this.#world.taskSeconds + nextEpochs * this.#epochSeconds;
        return { index, status, rung, path, nextSeconds, idleFrom };
      }),
      slots: { count: this.#slots, idle: Math.max(0, this.#slots - openTasks) },
      openTasks,
      spending,
    };
  }
}

function endOf(epoch: number): RungStep {
  return { rung: Number.POSITIVE_INFINITY, stage: 'FINE_TUNE', epoch, isEnd: true };
}
