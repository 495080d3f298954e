import { MAX_LISTED_VIOLATIONS } from '../errors.ts';
import type { FieldViolation } from '../sweep/sweep-spec.ts';

/** Collects mistakes; every check continues after the first one it finds. */
export class ViolationList {
  /** All of them. Those beyond the ones that are reported have no description: making it may be costly. */
  readonly violations: FieldViolation[] = [];

  /**
   * @param field path as in the file, for example `parameters[2].range.min`.
   * @param description what is wrong, what was received, how to fix it; a function where it takes a search.
   */
  add(field: string, description: string | (() => string)): void {
    const isListed = this.violations.length < MAX_LISTED_VIOLATIONS;
    const text = isListed && typeof description === 'function' ? description() : description;
    this.violations.push({ field, description: isListed && typeof text === 'string' ? text : '' });
  }
}

/** Path of a parameter in a map: `base["optimizer.learning_rate"]`. */
export function memberPath(map: string, name: string): string {
  return `${map}[${JSON.stringify(name)}]`;
}
