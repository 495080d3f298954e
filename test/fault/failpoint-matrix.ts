import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { FILE_DAMAGES } from '../support/damage-file.ts';
import type { FileDamage } from '../support/damage-file.ts';
import { STORED_KINDS } from './stored-damage.ts';
import type { StoredKind } from './stored-damage.ts';
import { MAX_REPAIRS } from '../../services/core/repair.ts';
import { FAILPOINTS } from '../../services/platform/lifecycle/failpoint.ts';
import type { FailpointName } from '../../services/platform/lifecycle/failpoint.ts';
import { ChaosCluster } from './chaos-cluster.ts';
import { Rounds } from './chaos-rounds.ts';
import { ChaosSweeps } from './chaos-sweeps.ts';
import { describeFindings, settledFindings } from './checker.ts';
import type { Finding } from './checker.ts';
import { isStopped, sendSignal } from './process-tree.ts';
import type { ProcessTarget } from './schedule.ts';

type Part = ProcessTarget['part'];

export const PARTS: readonly Part[] = ['worker', 'supervisor', 'coordinator'];

/** A process stops at the point; then the victim, this process or one that it works with, is killed, or a file is damaged. */
export interface Scenario {
  readonly point: FailpointName;
  readonly victim: Part | FileVictim;
}

export interface FileVictim {
  readonly kind: StoredKind;
  readonly damage: FileDamage;
}

export interface Outcome extends Scenario {
  /** Milliseconds until a process reached the point; null: none did. */
  readonly reachedMs: number | null;
  /** Milliseconds from the kill to the next progress in the record; null: none. */
  readonly recoveredMs: number | null;
  /** Ends of attempts in between, such as `FAILED WORKER_KILLED`. */
  readonly ends: readonly string[];
}

export interface MatrixResult {
  readonly outcomes: readonly Outcome[];
  readonly findings: readonly Finding[];
}

/** Points at which a file was just written or registered, or is about to be read. */
const DAMAGE_POINTS: Readonly<Record<StoredKind, readonly FailpointName[]>> = {
  manifest: ['manifest.named', 'task.completed', 'lease.received'],
  features: ['features.named', 'task.completed', 'lease.received'],
  checkpoint: ['checkpoint.named', 'checkpoint.registering', 'checkpoint.registered', 'lease.received'],
  images: ['features.named', 'lease.received'],
};

export const ALL_SCENARIOS: readonly Scenario[] = [
  ...(Object.keys(FAILPOINTS) as FailpointName[])
    .filter(isReached)
    .flatMap((point) => PARTS.map((victim) => ({ point, victim }))),
  ...STORED_KINDS.flatMap((kind) =>
    FILE_DAMAGES.flatMap((damage) => DAMAGE_POINTS[kind].map((point) => ({ point, victim: { kind, damage } }))),
  ),
];

/** Returns whether a round reaches a point; `killed-steering.test.ts` and `killed-rounds.test.ts` have the others. */
function isReached(point: FailpointName): boolean {
  return !/^(steer|suggest|round)\./.test(point);
}

/** Returns the victim's name for filters and tables: `worker`, `features flip`. */
export function victimOf({ victim }: Scenario): string {
  return typeof victim === 'string' ? victim : `${victim.kind} ${victim.damage}`;
}

const LEASE_MS = 3_000;
const ORPHAN_MS = 6_000;
const TRAINER_COUNT = 2;
/** Time to reach a point: one that occurs once per round is reached in the next round at the latest. */
const REACH_MS = 240_000;
/** Time to reach the release of a preempted task, which few rounds have: most such tasks end before the command comes. */
const RELEASE_REACH_MS = 900_000;
const RECOVER_MS = 60_000;
const SETTLE_MS = 120_000;
const POLL_MS = 5;
/** Damages of one kind of file per sweep. A sweep repairs an artifact `MAX_REPAIRS` times, and may find one more from the sweep before. */
const MAX_DAMAGES = MAX_REPAIRS - 1;
/** Epochs, few enough that every stage is reached soon. */
const SIZE = { cached: 12, augmented: 40, fineTune: 3 };

