import { fileURLToPath } from 'node:url';
import { PythonLines } from '../../../support/python-lines.ts';
import { pythonVenv } from '../../../support/python-venv.ts';
import { runOnSlots } from '../virtual-clock.ts';
import type { Dispatcher } from '../virtual-clock.ts';
import type { StageCurve } from '../world.ts';
import { lastOf } from '../world.ts';
import type { CurveSpace, SpaceOutcome, SpacePoint } from './curve-space.ts';

/** Packages that the samplers import, in exact versions. `--no-deps`: Syne Tune asks for XGBoost with CUDA, which BOHB does not use. */
const PACKAGES = [
  '--no-deps',
  'numpy==2.4.6',
  'pandas==3.1.1',
  'python-dateutil==4.0.0',
  'scipy==1.17.1',
  'dill==0.4.1',
  'PyYAML==6.0.4',
  'typing_extensions==4.16.0',
  'optuna==5.0.0',
  'alembic==1.20.1',
  'colorlog==6.12.0',
  'Mako==1.4.3',
  'MarkupSafe==3.0.4',
  'packaging==26.4',
  'SQLAlchemy==2.1.9',
  'tqdm==4.70.1',
  'syne-tune==0.16.0',
  'statsmodels==0.14.6',
  'patsy==1.0.3',
];

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
  /** Number of trained epochs after which no run is started. */
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
    const skipVariable = 'GRAFT_SKIP_SEARCH_PEERS';
    const venv = await pythonVenv({ name: 'search-adaptive-venv', packages: PACKAGES, skipVariable });
    if ('reason' in venv) return venv;
    const script = fileURLToPath(new URL('adaptive-peers.py', import.meta.url));
    const lines = new PythonLines(venv.python, script, { PYTHONWARNINGS: 'ignore' });
    await lines.ready();
    return new SpacePeers(lines);
  }

  /** Searches a space until as many epochs have been trained as are given. */
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
    const finals = this.#curves.flatMap(({ truths }, run) =>
      this.#epochs[run] === this.#space.epochs ? [lastOf(truths)] : [],
    );
    return { epochs: this.#trained, runs: this.#curves.length, regret: this.#space.best - Math.max(0, ...finals) };
  }

  async next(): Promise<SpaceWork | null> {
    if (this.#trained >= this.#limit) return null;
    const { run, point } = (await this.#lines.ask({ do: 'ask' })) as { run: number; point: SpacePoint };
    const curve = this.#space.curveAt(point);
    this.#curves[run] = curve;
    this.#epochs[run] = 0;
    return { run, milestones: this.#reports.map((epoch) => curve.seconds[epoch - 1] ?? 0) };
  }

  async reached({ run }: SpaceWork, milestone: number): Promise<boolean> {
    const epoch = this.#reports[milestone] ?? 0;
    this.#epochs[run] = epoch;
    const value = this.#curves[run]?.values[epoch - 1];
    const { go } = (await this.#lines.ask({ do: 'tell', run, epoch, value })) as { go: boolean };
    return go;
  }

  get #trained(): number {
    return this.#epochs.reduce((sum, epochs) => sum + epochs, 0);
  }
}
