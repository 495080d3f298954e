import { fileURLToPath } from 'node:url';
import { PythonLines } from '../../../support/python-lines.ts';
import { runOnSlots } from '../virtual-clock.ts';
import type { Dispatcher } from '../virtual-clock.ts';
import type { StageCurve } from '../world.ts';
import { adaptiveVenv } from './adaptive-venv.ts';
import { spaceOutcome } from './curve-space.ts';
import type { CurveSpace, SpaceOutcome, SpacePoint } from './curve-space.ts';

/** Samplers with schedulers of other libraries, as tables show them. */
export const SPACE_PEERS = {
  'optuna-tpe-hyperband': 'Optuna 5.0.0 TPE + Hyperband',
  'syne-bohb': 'Syne Tune 0.16.0 BOHB',
} as const;
export type SpacePeerName = keyof typeof SPACE_PEERS;

export interface SpacePeerSettings {
  readonly slots: number;
  readonly firstRung: number;
  readonly factor: number;
  readonly seed: number;
  /** Number of trained epochs after which all runs stop. */
  readonly epochs: number;
}

/** A Python process with the peers' samplers. */
export class SpacePeers implements Disposable {
  readonly #lines: PythonLines;

  private constructor(lines: PythonLines) {
    this.#lines = lines;
  }

  /** Installs the peers on first use; returns a reason where that fails. */
  static async start(): Promise<SpacePeers | { readonly reason: string }> {
    const venv = await adaptiveVenv();
    if ('reason' in venv) return venv;
    const script = fileURLToPath(new URL('adaptive-peers.py', import.meta.url));
    const lines = new PythonLines(venv.python, script, { PYTHONWARNINGS: 'ignore' });
    await lines.ready();
    return new SpacePeers(lines);
  }

  /** Searches a space until that many epochs have been trained. */
  async search(peer: SpacePeerName, space: CurveSpace, settings: SpacePeerSettings): Promise<SpaceOutcome> {
    const { firstRung: first, factor, seed, slots } = settings;
    const job = { do: 'start', peer, dimensions: space.dimensionCount, epochs: space.epochs, first, factor, seed };
    const { reports } = (await this.#lines.ask(job)) as { reports: readonly number[] };
    const dispatcher = new SpaceDispatcher(this.#lines, space, reports, settings.epochs);
    await runOnSlots(slots, dispatcher);
    return dispatcher.outcome;
  }

  [Symbol.dispose](): void {
    this.#lines.end();
  }
}

interface SpaceWork {
  readonly run: number;
  readonly milestones: readonly number[];
}

class SpaceDispatcher implements Dispatcher<SpaceWork> {
  readonly #lines: PythonLines;
  readonly #space: CurveSpace;
  readonly #reports: readonly number[];
  readonly #limit: number;
  readonly #curves: StageCurve[] = [];
  /** Completed epochs of each run. */
  readonly #epochs: number[] = [];

  constructor(lines: PythonLines, space: CurveSpace, reports: readonly number[], limit: number) {
    this.#lines = lines;
    this.#space = space;
    this.#reports = reports;
    this.#limit = limit;
  }

  get outcome(): SpaceOutcome {
    return spaceOutcome(this.#space, this.#curves, this.#epochs);
  }

  async next(): Promise<SpaceWork | null> {
    if (this.#trained >= this.#limit) return null;
    const { run, point } = (await this.#lines.ask({ do: 'ask' })) as { run: number; point: SpacePoint };
    const [curve] = await this.#space.curvesAt([point]);
    if (curve === undefined) throw new Error('The surrogate has returned no curve.');
    this.#curves[run] = curve;
    this.#epochs[run] = 0;
    return { run, milestones: Array.from(curve.seconds) };
  }

  async reached({ run }: SpaceWork, milestone: number): Promise<boolean> {
    if (this.#trained >= this.#limit) return false;
    const epoch = milestone + 1;
    this.#epochs[run] = epoch;
    if (!this.#reports.includes(epoch)) return true;
    const value = this.#curves[run]?.values[milestone];
    const { go } = (await this.#lines.ask({ do: 'tell', run, epoch, value })) as { go: boolean };
    return go;
  }

  get #trained(): number {
    return this.#epochs.reduce((sum, epochs) => sum + epochs, 0);
  }
}
