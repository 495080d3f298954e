import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { InvalidRequestError } from '../../core/errors.ts';
import type { SweepPlanRecord } from '../../core/records/plan.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { countOf } from '../../core/text/count-of.ts';
import { kerasModelsDir } from '../../platform/paths.ts';
import { isLocalAddress } from '../../platform/net/loopback.ts';
import { parseAddresses } from '../../platform/rpc/client.ts';
import type { CreatedSweep, GraftClient } from '../client/client-port.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { countImages } from '../dataset/count-images.ts';
import type { FolderCount, NotCounted } from '../dataset/count-images.ts';
import { ignoredSections } from '../describe/ignored-text.ts';
import { describePlan } from '../describe/plan-text.ts';
import { describeMissingWeights } from '../sweep-file/local-weights.ts';
import { loadSweepFile } from '../sweep-file/parse-sweep-file.ts';
import { nameOf } from '../sweep-file/read-sweep-text.ts';
import { toYamlViolation } from '../sweep-file/yaml-path.ts';
import { ViolationsError } from '../terminal/cli-errors.ts';
import { say, writeResult } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { requireSuccess } from './require-success.ts';
import type { StrictFlag } from './require-success.ts';
import { watchToEnd } from './watch-sweep.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft sweep submit`. */
export interface SubmitFlags extends StrictFlag {
  readonly data?: string;
  readonly remoteData?: true;
  readonly requestId?: string;
  readonly watch?: true;
}

/** Flags of `graft sweep plan`. */
export interface PlanFlags {
  readonly data?: string;
  readonly verbose?: true;
}

/** `graft sweep submit`. */
export async function submitSweep(
  context: CliContext,
  options: GlobalOptions,
  file: string,
  flags: SubmitFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const spec = await loadSweepFile(file, context.cwd, {
      ...(flags.data === undefined ? {} : { data: flags.data }),
      stdin: context.stdin,
      requiresFiles: flags.remoteData !== true && isOnThisMachine(client),
    });
    const requestId = flags.requestId ?? randomUUID();
    const answer = await inYamlTerms(file, spec, () => client.createSweep(requestId, spec));
    const ignored = ignoredSections(spec, answer.sweep.spec, answer.sweep.sweepId);
    const created = { ...answer, notes: [...answer.notes, ...ignored] };
    if (flags.watch === undefined) {
      writeResult(context, options, created, () => describeSubmission(created));
      return;
    }
    say(context, describeSubmission(created));
    requireSuccess(await watchToEnd(context, options, client, created.sweep.sweepId), flags);
  });
}

/** `graft sweep plan`. */
export async function planSweep(
  context: CliContext,
  options: GlobalOptions,
  file: string,
  flags: PlanFlags,
): Promise<void> {
  const spec = await loadSweepFile(file, context.cwd, {
    ...(flags.data === undefined ? {} : { data: flags.data }),
    stdin: context.stdin,
  });
  await withClient(context, options, async (client) => {
    const first = await inYamlTerms(file, spec, () => client.planSweep(spec, null));
    const count = first.cost.imageCountsAssumed ? await countImages(spec.dataset) : null;
    const counts = typeof count === 'string' ? null : count;
    const counted =
      counts === null ? first : await inYamlTerms(file, spec, () => client.planSweep(spec, counts.counted));
    const plan = isOnThisMachine(client) ? withMissingWeights(context, counted) : counted;
    const note = { whyAssumed: whyAssumed(spec.dataset.path, count), isComplete: counts?.isComplete ?? true };
    writeResult(context, options, plan, () => describePlan(plan, note, flags.verbose === true));
  });
}

/** Adds which weights are not on this machine, where the trainers of a local coordinator look for them. */
function withMissingWeights({ paths, env }: CliContext, plan: SweepPlanRecord): SweepPlanRecord {
  const folders = { cacheDir: paths.cacheDir, kerasDir: kerasModelsDir(env) };
  const parameters = plan.runs.map((run) => run.parameters);
  return { ...plan, notes: [...plan.notes, ...describeMissingWeights(parameters, folders)] };
}

/** Returns the reason for which a plan has assumed numbers of images. */
function whyAssumed(folder: string, count: FolderCount | NotCounted | null): string {
  if (!existsSync(folder)) return `there is no folder ${folder} on this machine`;
  if (count === 'TOO_SLOW') return `listing ${folder} takes too long to count the images here`;
  return count === 'NO_IMAGES'
    ? `${folder} does not have images in the folders that a sweep reads; \`${GRAFT} dataset check\` lists the problems`
    : 'the coordinator is of an earlier version, which takes no counts';
}

/** Returns whether all addresses of the coordinator are on this machine: loopback or a local socket. */
function isOnThisMachine({ address }: GraftClient): boolean {
  return parseAddresses(address).every(isLocalAddress);
}

function describeSubmission({ sweep, duplicateCount, notes }: CreatedSweep): string {
  const left = duplicateCount === 0 ? '' : ` (left out ${duplicateCount} that would train the same as another)`;
  return [
    `Sweep ${sweep.sweepId} with ${countOf(sweep.runCount, 'run')}${left}.`,
    ...notes,
    `Watch it:  ${GRAFT} sweep watch ${sweep.sweepId}`,
  ].join('\n');
}

/** Rewrites the field paths of mistakes that the coordinator finds into paths of the sweep file. */
async function inYamlTerms<T>(file: string, spec: SweepSpec, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    throw new ViolationsError(
      nameOf(file),
      error.violations.map((violation) => toYamlViolation(violation, spec)),
      error.count,
    );
  }
}
