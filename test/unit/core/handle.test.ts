import { describe, expect, it } from 'vitest';
import { matchHandle, nearestThings, parseRunOfSweep } from '../../../services/core/handle.ts';

const HEADS = { id: 's1abc', displayName: 'Heads' };
const HEADS_AGAIN = { id: 's1abd', displayName: 'heads' };
const NAMED_LIKE_AN_ID = { id: 's2xyz', displayName: 's1abc' };
const NAMELESS = { id: 's3', displayName: '' };
const ALL = [HEADS, HEADS_AGAIN, NAMED_LIKE_AN_ID, NAMELESS];

describe('a handle', () => {
  it.each([
    ['s1abc', [HEADS], true],
    ['S1ABD', [HEADS_AGAIN], true],
    ['HEADS', [HEADS, HEADS_AGAIN], true],
    ['s1ab', [HEADS, HEADS_AGAIN, NAMED_LIKE_AN_ID], false],
    ['s2', [NAMED_LIKE_AN_ID], false],
    ['hea', [HEADS, HEADS_AGAIN], false],
    ['s3', [NAMELESS], true],
    ['other', [], false],
  ])('%s: an identity precedes a name, and a name a prefix', (handle, items, isWhole) => {
    expect(matchHandle(handle, ALL)).toEqual({ items, isWhole });
  });

  it.each([
    ['latest/3', { sweep: 'latest', run: 3 }],
    ['7', { sweep: 'latest', run: 7 }],
    ['a/b/12', { sweep: 'a/b', run: 12 }],
    ['my heads/best', { sweep: 'my heads', run: 'best' }],
    ['latest', null],
    ['/3', null],
    ['latest/', null],
    ['latest/-1', null],
    ['latest/1.5', null],
    ['best', null],
  ])('%s as a run of a sweep', (handle, expected) => {
    expect(parseRunOfSweep(handle)).toEqual(expected);
  });
});

describe('an unknown handle', () => {
  it('has near names: those that contain it, then those that are misspelt', () => {
    const things = ['fine-tuning', 'heads on B0', 'haeds', 'colour'].map((displayName, index) => {
      return { id: `s${index}00000`, displayName };
    });
    expect(nearestThings('heads', things).map(({ displayName }) => displayName)).toEqual(['heads on B0', 'haeds']);
  });

  it('has none where no name is similar, and an empty name is similar to nothing', () => {
    expect(nearestThings('zzzzzz', ALL)).toEqual([]);
    expect(nearestThings('ab', [NAMELESS])).toEqual([]);
  });
});
