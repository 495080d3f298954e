import { CONSTRAINT_NAMES } from '../../core/sweep/constraint.ts';
import type { Constraint, ConstraintName } from '../../core/sweep/constraint.ts';
import { bytesOf, countOfText } from '../../core/text/quantity.ts';
import { show } from '../../core/text/show.ts';
import { isMapping, pathOf } from './shape-reader.ts';
import type { ShapeReader } from './shape-reader.ts';
import { CONSTRAINT_KEYS } from './sweep-shape.ts';

/** Reads `constraints`. A value alone is short for `{ at_most: … }`. Bounds are in the order of their names, whatever that of the file. */
export function readConstraints(value: unknown, reader: ShapeReader): readonly Constraint[] {
  const section = reader.mapping(value ?? {}, 'constraints', CONSTRAINT_NAMES) ?? {};
  return CONSTRAINT_NAMES.flatMap((name) => {
    const given = section[name];
    if (given === undefined) return [];
    const path = pathOf('constraints', name);
    const bound = isMapping(given) ? reader.mapping(given, path, CONSTRAINT_KEYS)?.['at_most'] : given;
    const at = isMapping(given) ? pathOf(path, 'at_most') : path;
    const atMost = readAmount(name, bound, at, reader);
    return atMost === null ? [] : [{ name, atMost }];
  });
}

function readAmount(name: ConstraintName, value: unknown, path: string, reader: ShapeReader): number | null {
  if (typeof value === 'number') return value;
  const read = name === 'model_bytes' ? bytesOf : countOfText;
  const amount = typeof value === 'string' ? read(value) : null;
  if (amount !== null) return amount;
  const example = name === 'model_bytes' ? 'a size such as 20MB' : 'an amount such as 4M';
  const received = value === undefined ? 'it is missing' : `received ${show(value)}`;
  return reader.fail(path, `must be a number or ${example}; ${received}.`);
}
