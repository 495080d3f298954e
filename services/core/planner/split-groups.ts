/** Runs that can train together, or in several tasks. */
export interface SplittableGroup {
  readonly memberCount: number;
  /** Minimum number of parts that memory and the maximum group size allow. */
  readonly leastParts: number;
  /** Returns the expected seconds of the longest task when the group is split into `parts`. */
  readonly longestSeconds: (parts: number) => number;
}

/** Minimum gain of another part in seconds, or it is not worth its slot-seconds. */
const LEAST_GAIN_SECONDS = 1;
const LEAST_GAIN = 0.01;

/**
 * Maximum number of simulated tasks; each step of the search simulates the whole sweep (10,000 tasks take about 10 ms).
 */
const MAX_SIMULATED_TASKS = 400_000;
const MAX_STEPS = 256;

/**
 * Chooses the number of parts of each group. Starts with the minimum and repeatedly adds a part to the group with the
 * longest task. Takes the first division after which none ends the sweep noticeably earlier, so slot-seconds are spent
 * only if a slot would otherwise be idle.
 *
 * @param taskCount approximate number of tasks of the whole sweep.
 * @param expectedSeconds seconds of the whole sweep for given parts; never longer for the result than for the minimum.
 */
export function chooseParts(
  groups: readonly SplittableGroup[],
  slotCount: number,
  taskCount: number,
  expectedSeconds: (parts: readonly number[]) => number,
): readonly number[] {
  let parts = groups.map(({ leastParts }) => leastParts);
  const tried = [{ parts, seconds: expectedSeconds(parts) }];
  const longest = groups.map((group) => group.longestSeconds(group.leastParts));
  const steps = Math.min(MAX_STEPS, Math.ceil(MAX_SIMULATED_TASKS / Math.max(1, taskCount)));
  for (let step = 0; step < steps; step += 1) {
    const index = indexOfLongest(groups, parts, longest, slotCount);
    if (index === null) break;
    parts = parts.map((count, position) => (position === index ? count + 1 : count));
    const group = groups[index];
    if (group !== undefined) longest[index] = group.longestSeconds(parts[index] ?? 1);
    tried.push({ parts, seconds: expectedSeconds(parts) });
  }
  const shortest = Math.min(...tried.map(({ seconds }) => seconds));
  const first = tried[0];
  const gain = Math.max(LEAST_GAIN_SECONDS, LEAST_GAIN * (first?.seconds ?? 0));
  const chosen = tried.find(({ seconds }) => seconds <= shortest + gain && seconds <= (first?.seconds ?? seconds));
  return chosen?.parts ?? parts;
}

function indexOfLongest(
  groups: readonly SplittableGroup[],
  parts: readonly number[],
  longest: readonly number[],
  slotCount: number,
): number | null {
  let found: number | null = null;
  for (const [index, { memberCount, leastParts: fewest }] of groups.entries()) {
    const most = Math.min(Math.max(slotCount, fewest), memberCount);
    if ((parts[index] ?? 1) >= most) continue;
    if (found === null || (longest[index] ?? 0) > (longest[found] ?? 0)) found = index;
  }
  return found;
}

/**
 * Returns the minimum number of parts in which no task exceeds the allowed members or a slot's memory.
 *
 * @param memoryBytes memory of a slot; 0 if unknown.
 */
export function leastParts(
  memberCount: number,
  mostMembers: number,
  memoryBytes: number,
  cut: (parts: number) => readonly { readonly forecast: { readonly memoryBytes: number } }[],
): number {
  let parts = Math.max(1, Math.ceil(memberCount / mostMembers));
  if (memoryBytes <= 0) return parts;
  while (parts < memberCount && cut(parts).some(({ forecast }) => forecast.memoryBytes > memoryBytes)) parts += 1;
  return parts;
}
