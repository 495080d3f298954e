import { MAX_ROUND_RUNS } from '../stopping/rounds-policy.ts';
import type { RoundsPolicy } from '../stopping/rounds-policy.ts';
import type { RoundDue } from '../stopping/action.ts';
import { isOfFineTuning } from '../stopping/rounds-policy.ts';
import type { SearchPolicy } from '../stopping/policy.ts';
import type { SearchState } from '../stopping/search-state.ts';
import { digestOf } from '../digest.ts';
import { effectiveValue, orderDimensions } from '../samplers/dimensions.ts';
import type { Dimension } from '../samplers/dimensions.ts';
import { canonicalParameters } from '../search-space/canonical.ts';
import { overLimit } from '../search-space/model-limits.ts';
import type { Parameters, SweepSpec } from '../sweep/sweep-spec.ts';
import { firstRound } from './first-round.ts';
import { fineTuneHistory, headHistory, signOf } from './history.ts';
import { packedValues } from './round-groups.ts';
import { fitModel, RoundChooser } from './round-model.ts';
import type { FittedModel, ModelChoice } from './round-model.ts';
import { isScreenedOut, withoutScreened } from './screened-space.ts';
import type { ScreenedTarget } from './screened-space.ts';
import { withGroups } from './with-groups.ts';
import type { DraftRun } from './with-groups.ts';
import type { ChoiceDetail, SamplerName, SuggestedRun } from './suggestion.ts';
import { pointDigest, UntriedPoints } from './untried-points.ts';

/** Everything that a round depends on; plain data. */
export interface RoundInput {
  readonly spec: SweepSpec;
  readonly policy: SearchPolicy;
  /** The state that says that the round is due. */
  readonly state: SearchState;
  /** Canonical parameters of its runs, by run number. */
  readonly parameters: readonly Parameters[];
  /** Sampler of each run, by run number; null: a person added it. */
  readonly samplers: readonly (string | null)[];
  /** Candidates that a screen has decided about; absent: none were screened. */
  readonly screened?: readonly ScreenedTarget[];
}

/**
 * Suggests the runs of a round, one after the other, each new to the sweep. A pure function: the same input gives the same round.
 *
 * @returns as many runs as are due; fewer where the space has no more.
 * @throws RangeError for a sweep without rounds.
 */
export function suggestRound(input: RoundInput, due: RoundDue): readonly SuggestedRun[] {
  const { rounds } = input.policy;
  if (rounds === undefined) throw new RangeError('The sweep has no rounds.');
  return due.round === 0 ? firstRound(input.spec).runs : new RoundDraft(input, rounds, due).suggest();
}

/** A choice that is not canonical yet. */
interface Choice {
  readonly parameters: Parameters;
  readonly sampler: SamplerName;
  readonly detail: DraftRun['detail'];
}

class RoundDraft {
  readonly #rounds: RoundsPolicy;
  readonly #due: RoundDue;
  readonly #dimensions: readonly Dimension[];
  /** Digests of the runs of the sweep and of the round. */
  readonly #digests: Set<string>;
  /** Values of the heads that the sweep and the round have; empty unless heads have a model of their own. */
  readonly #heads: Set<string>;
  readonly #untried: UntriedPoints;
  /** Says why a point is over a constraint; such a point is never asked for. */
  readonly #overLimit: ReturnType<typeof overLimit>;
  /** Model of the heads; of all dimensions where none of fine-tuning varies. */
  readonly #headModel: FittedModel;
  /** Model of all dimensions, where some of fine-tuning vary. */
  readonly #tuneModel: FittedModel | null;
  /** Names of the dimensions of the heads. */
  readonly #headNames: readonly string[];
  readonly #screened: readonly ScreenedTarget[];
  readonly #runs: DraftRun[] = [];

  constructor(input: RoundInput, rounds: RoundsPolicy, due: RoundDue) {
    const { policy, state, parameters, samplers, screened = [] } = input;
    const spec = withoutScreened(input.spec, screened);
    this.#screened = screened;
    this.#rounds = rounds;
    this.#due = due;
    this.#dimensions = orderDimensions(spec.parameters);
    this.#digests = new Set(parameters.map((run) => digestOf(run)));
    this.#overLimit = overLimit(spec.constraints, null);
    const heads = rounds.variesFineTuning
      ? spec.parameters.filter((one) => !dependsOnFineTuning(spec, one))
      : spec.parameters;
    this.#headNames = heads.map(({ name }) => name);
    this.#heads = new Set(rounds.variesFineTuning ? parameters.map((run) => this.#headKey(run)) : []);
    this.#untried = new UntriedPoints(spec, samplers.filter((name) => name === 'sobol').length, this.#isKnown);
    const key = { seed: spec.seed, round: due.round };
    const sign = signOf(policy.objective);
    const headSpec = { ...spec, parameters: heads };
    this.#headModel = fitModel(rounds, headSpec, headHistory(policy, state, parameters), key, sign);
    this.#tuneModel = rounds.variesFineTuning
      ? fitModel(rounds, spec, fineTuneHistory(policy, state, parameters), key, sign)
      : null;
  }

