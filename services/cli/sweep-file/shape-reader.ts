import { kerasHint, kerasParameter } from '../../core/search-space/keras-names.ts';
import { PARAMETER_NAMES } from '../../core/search-space/parameter-definitions.ts';
import { didYouMean } from '../../core/text/nearest-name.ts';
import { show } from '../../core/text/show.ts';
import type { FieldViolation, ParameterValue } from '../../core/sweep/sweep-spec.ts';

export type Mapping = Readonly<Record<string, unknown>>;

/** Returns a path such as `a.b[2].c`. The empty path is the file itself. */
export function pathOf(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads untyped YAML values and collects every mistake of their shape. Each method returns null if the value is absent or has
 * the wrong type; an absent value is not a mistake.
 */
export class ShapeReader {
  readonly violations: FieldViolation[] = [];
  /** Names of dimensions that could not be read. Conditions on them are not validated. */
  readonly unreadable = new Set<string>();

  fail(path: string, description: string): null {
    this.violations.push({ field: path, description });
    return null;
  }

  /** Returns whether a mistake at or below `path` is reported already. */
  hasFailed(path: string): boolean {
    return this.violations.some(
      ({ field }) => field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`),
    );
  }

  mapping(value: unknown, path: string, keys: readonly string[] | null): Mapping | null {
    if (value === undefined) return null;
    if (!isMapping(value)) return this.fail(path, `must be a mapping of keys to values; received ${show(value)}.`);
    if (keys !== null) this.refuseUnknownKeys(value, path, keys);
    return value;
  }

  refuseUnknownKeys(value: Mapping, path: string, keys: readonly string[]): void {
    for (const key of Object.keys(value)) {
      if (keys.includes(key)) continue;
      const hint = key.trimStart().startsWith('//')
        ? ' Comments begin with #; // is JSON5, which is not supported.'
        : (isSearch(path) ? '' : parameterHint(key)) || didYouMean(key, keys) || ` Known keys: ${keys.join(', ')}.`;
      this.fail(pathOf(path, key), `there is no such key.${hint}`);
    }
  }

  list(value: unknown, path: string): readonly unknown[] | null {
    if (value === undefined) return null;
    if (!Array.isArray(value)) return this.fail(path, `must be a list; received ${show(value)}.`);
    return value as readonly unknown[];
  }

  string(value: unknown, path: string): string | null {
    if (value === undefined) return null;
    if (typeof value !== 'string') return this.fail(path, `must be a string; received ${show(value)}.`);
    return value;
  }

  flag(value: unknown, path: string): boolean | null {
    if (value === undefined) return null;
    if (typeof value !== 'boolean') return this.fail(path, `must be true or false; received ${show(value)}.`);
    return value;
  }

  number(value: unknown, path: string): number | null {
    if (value === undefined) return null;
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      return this.fail(path, `must be a number; received ${show(value)}.`);
    }
    return value;
  }

  integer(value: unknown, path: string): number | null {
    if (value === undefined) return null;
    if (!Number.isSafeInteger(value)) return this.fail(path, `must be an integer; received ${show(value)}.`);
    return value as number;
  }

  choice<T extends string>(value: unknown, path: string, choices: readonly T[]): T | null {
    if (value === undefined) return null;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    const hint = typeof value === 'string' ? didYouMean(value, choices) : '';
    return this.fail(path, `must be one of ${choices.join(', ')}; received ${show(value)}.${hint}`);
  }

  /** Reads the value of a hyper-parameter. Validation checks later whether the parameter accepts it. */
  scalar(value: unknown, path: string): ParameterValue | null {
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
    if (value === null || value === undefined) return this.fail(path, 'has no value.');
    return this.fail(path, `must be a number, a string, true or false; received ${show(value)}.`);
  }
}

/** Returns whether a section is on the search as a whole, whose keys resemble parameters: `stopping.patience`. */
function isSearch(path: string): boolean {
  return /^(stopping|budget|constraints|finalists)\b/.test(path);
}

/** Returns where a parameter belongs that is given as a key of the file or of its data set; empty for any other key. */
function parameterHint(key: string): string {
  const isParameter = PARAMETER_NAMES.some((name) => name === key || name.startsWith(`${key}.`));
  const parameter = isParameter ? key : kerasParameter(key);
  if (parameter === null) return kerasHint(key);
  const called = parameter === key ? '' : ` Here it is called '${parameter}'.`;
  return `${called} Put it under base: for one value of all runs, or under parameters: for values to compare.`;
}
