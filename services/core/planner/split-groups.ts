/** Runs that can train together, or in several tasks. */
export interface SplittableGroup {
  readonly memberCount: number;
  /** Fewest parts that memory and the group's largest size allow. */
  readonly leastParts: number;
  /** Expected seconds of the longest task when the group is cut into so many parts. */
  readonly longestSeconds: (parts: number) => number;
}

/** Another part must end the sweep sooner by this much, or it is not worth its slot-seconds. */
const LEAST_GAIN_SECONDS = 1;
const LEAST_GAIN = 0.01;

/** Tasks that the search may simulate; each of its steps simulates the whole sweep (10,000 tasks take about 10 ms). */
const MAX_SIMULATED_TASKS = 400_000;
const MAX_STEPS = 256;

/**
 * Into how many parts each group is cut. Starts with the fewest, gives one part more to the group with the longest task, again
 * and again, and takes the first division after which none ends the sweep noticeably sooner: slot-seconds are spent only where
 * a free slot would idle otherwise.
 *
 * @param taskCount of the whole sweep, about.
 * @param expectedSeconds of the whole sweep with so many parts; never longer with the result than with the fewest.
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
 * The fewest parts in which no task has more members than allowed or takes more memory than a slot has.
 *
 * @param memoryBytes of a slot; 0: not known.
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
