import { spawnSync } from 'node:child_process';

/** The coordinator's addresses for the client and for the trainer. */
export const COORDINATOR_FOR = { client: '10.231.1.1', trainer: '10.231.2.1' } as const;

const ADDRESSES = { client: '10.231.1.2', trainer: '10.231.2.2' } as const;

export type Machine = 'client' | 'coordinator' | 'trainer';

/** Returns why namespaces can't be used; null if the machine supports them. */
export function reasonToSkip(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const probe = `graft-probe-${process.pid}`;
  const added = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' });
  if (added.error !== undefined) return `ip (iproute2) is not on the path: ${added.error.message}`;
  if (added.status !== 0) return `no network namespace can be made here: ${added.stderr.trim()}`;
  spawnSync('ip', ['netns', 'del', probe]);
  return null;
}

/**
 * Three machines: the client and the trainer each have a link to the coordinator, but not to each other or to anything
 * else. They share files.
 */
export class Networks implements Disposable {
  /** A prefix unique to this run. */
  readonly #prefix = `graft-${process.pid}`;
  readonly #made: string[] = [];

  constructor() {
    try {
      for (const machine of ['client', 'coordinator', 'trainer'] as const) this.#add(machine);
      for (const machine of ['client', 'trainer'] as const) this.#join(machine);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Returns program and arguments that run a command on a machine, as the process that is started. */
  on(machine: Machine, command: readonly string[]): [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.#name(machine), ...command];
  }

  [Symbol.dispose](): void {
    // Deletes the ends of the links as well.
    for (const name of this.#made.splice(0)) spawnSync('ip', ['netns', 'del', name]);
  }

  #name(machine: Machine): string {
    return `${this.#prefix}-${machine}`;
  }

  #add(machine: Machine): void {
    ip('netns', 'add', this.#name(machine));
    this.#made.push(this.#name(machine));
    ip('-n', this.#name(machine), 'link', 'set', 'lo', 'up');
  }

  #join(machine: 'client' | 'trainer'): void {
    const [own, coordinator] = [this.#name(machine), this.#name('coordinator')];
    const far = `to-${machine}`;
    ip('link', 'add', 'eth0', 'netns', own, 'type', 'veth', 'peer', 'name', far, 'netns', coordinator);
    ip('-n', own, 'address', 'add', `${ADDRESSES[machine]}/24`, 'dev', 'eth0');
    ip('-n', coordinator, 'address', 'add', `${COORDINATOR_FOR[machine]}/24`, 'dev', far);
    ip('-n', own, 'link', 'set', 'eth0', 'up');
    ip('-n', coordinator, 'link', 'set', far, 'up');
  }
}

/** Runs `ip`. Throws {Error} with its output when it fails. */
function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}
