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
  /** Time after which no fault begins; null: no limit. */
  readonly limitMs: number | null;
  readonly size: SweepSize;
  /** Maximum pause between two faults; the default is in `schedule.ts`. */
  readonly maxPauseMs?: number;
  /** Folder of data, database, artifacts and logs. */
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
/** Lease duration, short so that faults can outlast it. All durations of the schedule are proportional to it. */
export const LEASE_MS = 6_000;
/** Age of orphans, longer than any stop of a process, so that a file that is being written is never removed. */
const ORPHAN_MS = 15_000;
const UNDISTURBED_MS = 300_000;
const SETTLE_MS = 240_000;
const FILES_SETTLE_MS = 60_000;
/** Reasons for a pause that a user can fix; any other pause is a finding. */
const DISK_IS_FULL = /The disk of the artifact store .* is full/;

/**
 * Trains a sweep undisturbed, then repeats the same sweep under the faults of the seed, waits until all work has ended and checks the
 * record.
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

/** Submits sweeps one after the other until all faults have ended, then waits for the end of the last sweep. */
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
  // Its failure is handled where it is awaited, after the sweeps.
  injecting.catch(() => undefined);
  do {
    const sweepId = await sweeps.submit();
    sweepIds.push(sweepId);
    say(`sweep ${sweepId} submitted`);
    let state = await sweeps.ended(sweepId, SETTLE_MS, DISK_IS_FULL);
    // Active faults may delay it, so only the time without faults is bounded.
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

/** Repeats the check while files of killed workers await their removal; everything else must hold at once. */
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
