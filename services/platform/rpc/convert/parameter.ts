import type {
  ParameterCondition,
  ParameterDomain,
  ParameterSpec,
  ParameterValue,
  Parameters,
} from '../../../core/sweep/sweep-spec.ts';
import { Scale } from '../../../../proto/gen/graft/v1/parameter.ts';
import type * as proto from '../../../../proto/gen/graft/v1/parameter.ts';
import { lowerCaseEnum } from './enum-codec.ts';
import { Violations, numberOr } from './fields.ts';

const SCALES = lowerCaseEnum<'linear' | 'log', typeof Scale>(Scale);

/** Converts a value: integers to `int_value`, other numbers to `number_value`. The parameter's definition decides which it accepts. */
function parameterValueToProto(value: ParameterValue): proto.ParameterValue {
  if (typeof value === 'boolean') return { kind: { $case: 'boolValue', value } };
  if (typeof value === 'string') return { kind: { $case: 'stringValue', value } };
  // −0 has no int64.
  return Number.isSafeInteger(value) && !Object.is(value, -0)
    ? { kind: { $case: 'intValue', value: BigInt(value) } }
    : { kind: { $case: 'numberValue', value } };
}

/** Reads a value; returns null and records a violation if no kind is set or an integer is not exact. */
function parameterValueFromProto(
  message: proto.ParameterValue | undefined,
  field: string,
  violations: Violations,
): ParameterValue | null {
  const kind = message?.kind;
  if (kind === undefined) {
    violations.add(field, 'needs one of number_value, int_value, bool_value, string_value; received none.');
    return null;
  }
  return kind.$case === 'intValue' ? numberOr(kind.value, field, violations) : kind.value;
}

export function parametersToProto(parameters: Parameters): proto.Parameter[] {
  return Object.entries(parameters).map(([name, value]) => ({ name, value: parameterValueToProto(value) }));
}

/** Reads flat parameters; records a violation for a duplicate name and for a missing value. */
export function readParameters(
  messages: readonly proto.Parameter[],
  field: string,
  violations: Violations,
): Record<string, ParameterValue> {
  const parameters = new Map<string, ParameterValue>();
  const positions = new Map<string, number>();
  messages.forEach(({ name, value: message }, index) => {
    const path = `${field}[${index}]`;
    const value = parameterValueFromProto(message, `${path}.value`, violations);
    const first = positions.get(name);
    if (first === undefined) positions.set(name, index);
    else violations.add(`${path}.name`, `'${name}' is given already, at ${field}[${first}]; keep one of them.`);
    if (value !== null) parameters.set(name, value);
  });
  // fromEntries defines own properties, so a parameter named __proto__ is an ordinary name.
  return Object.fromEntries(parameters);
}

/** @throws InvalidRequestError with all violations. */
export function parametersFromProto(messages: readonly proto.Parameter[], field: string): Parameters {
  const violations = new Violations();
  const parameters = readParameters(messages, field, violations);
  violations.throwIfAny();
  return parameters;
}

export function parameterSpecToProto(spec: ParameterSpec): proto.ParameterSpec {
  return {
    name: spec.name,
    domain: domainToProto(spec.domain),
    conditions: spec.conditions.map(({ name, values }) => ({ name, values: values.map(parameterValueToProto) })),
  };
}

/** Reads a parameter; an absent domain becomes an empty list of values and a violation. */
export function parameterSpecFromProto(
  message: proto.ParameterSpec,
  field: string,
  violations: Violations,
): ParameterSpec {
  return {
    name: message.name,
    domain: domainFromProto(message.domain, field, violations),
    conditions: message.conditions.map((condition, index): ParameterCondition => {
      const path = `${field}.conditions[${index}]`;
      return { name: condition.name, values: valuesFromProto(condition.values, `${path}.values`, violations) };
    }),
  };
}

function domainToProto(domain: ParameterDomain): proto.ParameterSpec['domain'] {
  if (domain.kind === 'values') {
    return { $case: 'values', value: { values: domain.values.map(parameterValueToProto) } };
  }
  const { min, max, scale, gridPoints, step } = domain;
  return {
    $case: 'range',
    value: { min, max, scale: SCALES.toProto(scale), gridPoints: gridPoints ?? 0, step: step ?? 0 },
  };
}

function domainFromProto(
  domain: proto.ParameterSpec['domain'],
  field: string,
  violations: Violations,
): ParameterDomain {
  if (domain === undefined) {
    violations.add(field, 'needs values or a range; received neither.');
    return { kind: 'values', values: [] };
  }
  if (domain.$case === 'values') {
    return { kind: 'values', values: valuesFromProto(domain.value.values, `${field}.values`, violations) };
  }
  const { min, max, scale, gridPoints, step } = domain.value;
  const scaleName = scale === Scale.UNSPECIFIED ? 'linear' : SCALES.tryFromProto(scale);
  if (scaleName === null)
    violations.add(`${field}.range.scale`, `must be SCALE_LINEAR or SCALE_LOG; received ${scale}.`);
  return {
    kind: 'range',
    min,
    max,
    scale: scaleName ?? 'linear',
    gridPoints: gridPoints === 0 ? null : gridPoints,
    step: step === 0 ? null : step,
  };
}

function valuesFromProto(
  messages: readonly proto.ParameterValue[],
  field: string,
  violations: Violations,
): ParameterValue[] {
  return messages
    .map((message, index) => parameterValueFromProto(message, `${field}[${index}]`, violations))
    .filter((value) => value !== null);
}
