import type { ParameterSpec, ParameterValue, Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { findDefinition, parentAllows } from '../search-space/parameter-definitions.ts';
import type { ParentCondition } from '../search-space/define-parameter.ts';
import { normalizeValue, valueProblem } from '../search-space/parameter-value.ts';

/**
 * The values that a parameter can have in any run of a spec. This is an over-approximation that considers each
 * parameter on its own; a value that it rules out is impossible.
 */
export class PossibleValues {
  private readonly spec: SweepSpec;
  private readonly dimensions: ReadonlyMap<string, ParameterSpec>;

  constructor(spec: SweepSpec) {
    this.spec = spec;
    this.dimensions = new Map(spec.parameters.map((parameter) => [parameter.name, parameter]));
  }

  /**
   * Returns whether a parent may allow its child, in any run or in the given variant.
   *
   * @param variant null: any run.
   */
  parentPossible(parent: ParentCondition, variant: Parameters | null): boolean {
    const grandparent = findDefinition(parent.name)?.parent ?? null;
    if (grandparent !== null && !this.parentPossible(grandparent, variant)) return false;
    return this.anyPossible(
      parent.name,
      variant,
      (value) => parentAllows(parent, value),
      (max) => {
        return 'above' in parent && max > parent.above;
      },
    );
  }

  /** Returns whether the parameter may have one of these values in any run that a strategy draws. */
  anyOfPossible(name: string, values: readonly ParameterValue[]): boolean {
    const definition = findDefinition(name);
    if (definition === null) return false;
    const wanted = values.map((value) => normalizeValue(definition, value));
    const range = this.dimensions.get(name)?.domain;
    if (range?.kind === 'range') {
      if (wanted.some((v) => typeof v === 'number' && v >= range.min && v <= range.max)) return true;
    }
    return this.anyPossible(
      name,
      null,
      (value) => wanted.includes(value),
      () => false,
    );
  }

  /** Returns the largest number that a parameter may have in any run; 0 if it can have none. */
  largestNumber(name: string): number {
    const { base, variants, strategy } = this.spec;
    const dimension = this.dimensions.get(name);
    const isVaried = dimension !== undefined && dimension.conditions.length === 0;
    const takesBase = variants.some((variant) => !Object.hasOwn(variant, name)) || (strategy !== 'list' && !isVaried);
    const varied = dimension === undefined ? [] : valuesOf(dimension.domain);
    const usual = takesBase ? [base[name] ?? findDefinition(name)?.default] : [];
    const possible = [...usual, ...variants.map((variant) => variant[name]), ...varied];
    return possible.reduce<number>((most, value) => (typeof value === 'number' && value > most ? value : most), 0);
  }

  private anyPossible(
    name: string,
    variant: Parameters | null,
    allows: (value: ParameterValue) => boolean,
    allowsUpTo: (max: number) => boolean,
  ): boolean {
    const definition = findDefinition(name);
    if (definition === null) return false;
    const usable = (value: ParameterValue | undefined): boolean => {
      // A wrong value is reported in its own place; it must not cause other reports.
      if (value !== undefined && valueProblem(definition, value) !== null) return true;
      if (value !== undefined) return allows(normalizeValue(definition, value));
      return definition.default !== null && allows(definition.default);
    };
    if (variant !== null) return usable(variant[name] ?? this.spec.base[name]);
    if (this.spec.variants.some((listed) => Object.hasOwn(listed, name) && usable(listed[name]))) return true;
    const dimension = this.dimensions.get(name);
    if (dimension === undefined || dimension.conditions.length > 0) {
      if (usable(this.spec.base[name])) return true;
    }
    if (dimension === undefined) return false;
    const { domain } = dimension;
    return domain.kind === 'values' ? domain.values.some(usable) : allowsUpTo(domain.max);
  }
}

function valuesOf(domain: ParameterSpec['domain']): readonly ParameterValue[] {
  return domain.kind === 'values' ? domain.values : [domain.max];
}
