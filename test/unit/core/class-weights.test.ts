import { expect, test } from 'vitest';
import { unknownClassProblem } from '../../../services/core/search-space/class-weights.ts';

// PostgreSQL refuses U+0000, so a reason with one could never be stored.
test('shows control characters in names of no class, and cuts long ones', () => {
  const problem = unknownClassProblem({ 'a\0\u202eb': 2 }, ['cat']);
  expect(problem).toContain("class_weights names 'a\\x00\\u202eb', which the data set does not have");
  const long = unknownClassProblem({ cat: 1, ['x'.repeat(5_000)]: 2 }, ['cat']);
  expect(long).toContain(`class_weights names '${'x'.repeat(120)}…' (5000 characters), which`);
});
