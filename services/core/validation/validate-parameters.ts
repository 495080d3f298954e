import type { ParameterSpec, Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { unknownParameter } from '../search-space/canonical.ts';
import type { ParentCondition } from '../search-space/define-parameter.ts';
import { findDefinition } from '../search-space/parameter-definitions.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { valueProblem } from '../search-space/parameter-value.ts';
import { show } from '../text/show.ts';
import { PossibleValues } from './possible-values.ts';
import { validateDomain, validateValues } from './validate-domain.ts';
import type { ViolationList } from './violations.ts';
import { memberPath } from './violations.ts';

/**
 * Checks base, dimensions and variants: names, values, and what can never be.
 *
 * @param strategyKnown false where the strategy is wrong itself; then nothing is said about what it needs.
 */
export function validateParameters(spec: SweepSpec, strategyKnown: boolean, found: ViolationList): void {
  const possible = new PossibleValues(spec);
  validateFlat('base', spec.base, null, possible, found);
  spec.parameters.forEach((parameter, index) => {
    const path = `parameters[${index}]`;
    const definition = findDefinition(parameter.name);
    if (definition === null) {
      found.add(`${path}.name`, () => (parameter.name === '' ? 'is missing.' : unknownParameter(parameter.name)));
    } else {
      validateDomain(path, definition, parameter.domain, strategyKnown ? spec.strategy : null, found);
      validateParent(`${path}.name`, parameter.name, null, possible, found);
    }
    validateUnique(spec, parameter, index, found);
    validateConditions(spec, parameter, index, possible, found);
  });
  spec.variants.forEach((variant, index) => {
    validateFlat(`variants[${index}]`, variant, variant, possible, found);
  });
}

function validateFlat(
  path: string,
  parameters: Parameters,
  variant: Parameters | null,
  possible: PossibleValues,
  found: ViolationList,
): void {
  for (const [name, value] of Object.entries(parameters)) {
    const field = memberPath(path, name);
    const definition = findDefinition(name);
    if (definition === null) {
      found.add(field, () => unknownParameter(name));
      continue;
    }
    const problem = valueProblem(definition, value);
    if (problem !== null) found.add(field, problem);
    validateParent(field, name, variant, possible, found);
  }
}

/** A parameter that is given although no run (or not this variant) can have it is a mistake of the writer. */
function validateParent(
  field: string,
  name: string,
  variant: Parameters | null,
  possible: PossibleValues,
  found: ViolationList,
): void {
  const parent = findDefinition(name)?.parent ?? null;
  if (parent === null || possible.parentPossible(parent, variant)) return;
  found.add(
    field,
    `can never be used: '${name}' exists only where ${describeParent(parent)}, and ` +
      `${variant === null ? 'no run has that' : 'this variant does not have that'}. Set ${parent.name} accordingly, or take it out.`,
  );
}

function describeParent(parent: ParentCondition): string {
  if ('above' in parent) return `${parent.name} is above ${parent.above}`;
  return `${parent.name} is ${parent.anyOf.map(show).join(' or ')}`;
}

function validateUnique(spec: SweepSpec, parameter: ParameterSpec, index: number, found: ViolationList): void {
  const first = spec.parameters.findIndex((other) => other.name === parameter.name);
  if (first < index) {
    found.add(
      `parameters[${index}].name`,
      `'${parameter.name}' is a dimension already, at parameters[${first}]. Put all its values there.`,
    );
  }
}

function validateConditions(
  spec: SweepSpec,
  parameter: ParameterSpec,
  index: number,
  possible: PossibleValues,
  found: ViolationList,
): void {
  parameter.conditions.forEach((condition, position) => {
    const path = `parameters[${index}].conditions[${position}]`;
    const first = parameter.conditions.findIndex((other) => other.name === condition.name);
    if (first < position) {
      const place = `parameters[${index}].conditions[${first}]`;
      found.add(
        `${path}.name`,
        `'${condition.name}' has a condition already, at ${place}. Put the values of both there.`,
      );
      return;
    }
    const definition = findDefinition(condition.name);
    if (definition === null) {
      found.add(`${path}.name`, () => {
        const near = didYouMean(
          condition.name,
          spec.parameters.map((other) => other.name),
        );
        return near === '' ? unknownParameter(condition.name) : `there is no parameter ${show(condition.name)}.${near}`;
      });
      return;
    }
    const before = found.violations.length;
    validateValues(`${path}.values`, definition, condition.values, found);
    const orderProblem = conditionOrderProblem(spec, parameter, index, condition.name);
    if (orderProblem !== null) {
      found.add(`${path}.name`, orderProblem);
    } else if (found.violations.length === before && !possible.anyOfPossible(condition.name, condition.values)) {
      found.add(
        `${path}.values`,
        `can never hold: no run has '${condition.name}' = ${condition.values.map(show).join(' or ')}. ` +
          `Add the value to '${condition.name}', or take the condition out.`,
      );
    }
  });
}

function conditionOrderProblem(
  spec: SweepSpec,
  parameter: ParameterSpec,
  index: number,
  parentName: string,
): string | null {
  if (parentName === parameter.name)
    return `a parameter can't depend on itself; received '${parentName}'. Take it out.`;
  const parentIndex = spec.parameters.findIndex((other) => other.name === parentName);
  const builtIn = builtInAncestors(parentName);
  if (builtIn.includes(parameter.name)) {
    return `'${parentName}' itself exists only under '${parameter.name}', so neither could come first. Take the condition out.`;
  }
  if (parentIndex <= index) return null;
  const cyclic =
    spec.parameters[parentIndex]?.conditions.some((condition) => condition.name === parameter.name) ?? false;
  if (cyclic) {
    return `'${parentName}' and '${parameter.name}' depend on each other, so neither could come first. Take one condition out.`;
  }
  return `'${parentName}' comes later, at parameters[${parentIndex}]. Put it before parameters[${index}].`;
}

function builtInAncestors(name: string): string[] {
  const parent = findDefinition(name)?.parent?.name;
  return parent === undefined ? [] : [parent, ...builtInAncestors(parent)];
}
