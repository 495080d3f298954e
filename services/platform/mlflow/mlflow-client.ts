import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { artifactPath } from './artifact-path.ts';
import { packBatches } from './log-batch.ts';
import type { MlflowMetric, MlflowPair, RunData } from './log-batch.ts';
import { MlflowError } from './mlflow-error.ts';
import type { MlflowServer, MlflowTransport, TransportRequest } from './transport.ts';

export type RunStatus = 'SCHEDULED' | 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED';

/** Identity of a run on the server. */
export interface MlflowRunPlace {
  readonly experimentId: string;
  readonly mlflowRunId: string;
  readonly artifactUri: string;
}

export interface NewMlflowRun {
  readonly experimentId: string;
  readonly runName: string;
  /** Milliseconds since 1970. */
  readonly startTime: number;
  readonly tags: readonly MlflowPair[];
}

export interface RunChange {
  readonly status: RunStatus;
  /** Milliseconds since 1970; null: the run has not ended. */
  readonly endTime: number | null;
  readonly runName?: string;
}

/** A data set that a run was trained on; `source`, `schema` and `profile` are JSON documents. */
export interface DatasetInput {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly profile: string;
  readonly tags: readonly MlflowPair[];
}

export interface NewModelVersion {
  readonly name: string;
  readonly source: string;
  readonly mlflowRunId: string;
  readonly description: string;
  readonly tags: readonly MlflowPair[];
}

const API = '/api/2.0';

/** protobuf's JSON mapping writes 64-bit numbers as strings; some of the server's own code does not. */
const WHOLE = z.union([z.number(), z.string().regex(/^-?\d+$/)]).transform(Number);
const VALUE = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]).transform(Number);

const EXPERIMENT = z.object({
  experiment: z.object({ experiment_id: z.string(), lifecycle_stage: z.string().default('active') }),
});
const NEW_EXPERIMENT = z.object({ experiment_id: z.string() });
const RUN = z.object({
  info: z.object({ experiment_id: z.string(), run_id: z.string(), artifact_uri: z.string() }),
});
const NEW_RUN = z.object({ run: RUN });
const RUNS = z.object({ runs: z.array(RUN).default([]) });
const HISTORY = z.object({
  metrics: z.array(z.object({ key: z.string(), value: VALUE, timestamp: WHOLE, step: WHOLE.default(0) })).default([]),
  next_page_token: z.string().default(''),
});
const MODEL_VERSIONS = z.object({ model_versions: z.array(z.object({ version: z.string() })).default([]) });
const HISTORY_PAGE = 1000;

/** Callbacks around each request. */
export interface MlflowClientHooks {
  /** Runs before every request, which is not sent if it throws. */
  readonly beforeRequest?: (isUpload: boolean) => Promise<void>;
  /** Called after a valid response. */
  readonly onSuccess?: () => void;
  /** Called before the failure reaches the caller or the request is retried. */
  readonly onFailure?: (error: MlflowError) => void;
}

/** Number of attempts of a read. Only reads may be retried immediately. */
const READ_TRIES = 3;
const READ_WAIT_MS = 250;

/**
 * The part of MLflow's REST API that a mirror needs (`/api/2.0`, servers 2.x and 3.x). Every method is one request
 * unless documented otherwise, and throws {MlflowError} on failure. Reads are attempted three times within one or two
 * seconds; other methods document whether they are idempotent.
 */
export class MlflowClient {
  readonly trackingUri: string;
  readonly #transport: MlflowTransport;
  readonly #signal: AbortSignal;
  readonly #hooks: MlflowClientHooks;

  constructor(server: MlflowServer, transport: MlflowTransport, signal: AbortSignal, hooks: MlflowClientHooks = {}) {
    this.trackingUri = server.trackingUri;
    this.#transport = transport;
    this.#signal = signal;
    this.#hooks = hooks;
  }

  /** Finds an experiment by name; null if there is none. */
  async findExperiment(name: string): Promise<{ readonly experimentId: string; readonly isDeleted: boolean } | null> {
    try {
      const { experiment } = await this.#get('/mlflow/experiments/get-by-name', { experiment_name: name }, EXPERIMENT);
      return { experimentId: experiment.experiment_id, isDeleted: experiment.lifecycle_stage === 'deleted' };
    } catch (error) {
      if (isCode(error, 'RESOURCE_DOES_NOT_EXIST')) return null;
      throw error;
    }
  }

