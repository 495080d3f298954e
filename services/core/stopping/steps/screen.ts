import { describeScreen } from '../screen/describe.ts';
import { screen } from '../screen/keep.ts';
import type { Step } from './step.ts';

/**
 * Keeps the best candidates of a screen once all probes have ended. Until then nothing is decided: features are computed, and runs are
 * drawn, for those that are kept only.
 */
export const screenCandidates: Step = ({ policy, state }) => {
  if (policy.screen === undefined || state.screen === undefined) return null;
  const { candidates, openCount } = state.screen;
  if (openCount > 0) return 'WAIT';
  const table = screen(policy.screen, candidates);
  return { kind: 'SCREEN', rule: policy.screen.rule, table, reason: describeScreen(candidates, table) };
};
