import type { Rule } from '../rule.ts';
import { verdict } from '../rule.ts';

/** `none`: each run trains to its end. Also the rule beside a threshold or a patience alone. */
export const none: Rule = ({ rule }) => verdict('CONTINUE', rule, 'no rule compares the runs');