/** Trains searches one after the other, runs one scenario after the other on the cluster, and checks the record at the end. */
export async function runMatrix(
  scenarios: readonly Scenario[],
  folder: string,
  say: (text: string) => void,
): Promise<MatrixResult> {
  mkdirSync(folder, { recursive: true });
  const failpointFile = join(folder, 'armed');
  writeFileSync(failpointFile, '');
  await using cluster = await ChaosCluster.start({
    folder,
    trainerCount: TRAINER_COUNT,
    coordinatorCount: 1,
    leaseMs: LEASE_MS,
    orphanMs: ORPHAN_MS,
    failpointFile,
    say: () => undefined,
  });
  using sweeps = await ChaosSweeps.prepare(folder, SIZE, cluster.coordinatorAddresses);
  const pool = new pg.Pool({ connectionString: cluster.databaseUrl, max: 1 });
  try {
    const rounds = new Rounds(sweeps, () => undefined);
    const reference = await rounds.play(SETTLE_MS, () => true);
    if (reference.state !== 'SUCCEEDED') throw new Error(`The undisturbed sweep is ${reference.state}.`);
    const training = new EndlessTraining(rounds);
    const outcomes: Outcome[] = [];
    for (const [number, scenario] of scenarios.entries()) {
      if (typeof scenario.victim !== 'string') await training.admitDamage(scenario.victim.kind);
      const outcome = await play(scenario, number, cluster, pool, failpointFile);
      outcomes.push(outcome);
      say(describeOutcome(outcome));
    }
    await training.stop();
    const { databaseUrl, artifactsDir, damagedUris } = cluster;
    const [referenceSweepId = '', ...sweepIds] = rounds.sweepIds;
    const { uncomparedSweepIds } = rounds;
    const stored = { databaseUrl, artifactsDir, fileGraceMs: 0, damagedUris };
    const findings = await settledFindings({ ...stored, referenceSweepId, sweepIds, uncomparedSweepIds }, 60_000);
    return { outcomes, findings: [...findings, await rounds.checkReplay()] };
  } finally {
    await pool.end();
  }
}

/** Plays the next round whenever one has ended. */
class EndlessTraining {
  readonly #rounds: Rounds;
  readonly #damages: { readonly kind: StoredKind; readonly sweepId: string | undefined }[] = [];
  readonly #running: Promise<void>;
  #isStopping = false;

  constructor(rounds: Rounds) {
    this.#rounds = rounds;
    this.#running = this.#run();
    this.#running.catch(() => undefined);
  }

