import { layersOf, prefixCutOf } from '../network/backbone-layers.ts';
import { NothingToTrainError, UnknownLayerError } from '../network/resolve-unfreeze.ts';
import type { BackboneConfig } from '../run-config.ts';
import { basePoint } from '../samplers/baseline.ts';
import { canonicalParameters } from '../search-space/canonical.ts';
import type { Parameters, ParameterValue, SweepSpec } from '../sweep/sweep-spec.ts';
import { memberPath } from './violations.ts';
import type { ViolationList } from './violations.ts';

const CUT = 'cut';
const UNFREEZE = 'fine_tune.unfreeze';
const LAYER_PARAMETERS = [CUT, UNFREEZE] as const;
type LayerParameter = (typeof LAYER_PARAMETERS)[number];

/** Values that fit every whole base. */
const ALWAYS_RIGHT: readonly ParameterValue[] = ['', 'last_block', 'all'];

/** A place of a spec that gives a layer parameter a value. */
interface Place {
  readonly field: string;
  readonly parameter: LayerParameter;
  readonly value: ParameterValue;
  /** The listed variant that the place belongs to; null: base or dimension. */
  readonly variant: Parameters | null;
}

/** Returns whether a spec names layers, whose existence depends on the backbone. */
export function mayBeUnknownLayer(spec: SweepSpec): boolean {
  return placesOf(spec).some(({ value }) => !ALWAYS_RIGHT.includes(value));
}

/**
 * Checks cuts and unfreeze depths against the layers of the backbones. A value is refused when no run that has it can be trained:
 * a cut may fit some backbones of a grid only, and then the runs with the others become INFEASIBLE. A depth that unfreezes nothing
 * of a whole base is refused in any run.
 *
 * @param runs of the spec, with canonical parameters.
 */
export function validateLayers(
  spec: SweepSpec,
  runs: readonly { readonly parameters: Parameters }[],
  found: ViolationList,
): void {
  const places = placesOf(spec);
  const ofRuns = new Verdicts(runs.map(({ parameters }) => parameters));
  for (const { field, parameter, value, variant } of places) {
    const verdicts =
      variant === null ? ofRuns : new Verdicts([canonicalParameters({ ...basePoint(spec), ...variant })]);
    const problem = verdicts.problemOf(parameter, value);
    if (problem !== null) found.add(field, problem);
  }
  // The default depth may unfreeze nothing of a base that is cut low.
  if (found.violations.length > 0 || places.some(({ parameter }) => parameter === UNFREEZE)) return;
  const problem = ofRuns.problemOf(UNFREEZE, 'last_block');
  const cut = places.find(({ parameter }) => parameter === CUT);
  if (problem !== null && cut !== undefined)
    found.add(cut.field, `leaves nothing to fine-tune: 'last_block' ${problem}`);
}

function placesOf({ base, parameters, variants }: SweepSpec): readonly Place[] {
  const inMap = (map: string, values: Parameters, variant: Parameters | null): readonly Place[] =>
    LAYER_PARAMETERS.flatMap((parameter) => {
      const value = Object.hasOwn(values, parameter) ? values[parameter] : undefined;
      return value === undefined ? [] : [{ field: memberPath(map, parameter), parameter, value, variant }];
    });
  const dimensions = parameters.flatMap(({ name, domain }, index) => {
    const parameter = LAYER_PARAMETERS.find((known) => known === name);
    if (parameter === undefined || domain.kind !== 'values') return [];
    return domain.values.map((value, place) => {
      return { field: `parameters[${index}].values[${place}]`, parameter, value, variant: null };
    });
  });
  return [
    ...inMap('base', base, null),
    ...dimensions,
    ...variants.flatMap((variant, index) => inMap(`variants[${index}]`, variant, variant)),
  ];
}

/** The outcome for one value of a layer parameter over all runs that have it. */
interface Verdict {
  fits: boolean;
  /** The first problem, with the base that has it. */
  problem: { readonly base: string; readonly detail: string; readonly isFatal: boolean } | null;
}

/** Outcomes by parameter and value. Runs that differ in other parameters are resolved once. */
class Verdicts {
  readonly #byValue = new Map<string, Verdict>();

  constructor(runs: readonly Parameters[]) {
    const seen = new Set<string>();
    for (const parameters of runs) {
      const config = {
        name: String(parameters['backbone']),
        weights: String(parameters['weights']),
        cut: parameters[CUT] === '' ? null : String(parameters[CUT]),
      };
      const unfreeze = parameters['fine_tune.enabled'] === true ? String(parameters[UNFREEZE]) : null;
      const key = JSON.stringify([config, unfreeze]);
      if (!seen.has(key)) this.#resolve(config, unfreeze);
      seen.add(key);
    }
  }

  /** Returns what is wrong with a value; null where a run with it can be trained, or no run has it. */
  problemOf(parameter: LayerParameter, value: ParameterValue): string | null {
    const verdict = this.#byValue.get(keyOf(parameter, String(value)));
    const problem = verdict?.problem ?? null;
    if (problem === null || (verdict?.fits === true && !problem.isFatal)) return null;
    return `does not fit ${problem.base}: ${problem.detail}`;
  }

  #resolve(config: BackboneConfig, unfreeze: string | null): void {
    const cutError = unknownLayer(() => layersOf(config));
    this.#record(CUT, config.cut ?? '', config, cutError);
    if (unfreeze === null) return;
    // Behind a wrong cut a depth is compared with the whole base, for its name alone: a second misspelt one is reported at once.
    const whole = cutError === null ? config : { ...config, cut: null };
    const error = unknownLayer(() => prefixCutOf(whole, unfreeze));
    const isUnknown = error !== null && !(error instanceof NothingToTrainError);
    if (cutError === null || isUnknown) this.#record(UNFREEZE, unfreeze, whole, error);
  }

  #record(
    parameter: LayerParameter,
    value: string,
    { name, cut }: BackboneConfig,
    error: UnknownLayerError | null,
  ): void {
    const key = keyOf(parameter, value);
    const verdict = this.#byValue.get(key) ?? { fits: false, problem: null };
    this.#byValue.set(key, verdict);
    if (error === null) {
      verdict.fits = true;
      return;
    }
    const isFatal = error instanceof NothingToTrainError && cut === null;
    if (verdict.problem !== null && !isFatal) return;
    const base = parameter === CUT || cut === null ? name : `${name} cut at ${cut}`;
    verdict.problem = { base, detail: error.detail, isFatal };
  }
}

function unknownLayer(resolve: () => unknown): UnknownLayerError | null {
  try {
    resolve();
    return null;
  } catch (error) {
    if (error instanceof UnknownLayerError) return error;
    throw error;
  }
}

function keyOf(parameter: LayerParameter, value: string): string {
  return JSON.stringify([parameter, value]);
}