  suggest(): readonly SuggestedRun[] {
    while (this.#runs.length < this.#due.count) {
      const choice = this.#choose(this.#runs.length);
      if (choice === null) break;
      this.#add(choice);
    }
    return withGroups(this.#dimensions, this.#runs);
  }

  readonly #isKnown = (point: Parameters): boolean => {
    const digest = pointDigest(point);
    if (digest === null || this.#digests.has(digest)) return true;
    return this.#overLimit(point) !== null || isScreenedOut(point, this.#screened);
  };

  readonly #isKnownHead = (point: Parameters): boolean => {
    if (pointDigest(point) === null || this.#heads.has(this.#headKey(point))) return true;
    return isScreenedOut(point, this.#screened);
  };

  #headKey(run: Parameters): string {
    return JSON.stringify(this.#headNames.map((name) => effectiveValue(run, name) ?? null));
  }

  #add({ parameters, sampler, detail }: Choice): void {
    const canonical = canonicalParameters(parameters);
    const digest = digestOf(canonical);
    this.#digests.add(digest);
    if (this.#rounds.variesFineTuning) this.#heads.add(this.#headKey(canonical));
    this.#runs.push({ parameters: canonical, digest, sampler, detail });
    for (const model of [this.#headModel, this.#tuneModel]) {
      if (model instanceof RoundChooser) model.add(canonical);
    }
  }

  /** Chooses the run at a position of the round; null: the space has no more. */
  #choose(position: number): Choice | null {
    const model = this.#headNames.length === 0 ? this.#tuneModel : this.#headModel;
    if (!(model instanceof RoundChooser)) return this.#untriedPoint(model?.why ?? '', []);
    const round = this.#runs.map(({ parameters }) => parameters);
    const packed = packedValues(this.#dimensions, round, this.#due.count, this.#rounds.pack);
    if (isExplored(position, this.#rounds.explore)) {
      return this.#untriedPoint(`part of each round that explores: ${this.#rounds.explore}`, packed);
    }
    const chosen = this.#modelled(position, packed) ?? this.#unpacked(position, packed);
    return chosen ?? this.#untriedPoint('the model found no other new point', packed);
  }

  /** Lets the model open a group where those of the round have no other new point. */
  #unpacked(position: number, packed: readonly Parameters[]): Choice | null {
    const choice = packed.length === 0 ? null : this.#modelled(position, []);
    if (choice === null) return null;
    return {
      ...choice,
      detail: { ...choice.detail, why: 'the model found no other new point in the groups of the round' },
    };
  }

  #modelled(position: number, allowed: readonly Parameters[]): Choice | null {
    const [heads, all] = [this.#headModel, this.#tuneModel];
    if (all === null) return heads instanceof RoundChooser ? heads.choose(position, allowed, this.#isKnown) : null;
    const head =
      heads instanceof RoundChooser && this.#headNames.length > 0
        ? heads.choose(position, allowed, this.#isKnownHead)
        : null;
    if (head !== null) return this.#withFineTuning(position, head, all);
    // Every head is known, or there is only one: what is left to choose is its fine-tuning.
    return all instanceof RoundChooser ? all.choose(position, allowed, this.#isKnown) : null;
  }

  /** Chooses the parameters of fine-tuning for a head. */
  #withFineTuning(position: number, head: ModelChoice, model: FittedModel): Choice | null {
    const given = this.#valuesOfHead(head.parameters);
    if (model instanceof RoundChooser) {
      // Other random numbers than those of the head's model.
      const whole = model.choose(MAX_ROUND_RUNS + position, [given], this.#isKnown);
      if (whole !== null) {
        const fineTune = { sampler: whole.sampler, ...whole.detail };
        return { ...head, parameters: whole.parameters, detail: { ...head.detail, fineTune } };
      }
    }
    const parameters = this.#untried.nextSobol(given);
    if (parameters === null) return null;
    const why = model instanceof RoundChooser ? 'the model found no other new point' : model.why;
    return { ...head, parameters, detail: { ...head.detail, fineTune: { sampler: 'sobol', why } } };
  }

  #valuesOfHead(point: Parameters): Parameters {
    const names = this.#headNames.filter((name) => point[name] !== undefined);
    return Object.fromEntries(names.map((name) => [name, point[name] ?? 0]));
  }

  /** Returns the next point that no model has chosen: of the Sobol sequence, in the groups of the round if one is left, else a remaining one. */
  #untriedPoint(why: string, packed: readonly Parameters[]): Choice | null {
    const detail: ChoiceDetail = why === '' ? {} : { why };
    const given = packed[this.#runs.length % Math.max(1, packed.length)] ?? {};
    const point = this.#untried.nextSobol(given) ?? (packed.length === 0 ? null : this.#untried.nextSobol({}));
    if (point !== null) return { parameters: point, sampler: 'sobol', detail };
    const remaining = this.#untried.nextRemaining();
    return remaining === null ? null : { parameters: remaining, sampler: 'remaining', detail };
  }
}

/** Returns whether a position is one of the Sobol points that are spread over a round. */
function isExplored(position: number, explore: number): boolean {
  return Math.floor((position + 1) * explore + 1e-9) > Math.floor(position * explore + 1e-9);
}

/** Returns whether a dimension is of fine-tuning, or exists beside some values of it only. */
function dependsOnFineTuning(spec: SweepSpec, { name, conditions }: SweepSpec['parameters'][number]): boolean {
  const varied = new Set(spec.parameters.map((one) => one.name));
  return isOfFineTuning(name) || conditions.some((one) => varied.has(one.name) && isOfFineTuning(one.name));
}
