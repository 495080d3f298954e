import { SEED_PARAMETERS } from '../search-space/parameter-definitions.ts';
import type { Parameters } from '../sweep/sweep-spec.ts';

/**
 * Returns the parameters of another training of a run: each of its seeds moved on, so that initial weights, dropout, augmentation and
 * the order of the images are drawn again.
 *
 * @param parameters canonical ones
 * @param offset added to each seed, from 1
 */
export function repeatParameters(parameters: Parameters, offset: number): Parameters {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [
      name,
      SEED_PARAMETERS.includes(name) && typeof value === 'number' ? value + offset : value,
    ]),
  );
}
