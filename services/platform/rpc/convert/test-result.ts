import { InvalidRequestError } from '../../../core/errors.ts';
import type { TestResultRecord } from '../../../core/records/test-result.ts';
import type { TestRole } from '../../../core/task.ts';
import type { TestResult } from '../../../../proto/gen/graft/v1/run.ts';
import { absentNulls, nullAbsent, requireMessage } from './fields.ts';

const TEST_ROLES: Readonly<Record<TestRole, true>> = { WINNER: true, BASELINE: true, EVERY_RUN: true };

/** Converts a test result to its message. */
export function testResultToProto(result: TestResultRecord): TestResult {
  return {
    ...absentNulls(result),
    confusionMatrix: [...result.confusionMatrix],
    classResults: result.classResults.map((classResult) => ({ ...classResult })),
  };
}

/** @throws InvalidRequestError naming the field that is absent or unknown. */
export function testResultFromProto(message: TestResult | undefined): TestResultRecord {
  const sent = requireMessage(message, 'test_result');
  return { ...nullAbsent(sent), role: testRoleFromProto(sent.role, 'test_result.role') };
}

/**
 * Reads a role, which is a string on the wire.
 *
 * @throws InvalidRequestError for an unknown role.
 */
export function testRoleFromProto(role: string, field: string): TestRole {
  if (!Object.hasOwn(TEST_ROLES, role)) {
    throw new InvalidRequestError([
      { field, description: `must be one of ${Object.keys(TEST_ROLES).join(', ')}; received '${role}'.` },
    ]);
  }
  return role as TestRole;
}
