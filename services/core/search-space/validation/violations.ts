import type { FieldViolation } from '../../sweep/sweep-spec.ts';

/** Collects mistakes; every check goes on after the first one it finds. */
export class ViolationList {
  readonly violations: FieldViolation[] = [];

  /**
   * @param field path as in the file, for example `parameters[2].range.min`.
   * @param description what is wrong, what was received, how to mend it.
   */
  add(field: string, description: string): void {
    this.violations.push({ field, description });
  }
}

/** Path of a parameter in a map: `base["optimizer.learning_rate"]`. */
export function memberPath(map: string, name: string): string {
  return `${map}[${JSON.stringify(name)}]`;
}
