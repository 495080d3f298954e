import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Signals to children, with the time to wait after each. SIGINT is PostgreSQL's fast shutdown. */
const STEPS = [
  { signal: 'SIGINT', waitMs: 8_000 },
  { signal: 'SIGTERM', waitMs: 2_000 },
  { signal: 'SIGKILL', waitMs: 4_000 },
] as const;
const POLL_MS = 50;

const folders = new Set<string>();

/** Creates a folder for temporary files, which is removed when the script is interrupted. */
export function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  folders.add(folder);
  return folder;
}

/**
 * Runs a script to its end and sets the exit code. When it is interrupted (Ctrl-C, SIGTERM, SIGHUP), all processes that it started are
 * ended first, gracefully if possible; then its temporary folders are removed. A second signal kills at once.
 *
 * @param main returns the exit code.
 */
export async function runScript(main: () => Promise<number>): Promise<void> {
  const ending = new AbortController();
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (ending.signal.aborted) killAll(descendants());
      else void end(signal);
      ending.abort();
    });
  }
  try {
    const code = await main();
    if (!ending.signal.aborted) process.exitCode = code;
  } catch (error) {
    // The process that the script awaited has ended because of the interruption.
    if (!ending.signal.aborted) throw error;
  }
}

async function end(signal: (typeof SIGNALS)[number]): Promise<void> {
  // Connections to processes that end now break.
  process.on('uncaughtException', () => undefined).on('unhandledRejection', () => undefined);
  process.stderr.write(`${signal}: ending what was started\n`);
  const started = new Map(descendants());
  for (const step of STEPS) {
    const last = step.signal === 'SIGKILL';
    const children = [...alive(started)].filter(([, { parentPid }]) => last || parentPid === process.pid);
    for (const [pid] of children) send(pid, step.signal);
    for (const until = Date.now() + step.waitMs; Date.now() < until && alive(started).size > 0;) {
      await sleep(POLL_MS);
      // Processes that children have started meanwhile.
      for (const [pid, found] of descendants()) started.set(pid, found);
    }
    if (alive(started).size === 0) break;
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.exit(128 + constants.signals[signal]);
}

interface FoundProcess {
  readonly parentPid: number;
  /** Start time, which distinguishes it from a later process with the same ID. */
  readonly startTime: string;
}

/** Returns the living descendants of this process, including leaders of other process groups. Linux only; empty elsewhere. */
function descendants(): ReadonlyMap<number, FoundProcess> {
  const all = processTable();
  const below = new Map<number, FoundProcess>();
  const parents = new Set([process.pid]);
  for (let size = -1; size !== below.size;) {
    size = below.size;
    for (const [pid, found] of all) {
      if (!parents.has(found.parentPid)) continue;
      parents.add(pid);
      below.set(pid, found);
    }
  }
  return below;
}

function alive(started: ReadonlyMap<number, FoundProcess>): ReadonlyMap<number, FoundProcess> {
  const all = processTable();
  return new Map([...started].filter(([pid, { startTime }]) => all.get(pid)?.startTime === startTime));
}

function killAll(processes: ReadonlyMap<number, FoundProcess>): void {
  for (const pid of processes.keys()) send(pid, 'SIGKILL');
}

function processTable(): ReadonlyMap<number, FoundProcess> {
  const found = new Map<number, FoundProcess>();
  for (const name of entriesOf('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The name in parentheses may contain spaces; state, parent and start are the fields 3, 4 and 22 (proc(5)).
      const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (state !== 'Z') found.set(Number(name), { parentPid: Number(parent), startTime: rest[17] ?? '' });
    } catch {
      // It has just ended.
    }
  }
  return found;
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}
