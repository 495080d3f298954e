import { digestOf } from '../digest.ts';
import type { JsonValue } from '../digest.ts';
import type { Objective } from '../objective.ts';
import type { RunConfig } from '../run-config.ts';

/** Inputs of a training besides the run's configuration. */
export interface TrainingInputs {
  readonly objective: Objective;
  readonly datasetDigest: string;
  /** Digest of the backbone's weights. */
  readonly weightsDigest: string;
}

/** Identities of what a run trains: runs with the same digest, of whichever sweep, get the same numbers. */
export interface ResultDigests {
  /** SHA-256, hexadecimal, over all that determines the result of the run. */
  readonly result: string;
  /** The same over its head phase and the choice of the head's best epoch; null: it has no head phase. */
  readonly head: string | null;
}

/**
 * Returns the digests of a run's result and of its head. The weights count by their content, not by their name or path. The objective
 * counts where it steers training: in early stopping, and in the choice of the head's epoch that fine-tuning starts from.
 */
export function resultDigestsOf(config: RunConfig, inputs: TrainingInputs): ResultDigests {
  const { objective, datasetDigest, weightsDigest } = inputs;
  const { name, cut } = config.backbone;
  const identify = (trained: RunConfig, steers: boolean): string =>
    digestOf({
      config: { ...trained, backbone: { name, cut } },
      objective: steers ? objective : null,
      datasetDigest,
      weightsDigest,
    } as unknown as JsonValue);
  const hasHead = config.epochs > 0;
  const stopsEarly = [config, config.fineTune].some((phase) => (phase?.earlyStopping ?? null) !== null);
  return {
    result: identify(config, stopsEarly || (hasHead && config.fineTune !== null)),
    head: hasHead ? identify({ ...config, fineTune: null }, true) : null,
  };
}
