/**
 * Loaded with `--import` into every child of `graft up`. The parent keeps the other end of standard input open and never
 * writes; when it dies in any way, also by SIGKILL, the pipe closes and the child ends in order, as on SIGTERM.
 */
const MARK = 'END_WITH_PARENT';

if (process.env[MARK] === '1') {
  // Not for the child's own children: they inherit the environment and the `--import`.
  Reflect.deleteProperty(process.env, MARK);
  const end = (): void => {
    process.kill(process.pid, 'SIGTERM');
  };
  process.stdin.once('end', end);
  process.stdin.once('error', end);
  process.stdin.resume();
  // The pipe alone must not keep a process alive whose work is done.
  (process.stdin as { unref?: () => void }).unref?.();
}

export {};
