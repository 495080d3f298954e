import { checkpointUri } from '../../core/checkpoint-uri.ts';
import type { CheckpointKind, CheckpointRef } from '../../core/task.ts';
import type { ArtifactStore } from '../../platform/artifacts/artifact-store.ts';
import { inSpan } from '../../platform/telemetry/tracer.ts';
import type { NamedTensor } from '../checkpoints/safetensors.ts';
import { encodeTrainingCheckpoint } from '../checkpoints/training-checkpoint.ts';
import type { TrainingState } from '../checkpoints/training-checkpoint.ts';
import type { ImageResults } from '../checkpoints/image-results.ts';
import type { Member } from './member.ts';
import type { TaskLink } from './task-link.ts';

/** Maximum share of the time that saving may take. */
const SAVE_TIME_SHARE = 0.1;

/**
 * Saves members of a group. For each member, the best epoch is saved first, if it changed, and then the latest state. So a
 * reader of the latest state always finds the best epoch to which it refers.
 */
export class CheckpointWriter {
  readonly #artifacts: ArtifactStore;
  readonly #link: TaskLink;
  readonly #leaseEpoch: number;
  readonly #intervalMs: number;
  readonly #savedAt = new Map<string, string>();
  #nextSaveMs: number;

  /**
   * @param leaseEpoch part of the file names, so that attempts never overwrite one another's files.
   * @param intervalSeconds minimum time between two periodic saves.
   */
  constructor(artifacts: ArtifactStore, link: TaskLink, leaseEpoch: number, intervalSeconds: number) {
    this.#artifacts = artifacts;
    this.#link = link;
    this.#leaseEpoch = leaseEpoch;
    this.#intervalMs = intervalSeconds * 1000;
    this.#nextSaveMs = performance.now() + this.#intervalMs;
  }

  /** Records that a member is at the position at which it was saved. */
  resumed(member: Member): void {
    this.#savedAt.set(member.runId, positionOf(member));
  }

  /** Saves every member whose position changed since its last save. */
  async save(members: readonly Member[]): Promise<void> {
    for (const member of members) await this.#saveMember(member);
  }

  /** Saves if the interval since the last save has elapsed. */
  async saveIfDue(members: readonly Member[]): Promise<void> {
    const start = performance.now();
    if (start < this.#nextSaveMs) return;
    await this.save(members);
    const end = performance.now();
    this.#nextSaveMs = end + Math.max(this.#intervalMs, (end - start) / SAVE_TIME_SHARE);
  }

  async #saveMember(member: Member): Promise<void> {
    const position = positionOf(member);
    if (this.#savedAt.get(member.runId) === position) return;
    const best = member.unsavedBest();
    if (best !== null) member.bestWasSaved(await this.#write('BEST', best.state, best.trained, [], null));
    const last = member.snapshot();
    await this.#write('LAST', last.state, last.trained, last.optimizerSlots, last.bestResults);
    this.#savedAt.set(member.runId, position);
  }

  async #write(
    kind: CheckpointKind,
    state: TrainingState,
    trained: readonly NamedTensor[],
    optimizerSlots: readonly NamedTensor[],
    bestResults: ImageResults | null,
  ): Promise<CheckpointRef> {
    const { runId, stage, epoch } = state;
    const uri = checkpointUri({ runId, stage, epoch, kind, leaseEpoch: this.#leaseEpoch }, state.stepInEpoch);
    const parts = encodeTrainingCheckpoint(state, trained, optimizerSlots, bestResults);
    const attributes = { 'graft.run_id': runId, 'graft.epoch': epoch, 'graft.checkpoint_kind': kind };
    const { sha256, sizeBytes } = await inSpan('write checkpoint', { attributes }, () =>
      this.#artifacts.writeStream(uri, parts),
    );
    const value = kind === 'BEST' ? (state.best?.value ?? null) : state.lastValue;
    const checkpoint = { checkpointId: '', runId, stage, epoch, kind, uri, sha256, sizeBytes, value };
    this.#link.emit({ type: 'checkpoint', taskId: this.#link.taskId, checkpoint });
    return checkpoint;
  }
}

function positionOf(member: Member): string {
  return `${member.epoch}/${member.stepInEpoch}`;
}
