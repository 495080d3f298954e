import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChaosCluster } from './chaos-cluster.ts';
import { ChaosSweeps } from './chaos-sweeps.ts';
import type { SweepSize } from './chaos-sweeps.ts';
import { checkRecord, describeFindings } from './checker.ts';
import type { Finding } from './checker.ts';
import { describeFault, planFaults } from './schedule.ts';
import type { Fault } from './schedule.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly faultCount: number;
  /** No fault begins later; null: until all are done. */
  readonly limitMs: number | null;
  readonly size: SweepSize;
  /** Between two faults at most; `schedule.ts` has the default. */
  readonly maxPauseMs?: number;
  /** Gets data, database, artifacts and logs. */
  readonly folder: string;
  readonly say: (text: string) => void;
}

export interface ChaosResult {
  readonly findings: readonly Finding[];
  readonly violationCount: number;
  readonly faultsDone: readonly Fault[];
  readonly sweepIds: readonly string[];
}

export const TRAINER_COUNT = 3;
export const COORDINATOR_COUNT = 2;
/** Short, so that faults that outlast it are quick. Every duration of the schedule is in proportion to it. */
export const LEASE_MS = 6_000;
/** Longer than any process is stopped, so that a file that is still being written is never taken for a leftover. */
const ORPHAN_MS = 15_000;
const UNDISTURBED_MS = 300_000;
const SETTLE_MS = 240_000;
const FILES_SETTLE_MS = 60_000;
/** What a person can mend; every other pause is a finding. */
const DISK_IS_FULL = /The disk of the artifact store .* is full/;

/**
 * Trains a sweep in peace, then the same sweep again and again while the faults of the seed are done, lets everything settle
 * and checks the record.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, faultCount, folder } = options;
  mkdirSync(folder, { recursive: true });
  const began = Date.now();
  const file = createWriteStream(join(folder, 'chaos.log'), { flags: 'a' });
  const say = (text: string): void => {
    const line = `${((Date.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${text}`;
    file.write(`${line}\n`);
    options.say(line);
  };
  try {
    await using cluster = await ChaosCluster.start({
      folder,
      trainerCount: TRAINER_COUNT,
      coordinatorCount: COORDINATOR_COUNT,
      leaseMs: LEASE_MS,
      orphanMs: ORPHAN_MS,
      say,
    });
    using sweeps = await ChaosSweeps.prepare(folder, options.size, cluster.coordinatorAddresses, { isReusing: true });
    say('training the undisturbed sweep');
    const referenceSweepId = await sweeps.submit();
    const state = await sweeps.ended(referenceSweepId, UNDISTURBED_MS);
    if (state !== 'SUCCEEDED') throw new Error(`The undisturbed sweep ${referenceSweepId} is ${state}.`);
    const faults = planFaults({
      seed,
      faultCount,
      trainerCount: TRAINER_COUNT,
      coordinatorCount: COORDINATOR_COUNT,
      leaseMs: LEASE_MS,
      ...(options.maxPauseMs === undefined ? {} : { maxPauseMs: options.maxPauseMs }),
    });
    const { sweepIds, faultsDone } = await disturb(options, cluster, sweeps, faults, say);
    say(`${faultsDone.length} faults done over ${sweepIds.length} sweeps; checking`);
    const findings = await checkWhenSettled(cluster, referenceSweepId, sweepIds);
    say(`invariants:\n${describeFindings(findings)}`);
    const violationCount = findings.filter(({ violations }) => violations.length > 0).length;
    return { findings, violationCount, faultsDone, sweepIds };
  } finally {
    await new Promise<void>((resolve) => file.end(() => resolve()));
  }
}

/** Submits sweeps one after the other until all faults are done, then waits for the last one's end. */
async function disturb(
  { limitMs }: ChaosOptions,
  cluster: ChaosCluster,
  sweeps: ChaosSweeps,
  faults: readonly Fault[],
  say: (text: string) => void,
): Promise<{ sweepIds: readonly string[]; faultsDone: readonly Fault[] }> {
  const faultsDone: Fault[] = [];
  const sweepIds: string[] = [];
  const injection = { isOver: false };
  const injecting = injectAll(cluster, faults, limitMs, say, faultsDone).finally(() => (injection.isOver = true));
  // Its failure is met where it is awaited, after the sweeps.
  injecting.catch(() => undefined);
  do {
    const sweepId = await sweeps.submit();
    sweepIds.push(sweepId);
    say(`sweep ${sweepId} submitted`);
    let state = await sweeps.ended(sweepId, SETTLE_MS, DISK_IS_FULL);
    // Faults that go on may hold it up; only peace is bounded.
    while (state === 'ACTIVE' && !isOver(injection)) state = await sweeps.ended(sweepId, SETTLE_MS, DISK_IS_FULL);
    say(`sweep ${sweepId} is ${state}`);
    if (state === 'ACTIVE') break;
  } while (!isOver(injection));
  await injecting;
  return { sweepIds, faultsDone };
}

/** A call, because the compiler takes the flag for constant across `await`. */
function isOver(injection: { readonly isOver: boolean }): boolean {
  return injection.isOver;
}

async function injectAll(
  cluster: ChaosCluster,
  faults: readonly Fault[],
  limitMs: number | null,
  say: (text: string) => void,
  done: Fault[],
): Promise<void> {
  const began = Date.now();
  const undone: Promise<void>[] = [];
  try {
    for (const fault of faults) {
      await sleep(fault.afterMs);
      if (limitMs !== null && Date.now() - began > limitMs) {
        say(`the time is over after ${done.length} of ${faults.length} faults`);
        return;
      }
      const injected = await cluster.inject(fault.action);
      undone.push(injected.undone);
      done.push(fault);
      const met = injected.file ?? (injected.trainer === null ? null : `trainer ${injected.trainer}`);
      say(describeFault(fault) + (met === null ? '' : ` (${met})`));
    }
  } finally {
    await Promise.all(undone);
  }
}

/** Files of killed workers are removed in time by the coordinator; everything else must hold at once. */
async function checkWhenSettled(
  cluster: ChaosCluster,
  referenceSweepId: string,
  sweepIds: readonly string[],
): Promise<readonly Finding[]> {
  const deadline = Date.now() + FILES_SETTLE_MS;
  for (;;) {
    const findings = await checkRecord({
      databaseUrl: cluster.databaseUrl,
      artifactsDir: cluster.artifactsDir,
      referenceSweepId,
      sweepIds,
      fileGraceMs: 0,
      damagedUris: cluster.damagedUris,
    });
    const isSettled = findings.every(({ violations }) => violations.length === 0);
    if (isSettled || Date.now() > deadline) return findings;
    await sleep(2_000);
  }
}