  /** Creates an experiment. Not idempotent: the second call is refused with RESOURCE_ALREADY_EXISTS. */
  async createExperiment(name: string): Promise<string> {
    return (await this.#post('/mlflow/experiments/create', { name }, NEW_EXPERIMENT)).experiment_id;
  }

  /** Finds the first run of an experiment that has a tag; null if none has. The value must not contain quotes. */
  async findRun(experimentId: string, tag: MlflowPair): Promise<MlflowRunPlace | null> {
    const filter = `tags."${tag.key}" = '${tag.value}'`;
    const body = { experiment_ids: [experimentId], filter, run_view_type: 'ACTIVE_ONLY', max_results: 1 };
    const asked = { method: 'POST', path: `${API}/mlflow/runs/search`, json: body } as const;
    const [run] = (await this.#read(asked, RUNS)).runs;
    return run === undefined ? null : placeOf(run);
  }

  /** Creates a run. Not idempotent: a second call creates a second run, so search for a unique tag first. */
  async createRun(run: NewMlflowRun): Promise<MlflowRunPlace> {
    const { experimentId, runName, startTime, tags } = run;
    const body = { experiment_id: experimentId, run_name: runName, start_time: startTime, tags: sorted(tags) };
    return placeOf((await this.#post('/mlflow/runs/create', body, NEW_RUN)).run);
  }

  /** Updates a run's status, and its name where one is given. Idempotent. */
  async updateRun(mlflowRunId: string, change: RunChange): Promise<void> {
    const { status, endTime, runName } = change;
    const end = endTime === null ? {} : { end_time: endTime };
    const name = runName === undefined ? {} : { run_name: runName };
    await this.#post('/mlflow/runs/update', { run_id: mlflowRunId, status, ...end, ...name }, z.unknown());
  }

  /**
   * Sends as many requests as the limits require, in a fixed order. Idempotent: parameters with equal values are
   * accepted, tags are replaced, and a point with the same key, value, timestamp and step is stored once by a server
   * with a database (twice by one with files). A failed request may have been applied partially.
   */
  async logBatch(mlflowRunId: string, data: RunData): Promise<void> {
    for (const body of packBatches(mlflowRunId, data)) await this.#post('/mlflow/runs/log-batch', body, z.unknown());
  }

  /** Records a data set. Idempotent: name and digest identify it. */
  async logInput(mlflowRunId: string, input: DatasetInput): Promise<void> {
    const { name, digest, sourceType, source, profile, tags } = input;
    const dataset = { name, digest, source_type: sourceType, source, profile };
    const body = { run_id: mlflowRunId, datasets: [{ tags: sorted(tags), dataset }] };
    await this.#post('/mlflow/runs/log-inputs', body, z.unknown());
  }

  /**
   * Reads all points of one metric, one request per page. Infinities are returned as the largest doubles, as the server
   * stores them.
   */
  async readHistory(mlflowRunId: string, key: string): Promise<MlflowMetric[]> {
    const points: MlflowMetric[] = [];
    let token = '';
    do {
      const query = { run_id: mlflowRunId, metric_key: key, max_results: String(HISTORY_PAGE) };
      const page = await this.#get(
        '/mlflow/metrics/get-history',
        token === '' ? query : { ...query, page_token: token },
        HISTORY,
      );
      points.push(...page.metrics);
      token = page.next_page_token;
    } while (token !== '');
    return points;
  }

  /** Writes or replaces a file of a run through the server. Idempotent. */
  async putArtifact(artifactUri: string, path: string, body: Uint8Array, contentType: string): Promise<void> {
    const place = artifactPath(artifactUri, path, this.trackingUri);
    await this.#send(
      { method: 'PUT', path: `${API}/mlflow-artifacts/artifacts/${place}`, file: { body, contentType } },
      z.unknown(),
    );
  }

  /** Creates a registered model unless it exists. Idempotent. */
  async ensureRegisteredModel(name: string): Promise<void> {
    try {
      await this.#post('/mlflow/registered-models/create', { name }, z.unknown());
    } catch (error) {
      if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
    }
  }

  /** Returns whether a run has a version of a model. */
  async hasModelVersion(name: string, mlflowRunId: string): Promise<boolean> {
    const quoted = name.replaceAll("'", "''");
    const query = { filter: `name = '${quoted}' AND run_id = '${mlflowRunId}'`, max_results: '1' };
    return (await this.#get('/mlflow/model-versions/search', query, MODEL_VERSIONS)).model_versions.length > 0;
  }

  /** Creates a model version. Not idempotent: a second call creates a second version. */
  async createModelVersion({ name, source, mlflowRunId, description, tags }: NewModelVersion): Promise<void> {
    const body = { name, source, run_id: mlflowRunId, description, tags: sorted(tags) };
    await this.#post('/mlflow/model-versions/create', body, z.unknown());
  }

  async #get<T>(path: string, query: Readonly<Record<string, string>>, shape: z.ZodType<T>): Promise<T> {
    return this.#read({ method: 'GET', path: `${API}${path}`, query }, shape);
  }

  #post<T>(path: string, json: unknown, shape: z.ZodType<T>): Promise<T> {
    return this.#send({ method: 'POST', path: `${API}${path}`, json }, shape);
  }

  async #read<T>(asked: TransportRequest, shape: z.ZodType<T>): Promise<T> {
    for (let count = 1; ; count += 1) {
      try {
        return await this.#send(asked, shape);
      } catch (error) {
        if (!(error instanceof MlflowError) || error.kind === 'REFUSED' || count >= READ_TRIES) throw error;
        // A Retry-After of the server applies to every client.
        if (error.retryAfterMs !== null) throw error;
        await sleep(READ_WAIT_MS * 2 ** (count - 1), undefined, { signal: this.#signal });
      }
    }
  }

  async #send<T>(asked: TransportRequest, shape: z.ZodType<T>): Promise<T> {
    await this.#hooks.beforeRequest?.(asked.file !== undefined);
    this.#signal.throwIfAborted();
    const answer = await this.#ask(asked, shape).catch((error: unknown) => {
      if (error instanceof MlflowError) this.#hooks.onFailure?.(error);
      throw error;
    });
    this.#hooks.onSuccess?.();
    return answer;
  }

  async #ask<T>(asked: TransportRequest, shape: z.ZodType<T>): Promise<T> {
    const answer = shape.safeParse(await this.#transport.send(asked, this.#signal));
    if (answer.success) return answer.data;
    throw new MlflowError(
      'UNAVAILABLE',
      'UNKNOWN_ANSWER',
      `${asked.method} ${this.trackingUri}${asked.path} returned an unexpected response: ${z.prettifyError(answer.error)}`,
    );
  }
}

function placeOf({ info }: z.infer<typeof RUN>): MlflowRunPlace {
  return { experimentId: info.experiment_id, mlflowRunId: info.run_id, artifactUri: info.artifact_uri };
}

function sorted(pairs: readonly MlflowPair[]): readonly MlflowPair[] {
  return pairs.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof MlflowError && error.code === code;
}
