import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A point as it was sent. */
export interface LoggedPoint {
  readonly key: string;
  readonly value: number | string;
  readonly timestamp: number;
  readonly step: number;
}

export interface ScriptedRun {
  readonly runId: string;
  readonly experimentId: string;
  readonly name: string;
  readonly tags: Map<string, string>;
  readonly params: Map<string, string>;
  /** Points as received: a point that is sent twice is here twice, as in a server that keeps files. */
  readonly points: LoggedPoint[];
  readonly inputs: string[];
  status: string;
}

/** Effect on a request; `applied` is true if the request takes effect first. */
export type Fault =
  | {
      readonly kind: 'ANSWER';
      readonly status: number;
      readonly body: string;
      readonly type: string;
      readonly applied: boolean;
      readonly retryAfter?: string;
    }
  /** The connection is closed without an answer. */
  | { readonly kind: 'CLOSE'; readonly applied: boolean }
  /** No answer, ever. */
  | { readonly kind: 'HANG'; readonly applied: boolean };

export interface ScriptedRequest {
  readonly method: string;
  /** Path below `/api/2.0/`, without the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly json: Record<string, unknown>;
  readonly atMs: number;
}

export interface ScriptedMlflowOptions {
  /** Asked for every request; null: it is served. */
  readonly fault?: (request: ScriptedRequest, count: number) => Fault | null;
  readonly artifactRoot?: string;
  /** Certificate for HTTPS. */
  readonly listen?: (listener: RequestListener) => Server;
}

/**
 * A server with MLflow's API that can be configured to fail. Unlike the real one it keeps every received point, so that
 * duplicates are visible.
 */
export class ScriptedMlflow implements AsyncDisposable {
  readonly url: string;
  readonly requests: ScriptedRequest[] = [];
  readonly experiments = new Map<string, { readonly id: string; isDeleted: boolean }>();
  readonly runs: ScriptedRun[] = [];
  readonly artifacts = new Map<string, Buffer>();
  readonly modelVersions: Record<string, unknown>[] = [];
  fault: (request: ScriptedRequest, count: number) => Fault | null;
  readonly #server: Server;
  readonly #artifactRoot: string;

  private constructor(server: Server, options: ScriptedMlflowOptions, scheme: string) {
    this.#server = server;
    this.#artifactRoot = options.artifactRoot ?? 'mlflow-artifacts:';
    this.fault = options.fault ?? (() => null);
    this.url = `${scheme}://localhost:${(server.address() as AddressInfo).port}`;
  }

  static async start(options: ScriptedMlflowOptions = {}): Promise<ScriptedMlflow> {
    let serve: RequestListener = () => undefined;
    const listener: RequestListener = (incoming, outgoing) => serve(incoming, outgoing);
    const server = options.listen?.(listener) ?? createServer(listener);
    server.listen(0, 'localhost');
    await once(server, 'listening');
    const scripted = new ScriptedMlflow(server, options, options.listen === undefined ? 'http' : 'https');
    serve = (incoming, outgoing): void => void scripted.#serve(incoming, outgoing);
    return scripted;
  }

  run(name: string): ScriptedRun {
    const found = this.runs.filter((run) => run.name === name);
    if (found.length !== 1) throw new Error(`${found.length} runs are called ${name}`);
    return found[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await buffer(incoming).catch(() => null);
    if (body === null) return;
    const url = new URL(incoming.url ?? '', this.url);
    const isJson = incoming.headers['content-type'] === 'application/json' && incoming.method === 'POST';
    const json = isJson
      ? (JSON.parse(body.toString()) as Record<string, unknown>)
      : Object.fromEntries(url.searchParams);
    const path = decodeURIComponent(url.pathname).replace('/api/2.0/', '');
    const request = { method: incoming.method ?? '', path, headers: incoming.headers, json, atMs: performance.now() };
    this.requests.push(request);
    const fault = this.fault(request, this.requests.length);
    const answer = fault === null || fault.applied ? this.#answer(request, body) : null;
    if (fault === null && answer !== null) {
      outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    } else if (fault?.kind === 'CLOSE') {
      incoming.socket.destroy();
    } else if (fault?.kind === 'ANSWER') {
      const retryAfter = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter };
      outgoing.writeHead(fault.status, { 'content-type': fault.type, ...retryAfter }).end(fault.body);
    }
  }

