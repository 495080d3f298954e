import type { FieldViolation } from '../sweep/sweep-spec.ts';

/** Mistakes that are told; a report may have thousands. */
const MAX_MISTAKES = 50;

/** Collects the mistakes of a report, the first fifty of them. */
export class Mistakes {
  readonly list: FieldViolation[] = [];

  /** @param description null: there is no mistake. */
  add(field: string, description: string | null): void {
    if (description !== null && this.list.length < MAX_MISTAKES) this.list.push({ field, description });
  }

  /** Finite and within both ends. */
  range(field: string, value: number, least: number, most: number): void {
    if (value >= least && value <= most) return;
    this.add(field, `must be ${least} to ${most === Infinity ? 'any finite number' : most}; received ${value}.`);
  }

  /** A whole number within both ends. */
  count(field: string, value: number, least: number, most: number): void {
    if (Number.isInteger(value)) this.range(field, value, least, most);
    else this.add(field, `must be an integer; received ${value}.`);
  }

  addAll(violations: readonly FieldViolation[]): void {
    for (const { field, description } of violations) this.add(field, description);
  }
}
