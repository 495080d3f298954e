import { screenPolicyOf } from '../stopping/screen/keep.ts';
import type { ScreenPolicy } from '../stopping/screen/keep.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { countOf } from '../text/count-of.ts';
import { makespanSeconds } from './cost/makespan.ts';
import type { PlannedRun } from './plan.ts';
import { planProbes } from './plan-probes.ts';
import type { PlannedProbe, ProbePlanInput } from './plan-probes.ts';

/** The screen of a sweep that is not submitted. */
export interface ScreenPreview {
  readonly policy: ScreenPolicy;
  readonly probes: readonly PlannedProbe[];
  /** Runs whose work a plan shows: those of as many candidates as are kept at most, of middle cost, the baseline's among them. */
  readonly keptRunIds: ReadonlySet<string>;
  /** Seconds of all probes, and until the last one ends. */
  readonly slotSeconds: number;
  readonly wallSeconds: number;
  /** A sentence for people. */
  readonly note: string;
}

/**
 * Returns the screen of a sweep; null: it has none.
 *
 * @param costOf slot-seconds of everything that some runs need.
 */
export function previewScreen(
  spec: SweepSpec,
  input: Omit<ProbePlanInput, 'images'>,
  slotCount: number,
  costOf: (runs: readonly PlannedRun[]) => number,
): ScreenPreview | null {
  if (spec.screen === undefined || spec.screen === 'off' || input.runs.length === 0) return null;
  const probes = planProbes({ ...input, images: spec.screen.images });
  const policy = screenPolicyOf(spec, probes.length);
  if (policy === null) return null;
  const byId = new Map(input.runs.map((run) => [run.runId, run]));
  const priced = probes.map((probe) => ({
    probe,
    seconds: costOf(probe.runIds.flatMap((runId) => byId.get(runId) ?? [])),
  }));
  const baseline = priced.filter(({ probe }) => probe.isBaseline);
  const others = priced.filter(({ probe }) => !probe.isBaseline).sort((a, b) => a.seconds - b.seconds);
  const places = Math.max(0, Math.min(others.length, Math.max(policy.keep, 1) - baseline.length));
  const first = Math.floor((others.length - places) / 2);
  const middle = others.slice(first, first + places);
  const sum = (some: typeof priced): number => some.reduce((total, { seconds }) => total + seconds, 0);
  const least = baseline.length > 0 ? sum(baseline) : Math.min(...others.map(({ seconds }) => seconds));
  const most = sum(baseline) + sum(others.slice(others.length - places));
  const kept = [...baseline, ...middle];
  return {
    policy,
    probes,
    keptRunIds: new Set(kept.flatMap(({ probe }) => probe.runIds)),
    slotSeconds: probes.reduce((total, { forecast }) => total + forecast.seconds, 0),
    wallSeconds: makespanSeconds(
      probes.map(({ taskId, forecast }) => ({ taskId, dependsOn: [], seconds: forecast.seconds })),
      Math.max(1, Math.floor(slotCount)),
    ),
    note: describe(probes, policy, kept.length, [least, most, sum(priced)]),
  };
}

function describe(
  probes: readonly PlannedProbe[],
  { keep }: ScreenPolicy,
  shownCount: number,
  [least, most, all]: readonly [number, number, number],
): string {
  const [first] = probes;
  const images = (first?.order.trainImageCount ?? 0) + (first?.order.validationImageCount ?? 0);
  const seconds = probes.reduce((total, { forecast }) => total + forecast.seconds, 0);
  return (
    `The screen probes ${countOf(probes.length, 'candidate')} on ${images} images each, ${minutes(seconds)} of slot time, and keeps at ` +
    `most ${keep}. The plan shows ${shownCount} of them, of middle cost; the work of those that are kept takes ` +
    `${minutes(least)} to ${minutes(most)}, that of all ${minutes(all)}`
  );
}

/** Formats seconds as minutes: `2:05`. */
function minutes(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
