import { pathOf } from '../stopping/ladder.ts';
import type { LadderRun, RungStep } from '../stopping/ladder.ts';
import { judgesRuns, pausesAt, pausesAtRungs, policyOf } from '../stopping/policy.ts';
import type { PolicySpec, SearchPolicy } from '../stopping/policy.ts';
import type { SampledRun } from './sample-runs.ts';

/** Returns sentences on a stopping section, or a limit in it, that has nothing to decide on; empty without any. */
export function searchNotes(spec: PolicySpec, sampled: readonly SampledRun[]): string[] {
  if (spec.stopping === undefined) return [];
  const runs = sampled.map(ladderRunOf);
  const policy = policyOf(spec, runs);
  if (!judgesRuns(policy)) return [];
  const judged = runs.map((run) => judgedSteps(policy, pathOf(policy.ladder, run)));
  if (judged.every((steps) => steps.length === 0)) {
    const { rule } = spec.stopping;
    const which = rule === null ? 'stopping' : `stopping: ${rule}`;
    const why = runs.some(({ fineTuneEpochs }) => fineTuneEpochs !== null)
      ? 'no run has a rung before its last one'
      : 'no run is fine-tuned, and heads have no rung before their end at which this rule acts';
    return [`${which} decides nothing: ${why}, so every run trains to its end. ${REMEDY}`];
  }
  return [...thresholdNotes(policy, judged), ...patienceNotes(policy, judged)];
}

const REMEDY = 'Set fine_tune.enabled: true, or list epochs in stopping.rungs; those of heads need method: augmented.';

function ladderRunOf({ index, parameters }: SampledRun): LadderRun {
  return {
    index,
    headEpochs: Number(parameters['epochs'] ?? 0),
    augmented: parameters['method'] === 'augmented',
    fineTuneEpochs: parameters['fine_tune.enabled'] === true ? Number(parameters['fine_tune.epochs'] ?? 0) : null,
  };
}

/** Returns the steps at which a run may be stopped or paused: those before its last one. */
function judgedSteps(policy: SearchPolicy, path: readonly RungStep[]): readonly RungStep[] {
  const hasLimits = policy.threshold !== null || policy.patience !== null;
  const judgesAll = hasLimits || !pausesAtRungs(policy);
  return path.slice(0, -1).filter((step) => judgesAll || pausesAt(policy, path, step));
}

function thresholdNotes({ threshold }: SearchPolicy, judged: readonly (readonly RungStep[])[]): string[] {
  const last = Math.max(...judged.flat().map(({ epoch }) => epoch));
  if (threshold === null || threshold.fromEpoch <= last) return [];
  return [
    `stopping.threshold never acts: it is asked at rungs, the last one before the end of a run is at epoch ${last}, and from_epoch is ` +
      `${threshold.fromEpoch}.`,
  ];
}

function patienceNotes({ patience }: SearchPolicy, judged: readonly (readonly RungStep[])[]): string[] {
  if (patience === null) return [];
  const spans = judged.flatMap((steps) =>
    (['HEAD', 'FINE_TUNE'] as const).map((stage) => {
      const epochs = steps.filter((step) => step.stage === stage && !step.isEnd).map(({ epoch }) => epoch);
      return Math.max(...epochs, 0) - Math.min(...epochs, Math.max(...epochs, 0));
    }),
  );
  const longest = Math.max(...spans);
  if (patience.epochs <= longest) return [];
  return [
    `stopping.patience never acts: it is asked at rungs, the first and the last one of a stage are ${longest} epochs apart, and epochs is ` +
      `${patience.epochs}.`,
  ];
}
