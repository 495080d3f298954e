import type { FieldViolation, SweepSpec } from '../../core/sweep/sweep-spec.ts';

const PARAMETER = /parameters\[(\d+)\]/g;

/**
 * Converts the field paths of a violation to paths of the sweep file: dimensions by name instead of index
 * (`parameters[2].range.min` is `parameters.head.units.min` in the file), conditions as `when`, dotted keys without quotes.
 */
export function toYamlViolation(violation: FieldViolation, spec: SweepSpec): FieldViolation {
  return {
    field: toYamlPath(violation.field, spec),
    description: violation.description.replace(PARAMETER, (path) => toYamlPath(path, spec)),
  };
}

export function toYamlPath(field: string, spec: SweepSpec): string {
  const path = field.replace(/^spec\./, '').replace(/\["((?:[^"\\]|\\.)*)"\]/g, '.$1');
  if (path === 'test') return 'test_policy';
  if (path === 'budget.wall_seconds') return 'budget.wall_time';
  const found = /^parameters\[(\d+)\](.*)$/.exec(path);
  const parameter = found === null ? undefined : spec.parameters[Number(found[1])];
  if (found === null || parameter === undefined) return path;
  const inside = found[2] ?? '';
  const root = `parameters.${parameter.name}`;
  const condition = /^\.conditions\[(\d+)\](.*)$/.exec(inside);
  if (condition !== null) {
    const parent = parameter.conditions[Number(condition[1])]?.name ?? condition[1];
    return `${root}.when.${parent}${(condition[2] ?? '').replace(/^\.(name|values)/, '')}`;
  }
  return root + inside.replace(/^\.(range|name)/, '');
}
