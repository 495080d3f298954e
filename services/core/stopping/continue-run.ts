import type { RungStep } from './ladder.ts';
import type { SearchPolicy } from './policy.ts';
import { pausesAt } from './policy.ts';

/**
 * Returns the rung at which a run waits again when the search continues that had stopped it; null: it is queued with its tasks, because it
 * has reached no rung or waits at none.
 *
 * @param rung highest one that it has entered; null: none
 */
export function waitsAgainAt(
  policy: Pick<SearchPolicy, 'rule' | 'synchronous'>,
  path: readonly RungStep[],
  rung: number | null,
): number | null {
  const step = path.find((one) => one.rung === rung);
  return step !== undefined && pausesAt(policy, path, step) ? step.rung : null;
}
