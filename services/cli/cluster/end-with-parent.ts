/**
 * Ends every child of `graft up` with its parent; loaded by `--import`. The parent keeps the other end of standard input open and
 * never writes. When it dies in any way, even by SIGKILL, the pipe closes and the child ends in order, as on SIGTERM.
 */
const MARK = 'END_WITH_PARENT';

if (process.env[MARK] === '1') {
  // The child's own children inherit the environment and the `--import`, but have another standard input.
  Reflect.deleteProperty(process.env, MARK);
  const end = (): void => {
    process.kill(process.pid, 'SIGTERM');
  };
  process.stdin.once('end', end);
  process.stdin.once('error', end);
  process.stdin.resume();
  // The pipe alone must not keep a finished process alive.
  (process.stdin as { unref?: () => void }).unref?.();
}

export {};