  /** Counts a damage, and waits for the next sweep if the present one has had `MAX_DAMAGES` of this kind. */
  async admitDamage(kind: StoredKind): Promise<void> {
    const isFull = (): boolean =>
      this.#damages.filter((damage) => damage.kind === kind && damage.sweepId === this.#rounds.sweepIds.at(-1))
        .length >= MAX_DAMAGES;
    while (isFull()) await Promise.race([sleep(POLL_MS), this.#running]);
    this.#damages.push({ kind, sweepId: this.#rounds.sweepIds.at(-1) });
  }

  /** Waits for the end of the last round. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) await this.#rounds.play(SETTLE_MS, () => this.#isStopping);
  }
}

async function play(
  { point, victim }: Scenario,
  number: number,
  cluster: ChaosCluster,
  pool: pg.Pool,
  failpointFile: string,
): Promise<Outcome> {
  const began = performance.now();
  // The number makes it differ from the last scenario, which a process may not have seen disarmed.
  writeFileSync(failpointFile, `${point}=stop@1#${number}`);
  const stopped = await until(point.startsWith('release.') ? RELEASE_REACH_MS : REACH_MS, () =>
    Promise.resolve(cluster.livingProcesses().find(({ part, pid }) => part === FAILPOINTS[point] && isStopped(pid))),
  );
  // Disarmed before any process continues, so that no other process stops there.
  writeFileSync(failpointFile, '');
  if (stopped === null) return { point, victim, reachedMs: null, recoveredMs: null, ends: [] };
  const reachedMs = performance.now() - began;
  const before = await readMark(pool);
  const harmed = await harm(victim, stopped, number, cluster);
  const after = await until(RECOVER_MS, async () => {
    // Some processes still reach the point with the earlier arming.
    for (const other of cluster.livingProcesses()) if (isStopped(other.pid)) sendSignal(other.pid, 'SIGCONT');
    const mark = await readMark(pool);
    return mark.progress > before.progress ? mark : undefined;
  });
  const { rows } = await pool.query<{ text: string }>(
    `SELECT state || coalesce(' ' || error_code, '') AS text FROM attempts
      WHERE end_time > $1 AND state <> 'SUCCEEDED' ORDER BY end_time`,
    [before.time],
  );
  const recoveredMs = after === null ? null : performance.now() - harmed;
  return { point, victim, reachedMs, recoveredMs, ends: rows.map(({ text }) => text) };
}

/** Kills the victim, or damages the latest file of its kind, and continues all other processes. @returns the time of the harm. */
async function harm(
  victim: Scenario['victim'],
  stopped: ProcessTarget & { readonly pid: number },
  number: number,
  cluster: ChaosCluster,
): Promise<number> {
  if (typeof victim !== 'string') {
    cluster.damage({ ...victim, place: 0, part: 0.5 });
    for (const other of cluster.livingProcesses()) if (isStopped(other.pid)) sendSignal(other.pid, 'SIGCONT');
    return performance.now();
  }
  const index = victim === 'coordinator' ? 0 : stopped.part === 'coordinator' ? number % TRAINER_COUNT : stopped.index;
  const isSelf = victim === stopped.part;
  const pid = isSelf ? stopped.pid : await cluster.livePid({ part: victim, index });
  // The victim's children lose their parent with it, so all stopped processes are collected before.
  const stoppedProcesses = cluster.livingProcesses().filter((other) => isStopped(other.pid));
  const killed = performance.now();
  sendSignal(pid, 'SIGKILL');
  for (const other of stoppedProcesses) if (other.pid !== pid) sendSignal(other.pid, 'SIGCONT');
  return killed;
}

/** Returns a measure of durable progress, which grows with every epoch, checkpoint and successful attempt. */
async function readMark(pool: pg.Pool): Promise<{ readonly progress: number; readonly time: Date }> {
  const { rows } = await pool.query<{ progress: number; time: Date }>(
    `SELECT ((SELECT count(*) FROM epoch_metrics) + (SELECT count(*) FROM checkpoints)
             + (SELECT count(*) FROM attempts WHERE state = 'SUCCEEDED'))::int AS progress, now() AS time`,
  );
  return rows[0] ?? { progress: 0, time: new Date(0) };
}

async function until<T>(timeoutMs: number, poll: () => Promise<T | undefined>): Promise<T | null> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const found = await poll();
    if (found !== undefined) return found;
    await sleep(POLL_MS);
  }
  return null;
}

function describeOutcome(outcome: Outcome): string {
  const { point, reachedMs, recoveredMs, ends } = outcome;
  const victim = victimOf(outcome);
  if (reachedMs === null) return `${point.padEnd(24)} ${victim.padEnd(20)} no process reached the point`;
  const recovered = recoveredMs === null ? 'NO PROGRESS AFTERWARDS' : `resumes after ${seconds(recoveredMs)}`;
  const lost = ends.length === 0 ? 'no attempt lost' : ends.join(', ');
  return `${point.padEnd(24)} ${victim.padEnd(20)} ${recovered} (${lost})`;
}

/** Formats the outcomes as a table, followed by the invariants. */
export function describeMatrix({ outcomes, findings }: MatrixResult): string {
  return [...outcomes.map(describeOutcome), '', describeFindings(findings)].join('\n');
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(4)} s`;
}
