/** Record that a test reads from an MLflow server over plain HTTP, without the client under test. */
export interface MlflowRunRecord {
  readonly mlflowRunId: string;
  readonly name: string;
  readonly status: string;
  readonly startMs: number;
  readonly endMs: number | null;
  readonly artifactUri: string;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly metricKeys: readonly string[];
  readonly inputs: readonly { readonly name: string; readonly digest: string }[];
}

export interface Point {
  readonly key: string;
  readonly step: number;
  readonly value: number;
  readonly timeMs: number;
}

interface Pair {
  readonly key: string;
  readonly value: string;
}

interface RunJson {
  readonly info: {
    readonly run_id: string;
    readonly run_name: string;
    readonly status: string;
    readonly start_time: number | string;
    readonly end_time?: number | string;
    readonly artifact_uri: string;
  };
  readonly data: {
    readonly metrics?: readonly Pair[];
    readonly params?: readonly Pair[];
    readonly tags?: readonly Pair[];
  };
  readonly inputs?: { readonly dataset_inputs?: readonly { readonly dataset: { name: string; digest: string } }[] };
}

export class MlflowReader {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** All runs of an experiment; none where there is no such experiment. */
  async runs(experiment: string): Promise<MlflowRunRecord[]> {
    const found = await this.get(`experiments/get-by-name?experiment_name=${encodeURIComponent(experiment)}`);
    const id = (found as { experiment?: { experiment_id: string } }).experiment?.experiment_id;
    if (id === undefined) return [];
    const body = JSON.stringify({ experiment_ids: [id], max_results: 10_000, run_view_type: 'ALL' });
    const { runs = [] } = (await this.get('runs/search', body)) as { runs?: readonly RunJson[] };
    return runs.map(({ info, data, inputs }) => ({
      mlflowRunId: info.run_id,
      name: info.run_name,
      status: info.status,
      startMs: Number(info.start_time),
      endMs: info.end_time === undefined ? null : Number(info.end_time),
      artifactUri: info.artifact_uri,
      params: toRecord(data.params),
      tags: toRecord(data.tags),
      metricKeys: (data.metrics ?? []).map(({ key }) => key),
      inputs: (inputs?.dataset_inputs ?? []).map(({ dataset: { name, digest } }) => ({ name, digest })),
    }));
  }

  /** Every point of every metric of a run, sorted. */
  async points(run: MlflowRunRecord): Promise<Point[]> {
    const points: Point[] = [];
    for (const key of run.metricKeys) {
      const query = `run_id=${run.mlflowRunId}&metric_key=${encodeURIComponent(key)}`;
      const { metrics } = (await this.get(`metrics/get-history?${query}`)) as {
        metrics: readonly { value: number | string; timestamp: number | string; step?: number | string }[];
      };
      for (const { value, timestamp, step } of metrics) {
        points.push({ key, step: Number(step ?? 0), value: Number(value), timeMs: Number(timestamp) });
      }
    }
    return sortPoints(points);
  }

  /** Names of a run's artifacts in a folder. */
  async artifacts(run: MlflowRunRecord, folder = ''): Promise<readonly string[]> {
    const { files = [] } = (await this.get(`artifacts/list?run_id=${run.mlflowRunId}&path=${folder}`)) as {
      files?: readonly { path: string }[];
    };
    return files.map(({ path }) => path).sort();
  }

  /** A run's artifact. */
  async artifact(run: MlflowRunRecord, path: string): Promise<Buffer> {
    const place = run.artifactUri.replace('mlflow-artifacts:/', '');
    const answer = await fetch(`${this.#url}/api/2.0/mlflow-artifacts/artifacts/${place}/${path}`);
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  /** POST where a body is given, else GET. */
  async get(path: string, body?: string): Promise<unknown> {
    const answer = await fetch(`${this.#url}/api/2.0/mlflow/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body }),
    });
    return answer.json();
  }
}

export function sortPoints(points: readonly Point[]): Point[] {
  const text = ({ key, step, timeMs, value }: Point): string =>
    [key, String(step).padStart(9, '0'), timeMs, value].join(' ');
  return points.toSorted((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
}

function toRecord(pairs: readonly Pair[] | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries((pairs ?? []).map(({ key, value }) => [key, value]));
}
