import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAlive, identifyProcess, parseIdentity } from '../../../services/platform/lifecycle/process-identity.ts';
import { tryLock, withLock } from '../../../services/platform/lifecycle/process-lock.ts';

/** Commands that `process-lock.test.ts` sends. */
export type Command =
  /** Takes each lock that it can and keeps it; answers with the files. */
  | { readonly kind: 'take'; readonly files: readonly string[] }
  /** Enters the lock `times` times; with `diesInside` the process kills itself in the last one. */
  | {
      readonly kind: 'enter';
      readonly file: string;
      readonly inside: string;
      readonly violations: string;
      readonly times: number;
      readonly diesInside: boolean;
    };

const self = identifyProcess(process.pid);

async function enter({ file, inside, violations, times, diesInside }: Extract<Command, { kind: 'enter' }>) {
  for (let time = 1; time <= times; time += 1) {
    await withLock(file, 60_000, async () => {
      const other = existsSync(inside) ? parseIdentity(readFileSync(inside, 'utf8')) : null;
      if (other !== null && isAlive(other)) appendFileSync(violations, `${other.pid} and ${process.pid}\n`);
      writeFileSync(inside, JSON.stringify(self));
      await new Promise(setImmediate);
      if (diesInside && time === times) process.kill(process.pid, 'SIGKILL');
      rmSync(inside);
    });
  }
}

process.on('message', (command: Command) => {
  if (command.kind === 'take') {
    process.send?.(command.files.filter((file) => tryLock(file) !== null));
  } else {
    void enter(command).then(() => process.exit(0));
  }
});
process.send?.('ready');
