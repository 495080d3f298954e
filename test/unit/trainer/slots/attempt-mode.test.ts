import { describe, expect, it } from 'vitest';
import { isOpen, mayEnter } from '../../../../services/trainer/slots/attempt-mode.ts';
import type { AttemptMode } from '../../../../services/trainer/slots/attempt-mode.ts';

const IN_ORDER: readonly AttemptMode[] = [
  { name: 'working' },
  { name: 'pausing', releaseReason: 'PAUSED' },
  { name: 'stopping', releaseReason: 'PAUSED' },
  { name: 'reporting', releaseReason: 'PAUSED' },
  { name: 'ended' },
];

describe('AttemptMode', () => {
  it('allows every later mode and no earlier one', () => {
    for (const [index, current] of IN_ORDER.entries()) {
      for (const next of IN_ORDER.slice(0, index)) expect(mayEnter(current, next)).toBe(false);
      for (const next of IN_ORDER.slice(index + 1)) expect(mayEnter(current, next)).toBe(true);
    }
  });

  it('may be repeated only to replace the release reason', () => {
    const repeated = IN_ORDER.filter((mode) => mayEnter(mode, mode)).map(({ name }) => name);
    expect(repeated).toEqual(['pausing', 'stopping', 'reporting']);
  });

  it('is open until the outcome is decided', () => {
    expect(IN_ORDER.filter(isOpen).map(({ name }) => name)).toEqual(['working', 'pausing', 'stopping']);
  });
});
