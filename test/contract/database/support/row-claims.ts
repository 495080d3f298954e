import ts from 'typescript';
import { partsOf } from './syntax.ts';

/** A column of the row type of a call. */
export interface ClaimedColumn {
  readonly name: string;
  readonly isNullable: boolean;
  /** `string`, `number`, `Date`, `string[]`, `object` …, joined by ` | ` in alphabetic order. */
  readonly kind: string;
  /** Words of a closed list; null: any. */
  readonly words: readonly string[] | null;
}

/** Returns the columns of the `rows` that a call returns; null if they are `any` or its caller's type parameter. */
export function claimedRow(checker: ts.TypeChecker, call: ts.CallExpression): readonly ClaimedColumn[] | null {
  const answer = checker.getAwaitedType(checker.getTypeAtLocation(call));
  const rows = answer?.getProperty('rows');
  const row = rows && checker.getTypeOfSymbol(rows).getNumberIndexType();
  if (!row || (row.flags & (ts.TypeFlags.Any | ts.TypeFlags.TypeParameter)) !== 0) return null;
  const properties = checker.getPropertiesOfType(row);
  if (properties.length === 0 && row.getStringIndexType() !== undefined) return null;
  return properties.map((property) => columnOf(checker, property));
}

function columnOf(checker: ts.TypeChecker, property: ts.Symbol): ClaimedColumn {
  const types = partsOf(checker.getTypeOfSymbol(property));
  const present = types.filter(({ flags }) => (flags & ts.TypeFlags.Null) === 0);
  const words = present.filter((type) => type.isStringLiteral());
  return {
    name: property.name,
    isNullable: present.length < types.length,
    kind: kindOf(checker, present),
    words: words.length === present.length ? words.map(({ value }) => value) : null,
  };
}

function kindOf(checker: ts.TypeChecker, types: readonly ts.Type[]): string {
  return [...new Set(types.map((type) => partKind(checker, type)))].sort().join(' | ');
}

function partKind(checker: ts.TypeChecker, type: ts.Type): string {
  const { flags } = type;
  if ((flags & ts.TypeFlags.StringLike) !== 0) return 'string';
  if ((flags & ts.TypeFlags.NumberLike) !== 0) return 'number';
  if ((flags & ts.TypeFlags.BooleanLike) !== 0) return 'boolean';
  if ((flags & ts.TypeFlags.Object) === 0) return checker.typeToString(type);
  const element = checker.isArrayType(type) ? type.getNumberIndexType() : undefined;
  if (element !== undefined) return `${kindOf(checker, partsOf(element))}[]`;
  const { name } = type.symbol;
  return name === 'Date' || name === 'Buffer' ? name : 'object';
}
