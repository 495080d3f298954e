import { fileURLToPath } from 'node:url';
import { pythonVenv } from '../../support/python-venv.ts';
import { PythonLines } from '../../support/python-lines.ts';
import { outcomeOf } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { runOnSlots } from './virtual-clock.ts';
import type { Dispatcher } from './virtual-clock.ts';
import type { World } from './world.ts';

/** Packages that the schedulers import, in exact versions. `--no-deps`: Syne Tune asks for XGBoost with CUDA, which no scheduler uses. */
const BOTH = [
  '--no-deps',
  'numpy==2.4.6',
  'pandas==3.1.1',
  'python-dateutil==4.0.0',
  'dill==0.4.1',
  'PyYAML==6.0.4',
  'typing_extensions==4.16.0',
];
const PEERS_PACKAGES = [
  ...BOTH,
  'optuna==5.0.0',
  'alembic==1.20.1',
  'colorlog==6.12.0',
  'Mako==1.4.3',
  'MarkupSafe==3.0.4',
  'packaging==26.4',
  'SQLAlchemy==2.1.9',
  'tqdm==4.70.1',
  'syne-tune==0.16.0',
  'ray==2.60.0',
  'annotated-types==0.8.0',
  'attrs==26.1.0',
  'certifi==2026.10.19.post1',
  'charset-normalizer==3.5.3',
  'click==8.5.1',
  'filelock==4.3.1',
  'fsspec==2026.9.0',
  'idna==3.20',
  'jsonschema==4.26.0',
  'jsonschema-specifications==2025.9.1',
  'msgpack==1.2.4',
  'protobuf==7.36.2',
  'pyarrow==26.0.1',
  'pydantic==2.14.4',
  'pydantic_core==2.50.5',
  'referencing==0.37.0',
  'requests==2.34.2',
  'rpds-py==2026.9.1',
  'tensorboardX==2.6.5',
  'typing-inspection==0.4.5',
  'urllib3==2.8.0',
];
/** The last version with promotion. */
const PROMOTION_PACKAGES = [...BOTH, 'syne-tune==0.14.2', 'scipy==1.17.1', 'sortedcontainers==2.4.0'];

/** Peers by name, as tables show them. */
export const PEERS = {
  'optuna-halving': 'Optuna 5.0.0 SuccessiveHalvingPruner',
  'optuna-hyperband': 'Optuna 5.0.0 HyperbandPruner',
  'optuna-median': 'Optuna 5.0.0 MedianPruner',
  'ray-asha': 'Ray 2.60.0 ASHA',
  'syne-asha': 'Syne Tune 0.16.0 ASHA',
  'syne-promotion': 'Syne Tune 0.14.2 ASHA, promotion',
} as const;
export type PeerName = keyof typeof PEERS;

export interface PeerSettings {
  readonly slots: number;
  /** Epoch of the first rung; the next ones are at multiples by `factor`. */
  readonly firstRung: number;
  readonly factor: number;
  readonly seed: number;
}

/** Python processes with the peers' schedulers. */
export class PeerProcesses implements Disposable {
  readonly #peers: PythonLines;
  readonly #promotion: PythonLines;

  private constructor(peers: PythonLines, promotion: PythonLines) {
    this.#peers = peers;
    this.#promotion = promotion;
  }

  /** Installs the peers on first use (about a minute, 1 GB); returns a reason where that fails. */
  static async start(): Promise<PeerProcesses | { readonly reason: string }> {
    const skipVariable = 'GRAFT_SKIP_SEARCH_PEERS';
    const peers = await pythonVenv({ name: 'search-peers-venv', packages: PEERS_PACKAGES, skipVariable });
    if ('reason' in peers) return peers;
    const promotion = await pythonVenv({ name: 'search-promotion-venv', packages: PROMOTION_PACKAGES, skipVariable });
    if ('reason' in promotion) return promotion;
    const script = fileURLToPath(new URL('peers.py', import.meta.url));
    const processes = [peers, promotion].map(
      ({ python }) => new PythonLines(python, script, { PYTHONWARNINGS: 'ignore', RAY_USAGE_STATS_ENABLED: '0' }),
    );
    for (const process of processes) await process.ready();
    const [first, second] = processes;
    if (first === undefined || second === undefined) throw new Error('A process is missing.');
    return new PeerProcesses(first, second);
  }

  /** Searches a world without heads by a peer's scheduler, on the same virtual clock as Graft's search. */
  async search(peer: PeerName, world: World, settings: PeerSettings): Promise<Outcome> {
    const lines = peer === 'syne-promotion' ? this.#promotion : this.#peers;
    const { slots, firstRung: first, factor, seed } = settings;
    const epochs = Math.max(...world.runs.map(({ fineTuneEpochs }) => fineTuneEpochs ?? 0));
    const job = { do: 'start', peer, count: world.runs.length, epochs, first, factor, seed };
    const { reports } = (await lines.ask(job)) as { reports: readonly number[] };
    const dispatcher = new PeerDispatcher(lines, world, reports);
    const { slotSeconds, wallSeconds } = await runOnSlots(slots, dispatcher);
    const trained = dispatcher.epochs.map((done) => ({ head: false, epochs: done }));
    return outcomeOf(world, trained, slotSeconds, wallSeconds);
  }

  [Symbol.dispose](): void {
    this.#peers.end();
    this.#promotion.end();
  }
}

interface PeerWork {
  readonly run: number;
  /** Epochs that are reported, one for each milestone. */
  readonly epochs: readonly number[];
  readonly milestones: readonly number[];
}

class PeerDispatcher implements Dispatcher<PeerWork> {
  /** Completed epochs of each run. */
  readonly epochs: number[];
  readonly #lines: PythonLines;
  readonly #world: World;
  readonly #reports: readonly number[];

  constructor(lines: PythonLines, world: World, reports: readonly number[]) {
    this.#lines = lines;
    this.#world = world;
    this.#reports = reports;
    this.epochs = world.runs.map(() => 0);
  }

  async next(): Promise<PeerWork | null> {
    const { run } = (await this.#lines.ask({ do: 'ask' })) as { run: number | null };
    if (run === null) return null;
    const done = this.epochs[run] ?? 0;
    const seconds = this.#curve(run).seconds;
    const before = done === 0 ? 0 : (seconds[done - 1] ?? 0);
    const epochs = this.#reports.filter((epoch) => epoch > done);
    return { run, epochs, milestones: epochs.map((epoch) => (seconds[epoch - 1] ?? 0) - before) };
  }

  async reached({ run, epochs }: PeerWork, milestone: number): Promise<boolean> {
    const epoch = epochs[milestone] ?? 0;
    this.epochs[run] = epoch;
    const value = this.#curve(run).values[epoch - 1];
    const { go } = (await this.#lines.ask({ do: 'tell', run, epoch, value })) as { go: boolean };
    return go;
  }

  #curve(run: number): NonNullable<World['runs'][number]['fineTune']> {
    const curve = this.#world.runs[run]?.fineTune;
    if (curve === undefined || curve === null) throw new Error(`Run ${run} has no curve.`);
    return curve;
  }
}
