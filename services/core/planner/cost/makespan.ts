export interface TimedTask {
  readonly taskId: string;
  readonly seconds: number;
  readonly dependsOn: readonly string[];
}

interface Running {
  readonly endSeconds: number;
  readonly position: number;
}

/**
 * Returns the seconds until the last task ends on `slotCount` equal slots. As in coordinators, a slot takes the first
 * task of the list whose prerequisites are done.
 *
 * @param tasks each after its prerequisites; one that is not in the list counts as done.
 * @param slotCount at least 1.
 */
export function makespanSeconds(tasks: readonly TimedTask[], slotCount: number): number {
  const positions = new Map(tasks.map(({ taskId }, position) => [taskId, position]));
  const dependents = tasks.map((): number[] => []);
  const missing = tasks.map(({ dependsOn }, position) => {
    const known = dependsOn.flatMap((taskId) => positions.get(taskId) ?? []);
    for (const prerequisite of known) dependents[prerequisite]?.push(position);
    return known.length;
  });
  // The first task is last in the array, because popping the last element is free.
  const ready: number[] = tasks.flatMap((_, position) => (missing[position] === 0 ? [position] : [])).reverse();
  const running: Running[] = [];
  let now = 0;
  for (;;) {
    while (ready.length > 0 && running.length < slotCount) {
      const position = ready.pop() ?? 0;
      insertSorted(running, { endSeconds: now + (tasks[position]?.seconds ?? 0), position }, (task) => task.endSeconds);
    }
    const ended = running.shift();
    if (ended === undefined) return now;
    now = ended.endSeconds;
    for (const dependent of dependents[ended.position] ?? []) {
      missing[dependent] = (missing[dependent] ?? 0) - 1;
      if (missing[dependent] === 0) insertSorted(ready, dependent, (position) => -position);
    }
  }
}

/** Inserts after the last element that is not larger. */
function insertSorted<T>(items: T[], item: T, keyOf: (item: T) => number): void {
  const key = keyOf(item);
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const candidate = items[middle];
    if (candidate !== undefined && keyOf(candidate) <= key) low = middle + 1;
    else high = middle;
  }
  items.splice(low, 0, item);
}
