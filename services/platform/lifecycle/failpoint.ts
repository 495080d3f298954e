import { readFileSync } from 'node:fs';
import { ConfigError } from '../config/read-config.ts';

/**
 * Points at which a test can kill a process, with the process that has them. `written`: the file has a temporary name. `named`: it
 * has its final name, but is not reported. `rung`: a run enters a rung; `stop`: a rule stops it there; `pause`: it waits there;
 * `promote`, `suggest`, `repeat`, `end`: of a search. `round.computed`: the runs of a round are chosen and not stored. `steer`: what a
 * person does with a sweep or run. `uncommitted`: all but the events and COMMIT is
 * done. `committed`: the caller has no answer yet.
 */
export const FAILPOINTS = {
  'manifest.written': 'worker',
  'manifest.named': 'worker',
  'features.written': 'worker',
  'features.named': 'worker',
  'checkpoint.written': 'worker',
  'checkpoint.named': 'worker',
  'lease.received': 'supervisor',
  'attempt.started': 'supervisor',
  'metrics.journaled': 'supervisor',
  'metrics.sent': 'supervisor',
  'metrics.acknowledged': 'supervisor',
  'checkpoint.registering': 'supervisor',
  'checkpoint.registered': 'supervisor',
  'task.completing': 'supervisor',
  'task.completed': 'supervisor',
  'lease.uncommitted': 'coordinator',
  'lease.committed': 'coordinator',
  'metrics.uncommitted': 'coordinator',
  'metrics.committed': 'coordinator',
  'checkpoint.uncommitted': 'coordinator',
  'checkpoint.committed': 'coordinator',
  'complete.uncommitted': 'coordinator',
  'complete.committed': 'coordinator',
  'rung.uncommitted': 'coordinator',
  'rung.committed': 'coordinator',
  'stop.uncommitted': 'coordinator',
  'stop.committed': 'coordinator',
  'pause.uncommitted': 'coordinator',
  'pause.committed': 'coordinator',
  'promote.uncommitted': 'coordinator',
  'promote.committed': 'coordinator',
  'repeat.uncommitted': 'coordinator',
  'repeat.committed': 'coordinator',
  'round.computed': 'coordinator',
  'suggest.uncommitted': 'coordinator',
  'suggest.committed': 'coordinator',
  'end.uncommitted': 'coordinator',
  'end.committed': 'coordinator',
  'preempt.uncommitted': 'coordinator',
  'preempt.committed': 'coordinator',
  'release.uncommitted': 'coordinator',
  'release.committed': 'coordinator',
  'extend.uncommitted': 'coordinator',
  'extend.committed': 'coordinator',
  'steer.uncommitted': 'coordinator',
  'steer.committed': 'coordinator',
  'retention.removed': 'coordinator',
} as const;

export type FailpointName = keyof typeof FAILPOINTS;
/** Names of the transactions with a point before and a point after their COMMIT. */
export type FailpointTransaction =
  Extract<FailpointName, `${string}.committed`> extends `${infer T}.committed` ? T : never;

interface Armed {
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  /** Passes left, including the one that sends the signal. */
  passesLeft: number;
}

const SIGNALS: Readonly<Record<string, Armed['signal']>> = { kill: 'SIGKILL', stop: 'SIGSTOP' };

/** Armed points; null outside tests, where a point costs one comparison. */
let points: Failpoints | null = null;

/** Marks a point at which a test can kill or stop this process. */
export function failpoint(name: FailpointName): void {
  if (points !== null) points.pass(name);
}

/**
 * Arms the failpoints of `GRAFT_FAILPOINTS`. With `name=kill@3,other=stop@1` the process gets SIGKILL at its third pass of the first
 * point, or SIGSTOP at its first pass of the second. `@path` names a file with such a value, which is read at each point, so that a
 * test can arm running processes; only a changed value arms a point again, so `#2` after it makes an equal one differ.
 * `GRAFT_FAILPOINTS_ENABLED=1` must be set as well, so that a stray variable does no harm.
 *
 * @throws ConfigError for an invalid value, or without `GRAFT_FAILPOINTS_ENABLED=1`.
 */
export function armFailpoints(env: Readonly<Record<string, string | undefined>>): void {
  const text = env['GRAFT_FAILPOINTS'] ?? '';
  points = null;
  if (text === '') return;
  if (env['GRAFT_FAILPOINTS_ENABLED'] !== '1') {
    throw new ConfigError([
      `GRAFT_FAILPOINTS: kills processes, for tests only; set GRAFT_FAILPOINTS_ENABLED=1 to use it. Received: "${text}".`,
    ]);
  }
  if (!text.startsWith('@')) parse(text);
  points = new Failpoints(
    text.startsWith('@') ? (): string => readFileSync(text.slice(1), 'utf8') : (): string => text,
  );
}

class Failpoints {
  readonly #read: () => string;
  #text: string | null = null;
  #armed: ReadonlyMap<FailpointName, Armed> = new Map();

  constructor(read: () => string) {
    this.#read = read;
  }

  pass(name: FailpointName): void {
    const text = this.#read();
    if (text !== this.#text) {
      this.#armed = parse(text);
      this.#text = text;
    }
    const armed = this.#armed.get(name);
    if (armed === undefined) return;
    armed.passesLeft -= 1;
    // No code of this process runs between kill(2) and the signal.
    if (armed.passesLeft === 0) process.kill(process.pid, armed.signal);
  }
}

function parse(text: string): ReadonlyMap<FailpointName, Armed> {
  const entries = text.split(',').map((entry) => entry.trim());
  return new Map(entries.filter((entry) => entry !== '').map(parseEntry));
}

function parseEntry(entry: string): readonly [FailpointName, Armed] {
  const [, name = '', action = '', times = '1'] = /^([a-z.]+)=([a-z]+)(?:@(\d+))?(?:#\d+)?$/.exec(entry) ?? [];
  const signal = SIGNALS[action];
  if (!Object.hasOwn(FAILPOINTS, name) || signal === undefined || Number(times) < 1) {
    throw new ConfigError([
      `GRAFT_FAILPOINTS: must be name=kill@N or name=stop@N, separated by commas. Received: "${entry}". ` +
        `Known: ${Object.keys(FAILPOINTS).join(', ')}.`,
    ]);
  }
  return [name as FailpointName, { signal, passesLeft: Number(times) }];
}
