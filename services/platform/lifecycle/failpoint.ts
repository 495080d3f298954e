import { readFileSync } from 'node:fs';
import { ConfigError } from '../config/read-config.ts';

/**
 * Places between two steps that a process may die between, and the process they lie in. `written`: under a temporary name;
 * `named`: has its name, and nobody has been told; `uncommitted`: everything but the events and COMMIT is done; `committed`: the
 * caller has no answer yet.
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
  'retention.removed': 'coordinator',
} as const;

export type FailpointName = keyof typeof FAILPOINTS;
/** Names of transactions that have a point before and one after their COMMIT. */
export type FailpointTransaction =
  Extract<FailpointName, `${string}.committed`> extends `${infer T}.committed` ? T : never;

interface Armed {
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  /** The point is passed so often before. */
  passesLeft: number;
}

const SIGNALS: Readonly<Record<string, Armed['signal']>> = { kill: 'SIGKILL', stop: 'SIGSTOP' };

/** null: off, as always outside tests; then a point costs one comparison. */
let points: Failpoints | null = null;

/** A place where a test may end or stop this process. */
export function failpoint(name: FailpointName): void {
  if (points !== null) points.pass(name);
}

/**
 * Turns on what `GRAFT_FAILPOINTS` says; nothing else of Graft reads it. `name=kill@3,other=stop@1`: the process gets SIGKILL
 * or SIGSTOP when it comes to the point for the third, the first time. `@path`: a file with such a text, read anew at each
 * point, so that a test can arm processes that run. `GRAFT_FAILPOINTS_ENABLED=1` must be set as well, so that a stray variable
 * harms nobody.
 *
 * @throws ConfigError
 */
export function armFailpoints(env: Readonly<Record<string, string | undefined>>): void {
  const text = env['GRAFT_FAILPOINTS'] ?? '';
  points = null;
  if (text === '') return;
  if (env['GRAFT_FAILPOINTS_ENABLED'] !== '1') {
    throw new ConfigError([
      `GRAFT_FAILPOINTS: ends processes, for tests only; set GRAFT_FAILPOINTS_ENABLED=1 to use it. Received: "${text}".`,
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
    // Nothing of this process runs between kill(2) and the signal.
    if (armed.passesLeft === 0) process.kill(process.pid, armed.signal);
  }
}

function parse(text: string): ReadonlyMap<FailpointName, Armed> {
  const entries = text.split(',').map((entry) => entry.trim());
  return new Map(entries.filter((entry) => entry !== '').map(parseEntry));
}

function parseEntry(entry: string): readonly [FailpointName, Armed] {
  const [, name = '', action = '', times = '1'] = /^([a-z.]+)=([a-z]+)(?:@(\d+))?$/.exec(entry) ?? [];
  const signal = SIGNALS[action];
  if (!Object.hasOwn(FAILPOINTS, name) || signal === undefined || Number(times) < 1) {
    throw new ConfigError([
      `GRAFT_FAILPOINTS: must be name=kill@N or name=stop@N, with commas. Received: "${entry}". ` +
        `Known: ${Object.keys(FAILPOINTS).join(', ')}.`,
    ]);
  }
  return [name as FailpointName, { signal, passesLeft: Number(times) }];
}
