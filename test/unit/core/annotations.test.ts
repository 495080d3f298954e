import { expect, it } from 'vitest';
import { tagProblem } from '../../../services/core/annotations.ts';

it.each([
  ['baseline', null],
  ['a b', "must have neither spaces nor commas; received 'a b'."],
  ['a,b', "must have neither spaces nor commas; received 'a,b'."],
])('says what is wrong with the tag %j: %s', (tag, problem) => {
  expect(tagProblem(tag)).toBe(problem);
});

it('repeats no control characters of a tag, which would change the terminal', () => {
  for (const tag of ['a\n\u001b[31m', 'a\tb', 'a \u001b[2J']) {
    expect(tagProblem(tag)).not.toBeNull();
    expect(tagProblem(tag)).not.toMatch(/[\u0000-\u001f]/);
  }
});
