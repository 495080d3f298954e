import type { FieldViolation } from '../sweep/sweep-spec.ts';

/** Maximum number of mistakes that are reported; a report may have thousands. */
const MAX_MISTAKES = 50;

/** Collects the mistakes of a report, the first fifty of them. */
export class Mistakes {
  readonly list: FieldViolation[] = [];

  /** Adds a mistake. @param description null: there is none. */
  add(field: string, description: string | null): void {
    if (description !== null && this.list.length < MAX_MISTAKES) this.list.push({ field, description });
  }

  /** Adds a mistake for a number that is not finite or not within the bounds. */
  range(field: string, value: number, least: number, most: number): void {
    if (value >= least && value <= most) return;
    this.add(field, `must be ${least} to ${most === Infinity ? 'any finite number' : most}; received ${value}.`);
  }

  /** Adds a mistake for a number that is no integer within the bounds. */
  count(field: string, value: number, least: number, most: number): void {
    if (Number.isInteger(value)) this.range(field, value, least, most);
    else this.add(field, `must be an integer; received ${value}.`);
  }

  addAll(violations: readonly FieldViolation[]): void {
    for (const { field, description } of violations) this.add(field, description);
  }
}
