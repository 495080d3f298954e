import { MAX_SEED, SEED_PARAMETERS } from '../search-space/parameter-definitions.ts';
import type { FinalistSpec } from '../sweep/finalist-spec.ts';
import { WINNER_RULES } from '../sweep/finalist-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { show } from '../text/show.ts';
import type { ViolationList } from './violations.ts';

/** Largest number of finalists: more of them are a second sweep. */
export const MAX_FINALISTS = 20;
/** Largest number of trainings of one finalist. */
export const MAX_SEEDS = 20;

/** Checks the repetitions of the best runs and the choice of the winner. */
export function validateFinalists(spec: SweepSpec, found: ViolationList): void {
  const { finalists, winnerRule } = spec;
  if (winnerRule !== undefined && !WINNER_RULES.includes(winnerRule)) {
    const hint = didYouMean(winnerRule, WINNER_RULES);
    found.add('winner_rule', `must be one of ${WINNER_RULES.join(', ')}; received ${show(winnerRule)}.${hint}`);
  }
  if (finalists === undefined) return;
  requireCount('finalists.runs', finalists.runs, MAX_FINALISTS, 'Leave finalists out to repeat no run.', found);
  const isCount = requireCount('finalists.seeds', finalists.seeds, MAX_SEEDS, '1 repeats no run.', found);
  if (isCount && finalists.seeds > 1) validateSeeds(spec, finalists, found);
}

function validateSeeds(
  { base, parameters, variants, seed }: SweepSpec,
  { seeds }: FinalistSpec,
  found: ViolationList,
): void {
  for (const name of SEED_PARAMETERS) {
    const variant = variants.findIndex((one) => Object.hasOwn(one, name));
    const place = parameters.some((one) => one.name === name)
      ? 'parameters'
      : variant < 0
        ? null
        : `variants[${variant}]`;
    if (place !== null) {
      const remedy = `Leave ${name} out of what varies, or set finalists.seeds: 1.`;
      found.add(
        'finalists.seeds',
        `repeats runs with the next seeds, but ${name} varies in ${place}: another seed is another run then; received ${seeds}. ${remedy}`,
      );
      continue;
    }
    const own = base[name];
    const first = typeof own === 'number' ? own : seed;
    if (first + seeds - 1 <= MAX_SEED) continue;
    found.add(
      'finalists.seeds',
      `goes beyond the largest seed, ${MAX_SEED}: ${name} is ${first}; received ${seeds}. Start with a smaller seed.`,
    );
  }
}

function requireCount(field: string, value: number, most: number, remedy: string, found: ViolationList): boolean {
  if (Number.isInteger(value) && value >= 1 && value <= most) return true;
  found.add(field, `must be an integer from 1 to ${most}; received ${show(value)}. ${remedy}`);
  return false;
}