  #answer(request: ScriptedRequest, body: Buffer): { readonly status: number; readonly body: unknown } {
    const { path, json } = request;
    if (path.startsWith('mlflow-artifacts/artifacts/')) {
      this.artifacts.set(path.slice('mlflow-artifacts/artifacts/'.length), body);
      return ok({});
    }
    switch (path) {
      case 'mlflow/experiments/get-by-name': {
        const found = this.experiments.get(String(json['experiment_name']));
        if (!found) return refuse(404, 'RESOURCE_DOES_NOT_EXIST', 'no such experiment');
        const stage = found.isDeleted ? 'deleted' : 'active';
        return ok({ experiment: { experiment_id: found.id, lifecycle_stage: stage } });
      }
      case 'mlflow/experiments/create': {
        const name = String(json['name']);
        if (this.experiments.has(name)) return refuse(400, 'RESOURCE_ALREADY_EXISTS', 'there is one');
        const id = String(this.experiments.size + 1);
        this.experiments.set(name, { id, isDeleted: false });
        return ok({ experiment_id: id });
      }
      case 'mlflow/runs/search': {
        const [, key = '', value = ''] = /^tags\."(.*)" = '(.*)'$/.exec(String(json['filter'])) ?? [];
        const [experimentId] = json['experiment_ids'] as string[];
        const found = this.runs.filter((run) => run.experimentId === experimentId && run.tags.get(key) === value);
        return ok({ runs: found.slice(0, Number(json['max_results'])).map((run) => this.#runJson(run)) });
      }
      case 'mlflow/runs/create':
        return ok({ run: this.#runJson(this.#createRun(json)) });
      case 'mlflow/metrics/get-history': {
        const points = this.#runOf(json)?.points.filter(({ key }) => key === json['metric_key']) ?? [];
        return ok({ metrics: points.map((point) => ({ ...point, timestamp: String(point.timestamp) })) });
      }
      case 'mlflow/model-versions/search':
        return ok({ model_versions: this.modelVersions.map((_version, index) => ({ version: String(index + 1) })) });
      case 'mlflow/model-versions/create':
        this.modelVersions.push(json);
        return ok({});
      case 'mlflow/registered-models/create':
        return ok({});
      default:
        return this.#answerToRun(path, json);
    }
  }

  #answerToRun(path: string, json: Record<string, unknown>): { readonly status: number; readonly body: unknown } {
    const run = this.#runOf(json);
    if (!run) return refuse(404, 'RESOURCE_DOES_NOT_EXIST', 'no such run');
    if (path === 'mlflow/runs/log-batch') {
      for (const { key, value } of json['params'] as { key: string; value: string }[]) {
        if ((run.params.get(key) ?? value) !== value) return refuse(400, 'INVALID_PARAMETER_VALUE', `${key} is set`);
        run.params.set(key, value);
      }
      run.points.push(...(json['metrics'] as LoggedPoint[]));
      for (const { key, value } of json['tags'] as { key: string; value: string }[]) run.tags.set(key, value);
    } else if (path === 'mlflow/runs/log-inputs') {
      const [{ dataset }] = json['datasets'] as [{ dataset: { digest: string } }];
      if (!run.inputs.includes(dataset.digest)) run.inputs.push(dataset.digest);
    } else if (path === 'mlflow/runs/update') {
      run.status = String(json['status']);
    } else {
      return refuse(404, 'ENDPOINT_NOT_FOUND', path);
    }
    return ok({});
  }

  #createRun(json: Record<string, unknown>): ScriptedRun {
    const run: ScriptedRun = {
      runId: String(this.runs.length + 1).padStart(32, '0'),
      experimentId: String(json['experiment_id']),
      name: String(json['run_name']),
      tags: new Map((json['tags'] as { key: string; value: string }[]).map(({ key, value }) => [key, value])),
      params: new Map(),
      points: [],
      inputs: [],
      status: 'RUNNING',
    };
    this.runs.push(run);
    return run;
  }

  #runJson(run: ScriptedRun): unknown {
    const artifactUri = `${this.#artifactRoot}/${run.experimentId}/${run.runId}/artifacts`;
    return { info: { run_id: run.runId, experiment_id: run.experimentId, artifact_uri: artifactUri } };
  }

  #runOf(json: Record<string, unknown>): ScriptedRun | undefined {
    return this.runs.find(({ runId }) => runId === json['run_id']);
  }
}

function ok(body: unknown): { readonly status: number; readonly body: unknown } {
  return { status: 200, body };
}

function refuse(status: number, code: string, message: string): { readonly status: number; readonly body: unknown } {
  return { status, body: { error_code: code, message } };
}
