import { NotFoundError } from '../../../core/errors.ts';
import { MlflowClient } from '../../../platform/mlflow/mlflow-client.ts';
import { MlflowError } from '../../../platform/mlflow/mlflow-error.ts';
import { MlflowTransport } from '../../../platform/mlflow/transport.ts';
import type { MlflowServer } from '../../../platform/mlflow/transport.ts';
import {
  adoptSubjects,
  ClaimLostError,
  claimSubjects,
  recordPlace,
  renewClaim,
} from '../../store/outbox/claim-subjects.ts';
import type { MirrorPlace, Subject } from '../../store/outbox/claim-subjects.ts';
import { readMirroredRun, readMirroredSweep } from '../../store/outbox/read-mirrored.ts';
import { recordServerAnswer, settleEntries } from '../../store/outbox/settle-entries.ts';
import type { EntryError } from '../../store/outbox/settle-entries.ts';
import { takeEntries } from '../../store/outbox/take-entries.ts';
import type { TakenEntry } from '../../store/outbox/take-entries.ts';
import type { LeaderTask } from '../leader-loop.ts';
import { backOffMs, MAX_SERVER_WAIT_MS, MAX_SUBJECT_WAIT_MS } from './back-off.ts';
import { findOrCreateExperiment, findOrCreateRun } from './find-place.ts';
import { sweepName } from './mapping.ts';
import type { MirrorContext, PlacedSubject } from './mirror-context.ts';
import { runSteps as stepsOfRun } from './send-run.ts';
import { sweepSteps } from './send-sweep.ts';
import { NotYetError, PausedError, runSteps } from './steps.ts';
import type { StepsOutcome } from './steps.ts';

/** Subjects that are sent concurrently. MLflow works best with one writer per run; more than a few only queue there. */
const CONCURRENCY = 4;
/** Entries of one subject at a time: about 1,400 points if a run has 7 metrics, one or two batches. */
const MAX_ENTRIES = 200;
/** Life of a claim in request time-outs. It outlives the request that it was renewed for. */
const CLAIM_TIMEOUTS = 2;
/** The same for uploads and reports, whose time-out is ten times as long (`MlflowTransport`). */
const LONG_CLAIM_TIMEOUTS = 12;
/** Longest pass, so that a coordinator that has lost the leadership stops sending. */
const MAX_PASS_MS = 30_000;
/** Consecutive failures of different subjects from which on the server is considered at fault. */
const FAILURES_OF_A_SERVER = 3;
const NOT_YET_WAIT_MS = 2_000;

export interface MlflowMirrorOptions extends MirrorContext {
  readonly server: MlflowServer;
  /** Milliseconds from the end of one pass to the start of the next. */
  readonly intervalMs: number;
  /** Returns a uniform number in [0, 1). */
  readonly random?: () => number;
}

/** Sends the entries of the outbox to MLflow and retries without end. */
export class MlflowMirror implements LeaderTask, AsyncDisposable {
  readonly name = 'mlflow mirror';
  readonly intervalMs: number;
  readonly #options: MlflowMirrorOptions;
  readonly #transport: MlflowTransport;
  readonly #random: () => number;
  /** Consecutive failures of the whole server. */
  #failureCount = 0;
  #lastFailed = '';
  #isUnavailable = false;
  /** Time of `performance.now()` until which nothing is sent. */
  #pausedUntilMs = 0;

  constructor(options: MlflowMirrorOptions) {
    this.#options = options;
    this.intervalMs = options.intervalMs;
    this.#random = options.random ?? Math.random;
    this.#transport = new MlflowTransport(options.server);
  }

