import type { SweepSpec as ProtoSweepSpec } from '../../../../proto/gen/graft/v1/sweep.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import { validateSweepSpec } from '../../../core/validation/validate-spec.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import { requireMessage } from '../../../platform/rpc/convert/fields.ts';
import { sweepSpecFromProto } from '../../../platform/rpc/convert/sweep.ts';

/**
 * Decodes and checks a spec. Mistakes of form and of meaning are reported together, each field once.
 *
 * @throws InvalidRequestError with all mistakes
 */
export function readSpec(received: ProtoSweepSpec | undefined): SweepSpec {
  const { spec, violations: formal } = sweepSpecFromProto(requireMessage(received, 'spec'));
  const named = new Set(formal.map(({ field }) => field));
  const violations = [...formal, ...validateSweepSpec(spec).filter(({ field }) => !named.has(field))];
  if (violations.length > 0) throw new InvalidRequestError(violations);
  return spec;
}
