import { spawnSync } from 'node:child_process';

/** Address of the coordinator as the client sees it, and as the trainer sees it. */
export const COORDINATOR_FOR = { client: '10.231.1.1', trainer: '10.231.2.1' } as const;

const ADDRESSES = { client: '10.231.1.2', trainer: '10.231.2.2' } as const;

export type Machine = 'client' | 'coordinator' | 'trainer';

/** null where the machine has what namespaces need. */
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
 * Three machines: the client and the trainer are each joined to the coordinator by a cable of their own, and not to each other or
 * to anything else. Files they share.
 */
export class Networks implements Disposable {
  /** Names that no other run has. */
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

  /** Program and arguments that run a command on a machine, as the process that is started. */
  on(machine: Machine, command: readonly string[]): [string, ...string[]] {
    return ['ip', 'netns', 'exec', this.#name(machine), ...command];
  }

  [Symbol.dispose](): void {
    // Takes the ends of the cables with it.
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

/** @throws Error with what `ip` says. */
function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}
