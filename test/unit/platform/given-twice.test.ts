import { describe, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../services/core/errors.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { parametersFromProto } from '../../../services/platform/rpc/convert/parameter.ts';
import { PLAIN_SPEC, values, when } from '../core/support/specs.ts';

describe('a duplicate in a request', () => {
  it('is a mistake that names both places: parameters, with or without a value', () => {
    const parameter = (name: string, value: number): Parameters<typeof parametersFromProto>[0][number] => ({
      name,
      value: { kind: { $case: 'intValue', value: BigInt(value) } },
    });
    const read = (names: readonly string[]): unknown => {
      try {
        return parametersFromProto(
          [...names.map((name) => parameter(name, 3)), { name: 'epochs', value: undefined }],
          'base',
        );
      } catch (error) {
        return error instanceof InvalidRequestError
          ? error.violations.map(({ field, description }) => `${field} ${description}`)
          : error;
      }
    };
    expect(read(['seed', 'image_size', 'seed'])).toEqual([
      "base[2].name 'seed' is given already, at base[0]; keep one of them.",
      'base[3].value needs one of number_value, int_value, bool_value, string_value; received none.',
    ]);
    expect(read(['epochs'])).toEqual([
      'base[1].value needs one of number_value, int_value, bool_value, string_value; received none.',
      "base[1].name 'epochs' is given already, at base[0]; keep one of them.",
    ]);
  });

  it('is a mistake that names both places: dimensions and conditions', () => {
    const mistakes = (spec: Partial<SweepSpec>): readonly string[] =>
      validateSweepSpec({ ...PLAIN_SPEC, ...spec }).map(({ field, description }) => `${field} ${description}`);
    const method = values('method', 'cached', 'augmented');
    const conditional = when(when(values('head.units', 8, 16), 'method', 'cached'), 'method', 'augmented');
    expect(mistakes({ parameters: [method, method] })).toEqual([
      "parameters[1].name 'method' is a dimension already, at parameters[0]. Put all its values there.",
    ]);
    expect(conditional.conditions).toHaveLength(2);
    expect(mistakes({ parameters: [method, conditional] })).toEqual([
      "parameters[1].conditions[1].name 'method' has a condition already, at parameters[1].conditions[0]. " +
        'Put the values of both there.',
    ]);
  });
});