  async pass(signal: AbortSignal): Promise<void> {
    const { pool, server } = this.#options;
    const endMs = performance.now() + MAX_PASS_MS;
    if (this.#isPaused()) return;
    await adoptSubjects(pool);
    while (!signal.aborted && performance.now() < endMs && !this.#isPaused()) {
      // One at a time until the server has answered: several would only fail together.
      const limit = this.#failureCount === 0 ? CONCURRENCY : 1;
      const claimMs = server.timeoutMs * CLAIM_TIMEOUTS;
      const subjects = await claimSubjects(pool, server.trackingUri, limit, claimMs);
      if (subjects.length === 0) return;
      const served = await Promise.allSettled(subjects.map((subject) => this.#serve(subject, signal)));
      // Only failures of the database arrive here. Claims that could not be released expire by themselves.
      for (const outcome of served) if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }

  async #serve(subject: Subject, signal: AbortSignal): Promise<void> {
    const { pool, log } = this.#options;
    const entries = await takeEntries(pool, subject, MAX_ENTRIES);
    const outcome = await this.#send(subject, entries, signal);
    if (outcome.error instanceof ClaimLostError) {
      log.warn({ err: outcome.error }, 'MLflow: another sender has claimed the subject');
      return;
    }
    if (outcome.error instanceof NotFoundError) {
      log.info({ subject_id: subject.subjectId }, 'MLflow: the sweep was deleted before all of it was sent');
      return;
    }
    await this.#settle(subject, entries, outcome, signal);
  }

  async #send(subject: Subject, entries: readonly TakenEntry[], signal: AbortSignal): Promise<StepsOutcome> {
    const everything = entries.map(({ outboxId }) => outboxId);
    try {
      const client = this.#clientOf(subject, signal);
      return await (subject.runId === null
        ? this.#sendSweep(client, subject, entries, signal)
        : this.#sendRun(client, subject, subject.runId, entries, signal));
    } catch (error) {
      if (!(error instanceof MlflowError && error.kind === 'REFUSED')) return { sentIds: [], refused: [], error };
      const refused = [{ outboxIds: everything, error: { code: error.code, message: error.message } }];
      return { sentIds: [], refused, error: null };
    }
  }

  async #sendSweep(
    client: MlflowClient,
    subject: Subject,
    entries: readonly TakenEntry[],
    signal: AbortSignal,
  ): Promise<StepsOutcome> {
    const context = this.#options;
    const sweep = await readMirroredSweep(context.pool, subject.sweepId);
    const placed = await this.#place(subject, client, signal, async () => {
      const experimentId = await findOrCreateExperiment(client, sweep.target.experiment || context.experiment);
      const run = { experimentId, runName: sweepName(sweep), startTime: sweep.startMs };
      return findOrCreateRun(client, subject.subjectId, null, run);
    });
    return runSteps(sweepSteps(context, placed, sweep, entries));
  }

