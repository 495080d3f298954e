import type { Command } from 'commander';
import type { TagFlags } from '../actions/annotate.ts';
import type { ExplainFlags } from '../actions/explain-sweep.ts';
import type { StrictFlag } from '../actions/require-success.ts';
import type { ExtendFlags } from '../actions/extend-sweep.ts';
import { boundedRounds, boundedSeconds, confidence, positiveInteger, targetValue } from './parse-arguments.ts';
import type { DeleteFlags } from '../actions/steer-sweep.ts';
import type { ListSweepsFlags } from '../actions/show-sweeps.ts';
import type { PlanFlags, SubmitFlags } from '../actions/submit-sweep.ts';
import type { ListFlags } from '../terminal/list.ts';
import { addListOptions } from './list-options.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { REASON, REMOVE_TAGS, SWEEP_HANDLE } from './handles.ts';

const STRICT = ['--strict', 'exit with code 4 if any run failed or was infeasible'] as const;
const DATA = ['--data <dir>', 'folder of the images, which replaces dataset.path of the file'] as const;

const DELETE_HELP = `
A sweep that is active or paused must be cancelled first. A sweep is kept while runs of other sweeps refer to it (the refusal names
them) and while checkpoints of it are pinned. The images and what MLflow has are never deleted. This can't be undone.`;

const EXTEND_HELP = `
Every number is the new value, so that a repeated command changes nothing. Runs of the sweep keep their numbers and results. A run keeps
its parameters, so more epochs are runs of their own. A sweep that has ended continues, and its best run is tested if it never was. Runs
that its budget or the end of its search had stopped wait at their rungs again, or train on; a sweep whose budget is used up needs a larger
one in the same command.

  graft sweep extend latest --max-runs 60
  graft sweep extend latest --variant head.units=64,head.dropout=0.3 --variant head.units=256
  graft sweep extend latest --slot-seconds 2h --target none`;

