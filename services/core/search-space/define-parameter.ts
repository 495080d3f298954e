import type { ParameterValue } from '../sweep/sweep-spec.ts';

/** A parameter exists only while its parent has one of these values, or a number above this one. */
export type ParentCondition =
  | { readonly name: string; readonly anyOf: readonly ParameterValue[] }
  | { readonly name: string; readonly above: number };

interface DefinitionBase {
  readonly name: string;
  /** null: always exists. A parent that is itself absent hides its children as well. */
  readonly parent: ParentCondition | null;
  /**
   * True: canonical parameters omit the default. Runs from before the parameter existed then keep their digest, and trainers that
   * don't know it train the runs that don't use it.
   */
  readonly isOmittedAtDefault?: true;
  readonly doc: string;
}

export interface NumericDefinition extends DefinitionBase {
  readonly type: 'int' | 'number';
  readonly min: number;
  readonly max: number;
  /** Bounds that the value may not reach. */
  readonly open: 'none' | 'min' | 'max' | 'both';
  /** null: the parameter is absent unless it is given. */
  readonly default: number | null;
}

export interface BoolDefinition extends DefinitionBase {
  readonly type: 'bool';
  readonly default: boolean;
}

export interface StringDefinition extends DefinitionBase {
  readonly type: 'string';
  /** null: any string. */
  readonly choices: readonly string[] | null;
  readonly allowEmpty: boolean;
  /** True: besides its choices, weights by class name may be given, as a JSON object. */
  readonly allowClassWeights?: true;
  /** true if an integer of at least 1 may be given instead of a string. */
  readonly allowWholeNumber: boolean;
  readonly default: string;
}

export type ParameterDefinition = NumericDefinition | BoolDefinition | StringDefinition;

/** Marks a parameter that was added to a released table. */
export function later<T extends ParameterDefinition>(definition: T): T {
  return { ...definition, isOmittedAtDefault: true };
}

export function int(
  name: string,
  defaultValue: number,
  min: number,
  max: number,
  doc: string,
  parent: ParentCondition | null = null,
): NumericDefinition {
  return { name, type: 'int', min, max, open: 'none', default: defaultValue, parent, doc };
}

export function real(
  name: string,
  defaultValue: number | null,
  min: number,
  max: number,
  doc: string,
  parent: ParentCondition | null = null,
  open: NumericDefinition['open'] = 'none',
): NumericDefinition {
  return { name, type: 'number', min, max, open, default: defaultValue, parent, doc };
}

export function bool(
  name: string,
  defaultValue: boolean,
  doc: string,
  parent: ParentCondition | null = null,
): BoolDefinition {
  return { name, type: 'bool', default: defaultValue, parent, doc };
}

export function choice(
  name: string,
  choices: readonly string[],
  defaultValue: string,
  doc: string,
  parent: ParentCondition | null = null,
): StringDefinition {
  const shape = { allowEmpty: false, allowWholeNumber: false };
  return { name, type: 'string', choices, ...shape, default: defaultValue, parent, doc };
}

export function text(
  name: string,
  defaultValue: string,
  doc: string,
  options: { allowEmpty?: boolean; allowWholeNumber?: boolean; parent?: ParentCondition } = {},
): StringDefinition {
  return {
    name,
    type: 'string',
    choices: null,
    allowEmpty: options.allowEmpty ?? false,
    allowWholeNumber: options.allowWholeNumber ?? false,
    default: defaultValue,
    parent: options.parent ?? null,
    doc,
  };
}
