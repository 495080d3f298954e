import { readdir, readFile } from 'node:fs/promises';

/**
 * Resident memory of this process' children in bytes, together: the workers, one per slot. Linux only; 0 where /proc can't be
 * read. Pages that workers share are counted in each.
 */
export async function readWorkerMemory(): Promise<number> {
  let total = 0;
  for (const pid of await readChildren()) total += await readResidentBytes(pid);
  return total;
}

/** Threads list their own children, so all threads are asked. */
async function readChildren(): Promise<readonly string[]> {
  const threads = await readdir('/proc/self/task').catch(() => []);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/self/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').filter((pid) => pid !== ''));
}

async function readResidentBytes(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? 0 : Number(kilobytes) * 1024;
}