/** Returns the values of an option that may be repeated. */
function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** `graft sweep …`. */
export function addSweepCommands(program: Command, context: CliContext): void {
  const sweep = program.command('sweep').description('submit, watch and steer sweeps');
  sweep
    .command('submit <file>')
    .description('submit the sweep that a YAML file describes; - reads it from standard input')
    .option(
      '--request-id <id>',
      'idempotency key: the same id with the same file returns the same sweep (default: random)',
    )
    .option(...DATA)
    .option('--remote-data', 'submit although the images or weight files are not on this machine, but on the trainers')
    .option('--watch', 'show progress until the sweep ends')
    .option(...STRICT)
    .action(async (file: string, flags: SubmitFlags, command: Command) => {
      const { submitSweep } = await import('../actions/submit-sweep.ts');
      await submitSweep(context, globalOptions(command), file, flags);
    });
  sweep
    .command('plan <file>')
    .description(
      'print the runs, tasks and expected cost of a sweep file (- for standard input), without submitting it',
    )
    .option(...DATA)
    .option(
      '--verbose',
      'list all runs, and all parameters that they have in common, including those at their defaults',
    )
    .action(async (file: string, flags: PlanFlags, command: Command) => {
      const { planSweep } = await import('../actions/submit-sweep.ts');
      await planSweep(context, globalOptions(command), file, flags);
    });
  sweep
    .command('watch')
    .argument('<sweep>', SWEEP_HANDLE)
    .description('show the progress of a sweep until it ends; Ctrl-C leaves it running')
    .option(...STRICT)
    .action(async (id: string, flags: StrictFlag, command: Command) => {
      const { watchSweep } = await import('../actions/watch-sweep.ts');
      await watchSweep(context, globalOptions(command), id, flags);
    });
  addListOptions(sweep.command('list'))
    .description('list all sweeps, latest first')
    .option('--tag <tag>', 'list only the sweeps with this tag')
    .action(async (flags: ListSweepsFlags, command: Command) => {
      const { listSweeps } = await import('../actions/show-sweeps.ts');
      await listSweeps(context, globalOptions(command), flags);
    });
  sweep
    .command('get')
    .argument('<sweep>', SWEEP_HANDLE)
    .description('print one sweep: state, best run, expected and measured time of its stages')
    .option(...STRICT)
    .action(async (id: string, flags: StrictFlag, command: Command) => {
      const { getSweep } = await import('../actions/show-sweeps.ts');
      await getSweep(context, globalOptions(command), id, flags);
    });
  sweep
    .command('explain')
    .argument('<sweep>', SWEEP_HANDLE)
    .option('--replay', 'recompute all decisions from the stored rows; exit with code 1 and list them if any differ')
    .option('--verbose', 'list all entries of each rung and all decisions')
    .description('explain the search of a sweep: its rungs, its decisions and their reasons')
    .action(async (id: string, flags: ExplainFlags, command: Command) => {
      const { explainSweep } = await import('../actions/explain-sweep.ts');
      await explainSweep(context, globalOptions(command), id, flags);
    });
  addListOptions(sweep.command('front'))
    .argument('<sweep>', SWEEP_HANDLE)
    .description('list the runs that no smaller one equals: the best value for each size of the model')
    .action(async (id: string, flags: ListFlags, command: Command) => {
      const { showFront } = await import('../actions/show-front.ts');
      await showFront(context, globalOptions(command), id, flags);
    });
  sweep
    .command('diff')
    .argument('<sweep>', SWEEP_HANDLE)
    .argument('<other>', 'sweep to compare it with')
    .description('print what differs between two sweeps: fields of their specifications, and results')
    .action(async (first: string, second: string, _flags: unknown, command: Command) => {
      const { diffSweeps } = await import('../actions/compare.ts');
      await diffSweeps(context, globalOptions(command), [first, second]);
    });
  sweep
    .command('rename')
    .argument('<sweep>', SWEEP_HANDLE)
    .argument('<name>', 'new name')
    .description('change the name of a sweep')
    .action(async (handle: string, displayName: string, _flags: unknown, command: Command) => {
      const { updateSweep } = await import('../actions/annotate.ts');
      await updateSweep(context, globalOptions(command), handle, { displayName });
    });
  sweep
    .command('note')
    .argument('<sweep>', SWEEP_HANDLE)
    .argument('<text>', 'notes, which replace those of before; an empty string removes them')
    .description('write notes on a sweep')
    .action(async (handle: string, notes: string, _flags: unknown, command: Command) => {
      const { updateSweep } = await import('../actions/annotate.ts');
      await updateSweep(context, globalOptions(command), handle, { notes });
    });
  sweep
    .command('tag')
    .argument('<sweep>', SWEEP_HANDLE)
    .argument('[tags...]', 'tags to add')
    .option(...REMOVE_TAGS)
    .description('add tags to a sweep, or remove them; `graft sweep list --tag` finds them')
    .action(async (handle: string, tags: string[], flags: TagFlags, command: Command) => {
      const { updateSweep, tagChange } = await import('../actions/annotate.ts');
      await updateSweep(context, globalOptions(command), handle, tagChange(tags, flags));
    });
  sweep
    .command('priority')
    .argument('<sweep>', SWEEP_HANDLE)
    .argument('<priority>', 'integer from -1000 to 1000; 0 is usual')
    .description('change the priority of a sweep: a higher one gets slots first, and pauses runs of lower sweeps')
    .action(async (handle: string, priority: string, _flags: unknown, command: Command) => {
      const { priorityChange, updateSweep } = await import('../actions/annotate.ts');
      await updateSweep(context, globalOptions(command), handle, priorityChange(priority));
    });
  sweep
    .command('slots')
    .argument('<sweep>', SWEEP_HANDLE)
    .argument('<count>', 'maximum number of slots that work on it at once; all: no bound')
    .description('change how many slots may work on a sweep at once')
    .action(async (handle: string, count: string, _flags: unknown, command: Command) => {
      const { slotsChange, updateSweep } = await import('../actions/annotate.ts');
      await updateSweep(context, globalOptions(command), handle, slotsChange(count));
    });
  for (const [name, description] of [
    ['pause', 'lease no more tasks of a sweep; running tasks are saved and handed back'],
    ['resume', 'continue a paused sweep'],
    ['cancel', 'end a sweep; running tasks may save a checkpoint first'],
    ['kill', 'end a sweep at once; running tasks save nothing, and lose what they did since their last checkpoint'],
  ] as const) {
    const command = sweep.command(name).argument('<sweep>', SWEEP_HANDLE).description(description);
    if (name !== 'resume') command.option(...REASON);
    command.action(async (id: string, flags: { readonly reason?: string }) => {
      const { steerSweep } = await import('../actions/steer-sweep.ts');
      await steerSweep(context, globalOptions(command), name, id, flags.reason ?? '');
    });
  }
  sweep
    .command('extend')
    .argument('<sweep>', SWEEP_HANDLE)
    .description('add runs, epochs or budget to a sweep, while it runs or after its end')
    .option(
      '--max-runs <number>',
      'new bound on the number of runs; drawn runs continue the same sequence, gp and tpe ask for more rounds',
      positiveInteger,
    )
    .option('--variant <name=value,...>', 'parameters of a variant to add; repeat the option for another one', collect)
    .option('--epochs <number>', 'repeat every run with this number of epochs of its head', positiveInteger)
    .option(
      '--fine-tune-epochs <number>',
      'repeat every run with this number of epochs of fine-tuning',
      positiveInteger,
    )
    .option('--slot-seconds <duration>', 'new budget: seconds of all attempts, or 90m; none: no bound', boundedSeconds)
    .option(
      '--wall-time <duration>',
      'new budget: seconds since the first lease, or 2h, without the time since the end; none: no bound',
      boundedSeconds,
    )
    .option('--target <value>', 'new budget: value of the objective that ends the search; none: no target', targetValue)
    .option('--target-confidence <part>', 'confidence of a target of val_accuracy (default: 0.9)', confidence)
    .option(
      '--patience-rounds <number>',
      'new budget, of gp and tpe: rounds without a better run; none: no bound',
      boundedRounds,
    )
    .option(...REASON)
    .addHelpText('after', EXTEND_HELP)
    .action(async (id: string, flags: ExtendFlags, command: Command) => {
      const { extendSweep } = await import('../actions/extend-sweep.ts');
      await extendSweep(context, globalOptions(command), id, flags);
    });
  sweep
    .command('delete')
    .argument('<sweep>', SWEEP_HANDLE)
    .description('delete an ended sweep with its runs, checkpoints, and the features that no other sweep uses')
    .option('--dry-run', 'print what would be deleted, and delete nothing')
    .option('-y, --yes', 'delete without asking')
    .addHelpText('after', DELETE_HELP)
    .action(async (id: string, flags: DeleteFlags, command: Command) => {
      const { deleteSweep } = await import('../actions/steer-sweep.ts');
      await deleteSweep(context, globalOptions(command), id, flags);
    });
}
