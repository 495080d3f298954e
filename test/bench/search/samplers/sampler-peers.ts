import { fileURLToPath } from 'node:url';
import { PythonLines } from '../../../support/python-lines.ts';
import { pythonVenv } from '../../../support/python-venv.ts';
import { noiseOf } from './model-search.ts';
import type { SearchTrace } from './model-search.ts';
import type { SamplerWorld, WorldDimension, WorldPoint } from './sampler-world.ts';

const PACKAGES = ['optuna==5.0.0', 'scipy==1.17.1', 'torch==2.15.0', 'smac==2.4.1'];

/** Samplers by name, as tables show them. */
export const SAMPLER_PEERS = {
  'optuna-tpe': 'Optuna 5.0.0 TPE',
  'optuna-group': 'Optuna 5.0.0 TPE, group',
  'optuna-gp': 'Optuna 5.0.0 GPSampler',
  'smac-forest': 'SMAC 2.4.1 random forest',
  'smac-gp': 'SMAC 2.4.1 Gaussian process',
  'smac-repeats': 'SMAC 2.4.1 random forest, repeats',
} as const;
export type SamplerPeer = keyof typeof SAMPLER_PEERS;

export interface PeerSearch {
  readonly peer: SamplerPeer;
  /** Points that are asked before their values are reported. */
  readonly batch: number;
  readonly count: number;
  readonly seed: number;
}

/** A Python process with the samplers of Optuna and SMAC. */
export class SamplerPeers implements Disposable {
  readonly #lines: PythonLines;

  private constructor(lines: PythonLines) {
    this.#lines = lines;
  }

  /** Installs Optuna, SciPy, PyTorch and SMAC on first use (6 GB); returns a reason where that fails. */
  static async start(): Promise<SamplerPeers | { readonly reason: string }> {
    const venv = await pythonVenv({
      name: 'search-samplers-venv',
      packages: PACKAGES,
      skipVariable: 'GRAFT_SKIP_SEARCH_PEERS',
    });
    if ('reason' in venv) return venv;
    const script = fileURLToPath(new URL('sampler-peers.py', import.meta.url));
    const threads = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };
    const lines = new PythonLines(venv.python, script, { PYTHONWARNINGS: 'ignore', ...threads });
    await lines.ready();
    return new SamplerPeers(lines);
  }

  /** Searches a world as `searchWithModel` does: the same noise by place. */
  search(world: SamplerWorld, search: PeerSearch): Promise<SearchTrace> {
    return this.searchBy(world.dimensions, search, (point, place) => world.observe(point, noiseOf(search.seed, place)));
  }

  /**
   * Searches by a peer.
   *
   * @param observe returns the value of a point that is asked for at a place of the search
   * @param isFound returns whether the search ends before its number of points
   */
  async searchBy(
    dimensions: readonly WorldDimension[],
    { peer, batch, count, seed }: PeerSearch,
    observe: (point: WorldPoint, place: number) => number,
    isFound: () => boolean = () => false,
  ): Promise<SearchTrace> {
    await this.#lines.ask({ do: 'start', peer, seed, count, dimensions });
    const points: WorldPoint[] = [];
    const observed: number[] = [];
    let seconds = 0;
    while (points.length < count && !isFound()) {
      const asked = await this.#ask({ do: 'ask', count: Math.min(batch, count - points.length) });
      const values = asked.points.map((point, place) => observe(point, observed.length + place));
      points.push(...asked.points);
      observed.push(...values);
      seconds += asked.seconds + (await this.#ask({ do: 'tell', values })).seconds;
    }
    return { points, observed, seconds };
  }

  /** Returns the best point of SMAC's last search, as it sees it. */
  async incumbent(): Promise<WorldPoint> {
    return ((await this.#lines.ask({ do: 'best' })) as { readonly point: WorldPoint }).point;
  }

  async #ask(job: unknown): Promise<{ readonly points: readonly WorldPoint[]; readonly seconds: number }> {
    return (await this.#lines.ask(job)) as { readonly points: readonly WorldPoint[]; readonly seconds: number };
  }

  [Symbol.dispose](): void {
    this.#lines.end();
  }
}
