import type { Evidence } from '../../../../services/core/statistics/evidence.ts';
import type { SearchEnd } from '../../../../services/core/stopping/advance.ts';
import { nextAction } from '../../../../services/core/stopping/advance.ts';
import type { Spending } from '../../../../services/core/stopping/budget.ts';
import type { StoredSearch } from '../../../../services/core/stopping/decision-inputs.ts';
import { actionInputs, verdictInputs } from '../../../../services/core/stopping/decision-inputs.ts';
import { judge } from '../../../../services/core/stopping/judge.ts';
import type { LadderRun, RungStep } from '../../../../services/core/stopping/ladder.ts';
import { pathOf, stepAfter } from '../../../../services/core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../../services/core/stopping/policy.ts';
import type { StoredDecision } from '../../../../services/core/stopping/replay.ts';
import type { Arrival } from '../../../../services/core/stopping/rule.ts';
import type { RungEntry } from '../../../../services/core/stopping/rung-table.ts';
import type { SearchRun, SearchState } from '../../../../services/core/stopping/search-state.ts';
import { earlierEntries, tableAt } from '../../../../services/core/stopping/search-state.ts';

/** A search on a virtual clock: each segment of a run, from rung to rung, keeps one slot busy. */
export interface World {
  readonly policy: SearchPolicy;
  readonly runs: readonly LadderRun[];
  readonly slots: number;
  readonly scoreOf: (run: number, step: RungStep) => number;
  readonly evidenceOf?: (run: number, step: RungStep) => Evidence;
  /** Seconds of an epoch; 1 where absent. */
  readonly epochSeconds?: (run: number) => number;
  /** Returns how a run ends on its way to a step, other than by coming there. */
  readonly faultOf?: (run: number, step: RungStep) => 'FAILED' | 'INFEASIBLE' | null;
  readonly budget?: Spending['budget'];
}

export interface Outcome {
  readonly decisions: readonly StoredDecision[];
  readonly runs: readonly SearchRun[];
  readonly stored: StoredSearch;
  /** Epochs that were trained, both stages. */
  readonly epochs: number;
  readonly end: SearchEnd | null;
}

export function simulate(world: World): Outcome {
  return new Simulation(world).run();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Segment {
  readonly run: Mutable<SearchRun>;
  readonly step: RungStep;
  readonly endTime: number;
}

class Simulation {
  private readonly world: World;
  private readonly runs: Mutable<SearchRun>[];
  private readonly rungs: RungEntry[][];
  private readonly queue: Mutable<SearchRun>[] = [];
  private readonly busy: Segment[] = [];
  private readonly decisions: StoredDecision[] = [];
  private end: SearchEnd | null = null;
  private now = 0;
  private epochs = 0;
  private spentSeconds = 0;

  constructor(world: World) {
    this.world = world;
    this.rungs = world.policy.ladder.map(() => []);
    this.runs = world.runs.map((run): SearchRun => {
      const path = pathOf(world.policy.ladder, run);
      return { index: run.index, status: 'TRAINING', rung: null, path, nextSeconds: 0, idleFrom: [] };
    });
    this.queue.push(...this.runs);
  }

  run(): Outcome {
    this.fill();
    while (this.busy.length > 0) {
      this.busy.sort((a, b) => a.endTime - b.endTime || a.run.index - b.run.index);
      const segment = this.busy.shift()!;
      this.now = segment.endTime;
      this.finish(segment);
      this.advance();
      this.fill();
    }
    const { policy } = this.world;
    const stored = { policy, rungs: this.rungs, paths: this.runs.map(({ path }) => path) };
    return { decisions: this.decisions, runs: this.runs, stored, epochs: this.epochs, end: this.end };
  }

  private fill(): void {
    while (this.end === null && this.busy.length < this.world.slots && this.queue.length > 0)
      this.start(this.queue.shift()!);
  }

  private start(run: Mutable<SearchRun>): void {
    run.status = 'TRAINING';
    const step = stepAfter(run.path, run.rung)!;
    this.busy.push({ run, step, endTime: this.now + this.seconds(run, step) });
  }

  private seconds(run: SearchRun, step: RungStep): number {
    return epochsTo(run, step) * (this.world.epochSeconds?.(run.index) ?? 1);
  }

  private finish({ run, step }: Segment): void {
    const { policy, scoreOf, evidenceOf, faultOf } = this.world;
    this.epochs += epochsTo(run, step);
    this.spentSeconds += this.seconds(run, step);
    const fault = faultOf?.(run.index, step) ?? null;
    if (fault !== null) {
      run.status = fault;
      return;
    }
    const entries = this.rungs[step.rung]!;
    const entry: RungEntry = {
      runIndex: run.index,
      arrival: entries.length + 1,
      value: scoreOf(run.index, step),
      standardError: null,
      epoch: step.epoch,
      evidence: evidenceOf?.(run.index, step) ?? null,
      continues: step.rung !== run.path.at(-1)?.rung,
    };
    entries.push(entry);
    run.rung = step.rung;
    const arrival: Arrival = {
      table: tableAt(policy, this.state(), step.rung),
      entry,
      earlier: earlierEntries(policy, this.rungs, run.index, step.rung),
      path: run.path,
    };
    const verdict = judge(policy, arrival);
    const inputs = throughJson(verdictInputs(arrival));
    this.decisions.push({ decisionId: this.decisions.length + 1, runIndex: run.index, ...step, ...verdict, inputs });
    if (verdict.kind === 'PAUSE') run.status = 'PAUSED';
    else if (verdict.kind === 'STOP') run.status = 'STOPPED';
    else if (!entry.continues) run.status = 'DONE';
    else this.start(run);
  }

  private advance(): void {
    const { policy } = this.world;
    while (this.end === null) {
      const state = this.state();
      const action = nextAction(policy, state);
      if (action === null) return;
      const decision = { runIndex: null, rung: null, place: null, cut: null, pValue: null, alpha: null };
      const decisionId = this.decisions.length + 1;
      this.decisions.push({ ...decision, ...action, decisionId, inputs: throughJson(actionInputs(state)) });
      if (action.kind === 'END') this.end = action;
      else this.promote(this.runs[action.runIndex]!, action.idle);
    }
  }

  private promote(run: Mutable<SearchRun>, idle: boolean): void {
    run.status = 'TRAINING';
    if (idle) run.idleFrom = [...run.idleFrom, run.rung!];
    this.queue.push(run);
  }

  private state(): SearchState {
    const runs = this.runs.map((run) => {
      const next = stepAfter(run.path, run.rung);
      return { ...run, nextSeconds: next === null ? 0 : this.seconds(run, next) };
    });
    const openTasks = this.queue.length + this.busy.length;
    const reservedSeconds = [...this.queue, ...this.busy.map(({ run }) => run)]
      .map((run) => this.seconds(run, stepAfter(run.path, run.rung)!))
      .reduce((sum, seconds) => sum + seconds, 0);
    const { budget = null, slots } = this.world;
    return {
      rungs: this.rungs.map((entries) => [...entries]),
      runs,
      slots: { count: slots, idle: Math.max(0, slots - openTasks) },
      openTasks,
      spending: { budget, spentSeconds: this.spentSeconds, reservedSeconds, wallSeconds: this.now, best: null },
    };
  }
}

/** Epochs from the run's last rung to a step, within the step's stage. */
function epochsTo(run: SearchRun, step: RungStep): number {
  const before = run.path.find(({ rung, stage }) => rung === run.rung && stage === step.stage);
  return step.epoch - (before?.epoch ?? 0);
}

function throughJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
