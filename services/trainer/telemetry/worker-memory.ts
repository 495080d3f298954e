import { readdir, readFile } from 'node:fs/promises';

/**
 * Returns the total resident memory of this process' children, the workers, in bytes. Pages that workers share are counted in
 * each. Linux only: 0 if /proc can't be read.
 */
export async function readWorkerMemory(): Promise<number> {
  let total = 0;
  for (const pid of await readChildren()) total += await readResidentBytes(pid);
  return total;
}

/** Returns the children of all threads: /proc lists the children of each thread separately. */
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
