import { statSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { countImages } from '../../core/dataset.ts';
import type { Dataset } from '../../core/dataset.ts';
import { previewSweep } from '../../core/planner/preview-sweep.ts';
import type { SweepPlanRecord } from '../../core/records/plan.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { isTerminalSweepState } from '../../core/states/sweep-state.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { countOf } from '../../core/text/count-of.ts';
import { kerasModelsDir } from '../../platform/paths.ts';
import { findBases } from '../auto/auto-bases.ts';
import { AutoMemory } from '../auto/auto-memory.ts';
import type { AutoKey, UnfinishedSearch } from '../auto/auto-memory.ts';
import type { AutoRequest } from '../auto/auto-spec.ts';
import { chooseSearch } from '../auto/choose-scale.ts';
import type { ChosenSearch } from '../auto/choose-scale.ts';
import { localSlots } from '../auto/local-slots.ts';
import { readSource } from '../auto/read-source.ts';
import type { GraftClient } from '../client/client-port.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeAuto, describeSeconds } from '../describe/auto-text.ts';
import { followOwn } from '../progress/follow-own.ts';
import { writeReport } from '../report/write-report.ts';
import { writeSweepFile } from '../sweep-file/write-sweep-file.ts';
import { CliError, MissingError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { prepareOutputFile } from '../terminal/output-file.ts';
import { say, writeResult } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { quoted } from '../terminal/quoted.ts';
import { describeDataset, describeProblems, inspectDataset } from './check-dataset.ts';
import { exportModel } from './export-checkpoint.ts';
import { findOrStartCluster, hasGpu, usualTrainers } from './find-cluster.ts';
import { stopCluster } from './run-cluster.ts';
import type { ClusterFlags } from './run-cluster.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft auto`. */
export interface AutoFlags extends ClusterFlags {
  readonly minutes: number;
  readonly print?: true;
  readonly out?: string;
}

/** Files of a search. */
interface AutoFiles {
  readonly sweepFile: string;
  readonly report: string;
  readonly model: string;
}

/** `graft auto`. */
export async function runAuto(
  context: CliContext,
  options: GlobalOptions,
  folder: string,
  flags: AutoFlags,
): Promise<void> {
  const path = resolve(context.cwd, folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new MissingError(`There is no folder ${path}. Name the folder of your images.`);
  }
  const named = [options.coordinator, context.env['GRAFT_COORDINATOR']].find((address) => (address ?? '') !== '');
  const key = { path, minutes: flags.minutes, coordinator: named ?? null };
  const memory = new AutoMemory(join(context.paths.stateDir, 'auto.json'));
  const unfinished = flags.print === true ? null : memory.find(key);
  const request = unfinished === null ? await prepare(context, path, flags) : null;
  if (flags.print === true && request !== null) {
    await printSweepFile(context, request, flags);
    return;
  }
  const out = resolve(context.cwd, flags.out ?? `graft-${basename(path)}`);
  const files = {
    sweepFile: join(out, 'sweep.yaml'),
    report: join(out, 'report.html'),
    model: join(out, 'model.keras'),
  };
  // Before anything is spent.
  for (const file of Object.values(files)) await prepareOutputFile(file, '--out');
  const cluster = named === undefined ? await findOrStartCluster(context, flags) : null;
  const own = cluster?.own ?? null;
  try {
    await withClient(context, options, async (client) => {
      const search = { context, options, client, memory, key, files, command: commandOf(folder, flags) };
      await runSearch(search, { unfinished, request, isOwn: own !== null });
    });
  } finally {
    if (own !== null) await stopCluster(context, own);
  }
}

function commandOf(folder: string, { minutes, out }: AutoFlags): string {
  return `${GRAFT} auto ${quoted(folder)} --minutes ${minutes}${out === undefined ? '' : ` --out ${quoted(out)}`}`;
}

/** A request with the data set that was checked for it. */
interface PreparedRequest extends AutoRequest {
  readonly checked: Dataset;
}

/** Checks the images, and finds the bases that can be used. @throws CliError for a data set that can't be trained on */
async function prepare(context: CliContext, path: string, { minutes }: AutoFlags): Promise<PreparedRequest> {
  const dataset = readSource(path);
  const { found, invalid } = await inspectDataset(context, dataset);
  if (found === null) {
    if (invalid !== null) say(context, describeProblems(invalid, path));
    throw new CliError(`${path} can't be trained on.`, EXIT.usage);
  }
  say(context, `${describeDataset(found, path)}\n`);
  const { paths, env, signal } = context;
  const bases = await findBases({ cacheDir: paths.cacheDir, kerasDir: kerasModelsDir(env) }, signal);
  if (bases.names.length === 0) {
    throw new CliError(
      `No base has its weights on this machine. \`npm run setup\` brings those of efficientnet_lite0; others are found in ${kerasModelsDir(env)}.`,
      EXIT.notFound,
    );
  }
  const downloads = bases.downloaded.length === 0 ? '' : ` (a trainer downloads ${bases.downloaded.join(', ')})`;
  say(context, `Bases with weights: ${bases.names.join(', ')}${downloads}.`);
  return { displayName: `auto: ${basename(path)}`, dataset, bases: bases.names, minutes, checked: found };
}

/** `--print`: writes the sweep file of the search to standard output, by a forecast for this machine. */
async function printSweepFile(context: CliContext, request: PreparedRequest, flags: AutoFlags): Promise<void> {
  const { classCounts, classNames } = request.checked;
  const images = { source: 'counted', imageCounts: countImages(classCounts), classCount: classNames.length } as const;
  const slots = localSlots(flags.trainers ?? usualTrainers(), hasGpu());
  const chosen = await chooseSearch(request, (spec) => Promise.resolve(previewSweep(spec, slots, images)));
  say(context, describeChoice(chosen, flags.minutes));
  context.stdout.write(writeSweepFile(chosen.spec));
}

interface AutoSearch {
  readonly context: CliContext;
  readonly options: GlobalOptions;
  readonly client: GraftClient;
  readonly memory: AutoMemory;
  readonly key: AutoKey;
  readonly files: AutoFiles;
  /** The command that continues the search. */
  readonly command: string;
}

interface SearchStart {
  /** An interrupted search; null: a new one. */
  readonly unfinished: UnfinishedSearch | null;
  /** Null where a search is continued. */
  readonly request: PreparedRequest | null;
  /** The cluster was started for this call, so that nothing was trained since an interruption. */
  readonly isOwn: boolean;
}

/** Submits the search, or continues it, follows it to its end, and writes its files. */
async function runSearch(search: AutoSearch, { unfinished, request, isOwn }: SearchStart): Promise<void> {
  const { context, options, client, memory, key, files } = search;
  const chosen = request === null ? null : await chooseSearch(request, planner(client, request));
  if (chosen !== null) say(context, describeChoice(chosen, key.minutes));
  const known = unfinished ?? (chosen === null ? null : memory.add(key, chosen.spec));
  if (known === null) throw new RangeError('There is neither a request nor an unfinished search.');
  writeFileSync(files.sweepFile, writeSweepFile(known.spec));
  const { sweep } = await client.createSweep(known.requestId, known.spec);
  const what = `Sweep ${sweep.sweepId} with ${countOf(sweep.runCount, 'run')}`;
  say(context, unfinished === null ? `${what}: ${files.sweepFile}\n` : `${what} continues.\n`);
  if (sweep.state === 'PAUSED') await client.resumeSweep(sweep.sweepId);
  if (unfinished !== null && isOwn) await restoreTime(client, sweep, unfinished);
  const began = performance.now();
  const ended = await followOwn(progressContext(context, options), client, sweep.sweepId, {
    hint: `Ctrl-C stops in order and loses nothing.`,
    interrupted: (sweepId) => {
      const usedSeconds = known.usedSeconds + (performance.now() - began) / 1_000;
      memory.update(key, { ...known, usedSeconds });
      return isOwn
        ? `Interrupted; nothing is lost. The same command continues sweep ${sweepId}:  ${search.command}`
        : `Sweep ${sweepId} continues at ${client.address}. The same command shows it again:  ${search.command}`;
    },
    paused: 'The same command resumes it',
  });
  memory.forget(key);
  if (ended.state !== 'SUCCEEDED') {
    const reason = ended.stateReason === '' ? '' : `: ${ended.stateReason}`;
    throw new CliError(`Sweep ${ended.sweepId} ended ${ended.state}${reason}`, EXIT.incomplete);
  }
  await writeResults(search, ended, chosen);
}

/** Returns where progress is shown: not among the JSON of a result. */
function progressContext(context: CliContext, { output }: GlobalOptions): CliContext {
  return output === 'json' ? { ...context, stdout: context.stderr } : context;
}

function planner(client: GraftClient, { checked }: PreparedRequest): (spec: SweepSpec) => Promise<SweepPlanRecord> {
  const { train, validation, test } = countImages(checked.classCounts);
  const counted = {
    trainImageCount: train,
    validationImageCount: validation,
    testImageCount: test,
    classCount: checked.classNames.length,
  };
  return (spec) => client.planSweep(spec, counted);
}

/** Least part of the time that a continued search has. */
const LEAST_PART = 0.2;

/** Moves the bound on the time of an interrupted search by the time in which nothing ran. */
async function restoreTime(
  client: GraftClient,
  sweep: SweepRecord,
  { spec, usedSeconds }: UnfinishedSearch,
): Promise<void> {
  const limit = spec.budget?.wallSeconds ?? null;
  const hasEnded = isTerminalSweepState(sweep.state) || (sweep.searchEnd !== null && sweep.searchEnd !== 'WALL_TIME');
  if (limit === null || sweep.startTime === null || hasEnded) return;
  const elapsed = (Date.now() - sweep.startTime.getTime()) / 1_000;
  const wallSeconds = Math.ceil(elapsed + Math.max(LEAST_PART * limit, limit - usedSeconds));
  if (wallSeconds <= (sweep.budget?.wallSeconds ?? 0)) return;
  const unchanged = { maxRuns: null, variants: [], epochs: null, fineTuneEpochs: null };
  await client.extendSweep(sweep.sweepId, { ...unchanged, budget: { wallSeconds } }, 'continued after an interruption');
}

async function writeResults(search: AutoSearch, ended: SweepRecord, chosen: ChosenSearch | null): Promise<void> {
  const { context, options, client, files } = search;
  const { sweepId } = ended;
  say(context, '\nWriting the report and the model …');
  const { leaderboard, front } = await writeReport(client, sweepId, files.report, context.signal);
  const hasModel = leaderboard.entries.some(({ testResult }) => testResult !== null);
  if (hasModel) await exportModel(context, options, sweepId, { out: files.model, force: true });
  const forecast =
    chosen === null ? null : { wallSeconds: chosen.wallSeconds, slotSecondsAlone: chosen.plan.cost.slotSecondsAlone };
  const outcome = describeAuto(ended, leaderboard, front, forecast);
  const result = {
    sweepId,
    state: ended.state,
    bestRunId: ended.bestRunId,
    ...files,
    model: hasModel ? files.model : null,
  };
  writeResult(context, options, result, () =>
    [
      '',
      ...outcome,
      '',
      `Sweep file  ${shown(context, files.sweepFile)}`,
      `Report      ${shown(context, files.report)}`,
      ...(hasModel ? [`Model       ${shown(context, files.model)}`] : []),
      '',
      `More of it, while \`${GRAFT} up\` runs:  ${GRAFT} leaderboard ${sweepId} · ${GRAFT} sweep front ${sweepId} · ${GRAFT} sweep explain ${sweepId}`,
      `Another search:  edit the sweep file, then ${GRAFT} sweep submit ${quoted(shown(context, files.sweepFile))}`,
    ].join('\n'),
  );
}

/** Returns a path relative to the current folder, where it lies in it. */
function shown({ cwd }: CliContext, path: string): string {
  const inside = relative(cwd, path);
  return inside.startsWith('..') ? path : inside;
}

/** Says what will be searched, and how long that takes. */
function describeChoice({ spec, plan, wallSeconds, fits }: ChosenSearch, minutes: number): string {
  const bases = spec.parameters.find(({ name }) => name === 'backbone')?.domain;
  const names = bases?.kind === 'values' ? bases.values.join(', ') : String(spec.base['backbone']);
  const tuned =
    spec.base['fine_tune.enabled'] === true
      ? `, the best of them fine-tuned for up to ${countOf(Number(spec.base['fine_tune.epochs']), 'epoch')}`
      : '';
  const budget = countOf(minutes, 'minute');
  return [
    `${countOf(plan.runs.length, 'head')} on ${names} with images of ${String(spec.base['image_size'])} pixels${tuned}; the winner is tested once.`,
    fits
      ? `Forecast ${describeSeconds(wallSeconds)} of the ${budget}.`
      : `Even this smallest search takes ${describeSeconds(wallSeconds)} by the forecast; it ends after ${budget} with what it has.`,
  ].join('\n');
}
