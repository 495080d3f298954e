import { expect, it } from 'vitest';
import { RateLimitedError } from '../../../services/core/errors.ts';
import { UnreadAnswers } from '../../../services/platform/rpc/limits/unread-answers.ts';

const MIB = 1024 * 1024;

it('refuses a response above the unread bytes allowed per connection, and accepts it once others are read', () => {
  const unread = new UnreadAnswers({ maxBytesPerConnection: 2 * MIB, maxBytes: 10 * MIB });
  const read = unread.add('a', MIB);
  unread.add('a', MIB);
  expect(() => unread.add('a', 1)).toThrow(RateLimitedError);
  expect(() => unread.add('a', 1)).toThrow(
    'A connection may leave 2097152 bytes of answers unread; 2097152 wait, and the next answer has 1.',
  );
  unread.add('b', MIB)();
  read();
  unread.add('a', MIB);
  expect(unread.bytes).toBe(2 * MIB);
});

it('refuses only large responses when all connections together exceed the limit', () => {
  const unread = new UnreadAnswers({ maxBytesPerConnection: 2 * MIB, maxBytes: 3 * MIB });
  const reads = ['a', 'b', 'c'].map((connection) => unread.add(connection, MIB));
  expect(() => unread.add('d', MIB)).toThrow('All connections together may leave 3145728 bytes of answers unread');
  unread.add('d', 1_000)();
  for (const read of reads) read();
  expect(unread.bytes).toBe(0);
});
