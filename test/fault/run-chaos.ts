import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChaosCluster } from './chaos-cluster.ts';
import type { SweepSize } from './chaos-specs.ts';
import { ChaosSweeps } from './chaos-sweeps.ts';
import { Rounds } from './chaos-rounds.ts';
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
  /** Sweeps that were compared with the undisturbed one. */
  readonly sweepIds: readonly string[];
  readonly uncomparedSweepIds: readonly string[];
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

/**
 * Trains a search undisturbed, then repeats it under the faults of the seed, waits until all work has ended and checks the record. A
 * person extends each search while it trains and after its end. An urgent sweep preempts it, and another one that decides as results
 * arrive trains beside it.
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
    const rounds = new Rounds(sweeps, say);
    const reference = await rounds.play(UNDISTURBED_MS, () => true);
    if (reference.state !== 'SUCCEEDED') {
      throw new Error(`The undisturbed sweep ${reference.sweepId} is ${reference.state}.`);
    }
    const faults = planFaults({
      seed,
      faultCount,
      trainerCount: TRAINER_COUNT,
      coordinatorCount: COORDINATOR_COUNT,
      leaseMs: LEASE_MS,
      ...(options.maxPauseMs === undefined ? {} : { maxPauseMs: options.maxPauseMs }),
    });
    const faultsDone = await disturb(options, cluster, rounds, faults, say);
    const [referenceSweepId = '', ...sweepIds] = rounds.sweepIds;
    const { uncomparedSweepIds } = rounds;
    say(`${faultsDone.length} faults done over ${sweepIds.length + uncomparedSweepIds.length} sweeps; checking`);
    const findings = [
      ...(await checkWhenSettled(cluster, referenceSweepId, sweepIds, uncomparedSweepIds)),
      await rounds.checkReplay(),
    ];
    say(`invariants:\n${describeFindings(findings)}`);
    const violationCount = findings.filter(({ violations }) => violations.length > 0).length;
    return { findings, violationCount, faultsDone, sweepIds, uncomparedSweepIds };
  } finally {
    await new Promise<void>((resolve) => file.end(() => resolve()));
  }
}

/** Plays one round after the other until all faults have ended. */
async function disturb(
  { limitMs }: ChaosOptions,
  cluster: ChaosCluster,
  rounds: Rounds,
  faults: readonly Fault[],
  say: (text: string) => void,
): Promise<readonly Fault[]> {
  const faultsDone: Fault[] = [];
  const injection = { isOver: false };
  const injecting = injectAll(cluster, faults, limitMs, say, faultsDone).finally(() => (injection.isOver = true));
  // Its failure is handled where it is awaited, after the sweeps.
  injecting.catch(() => undefined);
  do {
    const { state } = await rounds.play(SETTLE_MS, () => isOver(injection));
    if (state === 'ACTIVE') break;
  } while (!isOver(injection));
  await injecting;
  return faultsDone;
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
  uncomparedSweepIds: readonly string[],
): Promise<readonly Finding[]> {
  const deadline = Date.now() + FILES_SETTLE_MS;
  for (;;) {
    const findings = await checkRecord({
      databaseUrl: cluster.databaseUrl,
      artifactsDir: cluster.artifactsDir,
      referenceSweepId,
      sweepIds,
      uncomparedSweepIds,
      fileGraceMs: 0,
      damagedUris: cluster.damagedUris,
    });
    const isSettled = findings.every(({ violations }) => violations.length === 0);
    if (isSettled || Date.now() > deadline) return findings;
    await sleep(2_000);
  }
}