  async #sendRun(
    client: MlflowClient,
    subject: Subject,
    runId: string,
    entries: readonly TakenEntry[],
    signal: AbortSignal,
  ): Promise<StepsOutcome> {
    const context = this.#options;
    const run = await readMirroredRun(context.pool, runId);
    const placed = await this.#place(subject, client, signal, async () => {
      const { parent } = subject;
      if (parent === null) throw new NotYetError(`The sweep of ${runId} is not in MLflow yet.`);
      const { experimentId, mlflowRunId } = parent;
      return findOrCreateRun(client, runId, mlflowRunId, { experimentId, runName: runId, startTime: run.startMs });
    });
    return runSteps(stepsOfRun(context, placed, run, entries));
  }

  async #place(
    subject: Subject,
    client: MlflowClient,
    signal: AbortSignal,
    find: () => Promise<MirrorPlace>,
  ): Promise<PlacedSubject> {
    if (subject.place !== null) return { subject, place: subject.place, client, signal };
    const place = await find();
    await recordPlace(this.#options.pool, subject, client.trackingUri, place);
    return { subject, place, client, signal };
  }

  #clientOf(subject: Subject, signal: AbortSignal): MlflowClient {
    const { pool, server } = this.#options;
    return new MlflowClient(server, this.#transport, signal, {
      beforeRequest: async (isUpload) => {
        await renewClaim(pool, subject, server.timeoutMs * (isUpload ? LONG_CLAIM_TIMEOUTS : CLAIM_TIMEOUTS));
        if (this.#isPaused()) throw new PausedError();
      },
      // A server that answers some requests is available: its failures are not consecutive.
      onSuccess: () => {
        this.#failureCount = 0;
      },
      onFailure: ({ retryAfterMs }) => this.#pause(retryAfterMs ?? 0),
    });
  }

  async #settle(
    subject: Subject,
    entries: readonly TakenEntry[],
    outcome: StepsOutcome,
    signal: AbortSignal,
  ): Promise<void> {
    const { pool, log } = this.#options;
    const { sentIds, refused, error } = outcome;
    const done = new Set([...sentIds, ...refused.flatMap(({ outboxIds }) => outboxIds)]);
    const left = entries.map(({ outboxId }) => outboxId).filter((id) => !done.has(id));
    for (const letter of refused) {
      log.error({ subject_id: subject.subjectId, error_code: letter.error.code }, `MLflow: ${letter.error.message}`);
    }
    if (error === null || error instanceof NotYetError || error instanceof PausedError || signal.aborted) {
      const waitMs = error instanceof NotYetError ? NOT_YET_WAIT_MS : 0;
      await settleEntries(pool, subject, { sentIds, refused, failed: null, waitMs, failureCount: 0 });
      if (!signal.aborted && !(error instanceof PausedError)) await this.#recordSuccess();
      return;
    }
    // An unavailable server is not the subject's fault: the subject waits with all others, at the end of the queue.
    const isServer = error instanceof MlflowError && error.kind === 'UNAVAILABLE';
    // A subject that makes progress starts its back-off again.
    const failureCount = (sentIds.length > 0 ? 0 : subject.failureCount) + (isServer ? 0 : 1);
    const retryAfterMs = error instanceof MlflowError ? error.retryAfterMs : null;
    const waitMs = isServer ? 0 : backOffMs(failureCount, MAX_SUBJECT_WAIT_MS, retryAfterMs, this.#random());
    const entryError = toEntryError(error);
    await settleEntries(pool, subject, {
      sentIds,
      refused,
      failed: { outboxIds: left, error: entryError },
      waitMs,
      failureCount,
    });
    await this.#recordFailure(subject, entryError, isServer, retryAfterMs);
  }

  #isPaused(): boolean {
    return performance.now() < this.#pausedUntilMs;
  }

  #pause(waitMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, performance.now() + waitMs);
  }

  async #recordSuccess(): Promise<void> {
    if (this.#isUnavailable) this.#options.log.info('MLflow is available again');
    this.#isUnavailable = false;
    this.#failureCount = 0;
    this.#lastFailed = '';
    await recordServerAnswer(this.#options.pool, this.#options.server.trackingUri, null);
  }

  async #recordFailure(
    subject: Subject,
    error: EntryError,
    isServer: boolean,
    retryAfterMs: number | null,
  ): Promise<void> {
    const { pool, server, log } = this.#options;
    if (isServer || this.#lastFailed !== subject.subjectId) this.#failureCount += 1;
    this.#lastFailed = subject.subjectId;
    this.#isUnavailable = true;
    const pauses = isServer || this.#failureCount >= FAILURES_OF_A_SERVER;
    const waitMs = pauses ? backOffMs(this.#failureCount, MAX_SERVER_WAIT_MS, retryAfterMs, this.#random()) : 0;
    this.#pause(waitMs);
    log.warn({ subject_id: subject.subjectId, error_code: error.code, wait_ms: waitMs }, `MLflow: ${error.message}`);
    await recordServerAnswer(pool, server.trackingUri, { error, count: this.#failureCount, waitMs });
  }
}

function toEntryError(error: unknown): EntryError {
  if (error instanceof MlflowError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}
