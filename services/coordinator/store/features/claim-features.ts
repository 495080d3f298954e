import type { KeyedFeatureSet } from '../../../core/planner/feature-set.ts';
import type { PlannedTask } from '../../../core/planner/plan.ts';
import { featureSetUri } from '../../../core/reports/check-features.ts';
import { cancelRemovals } from '../removals/file-removals.ts';
import type { StoreTransaction } from '../transaction.ts';
import { LIVE_TASKS } from '../state-sql.ts';

/** Source of a feature set in a plan. */
type Source = { readonly kind: 'stored' } | { readonly kind: 'maker'; readonly taskId: string };

/**
 * Adapts a plan to the feature sets of all sweeps: a stored set needs no task, a set that another active sweep computes becomes a
 * dependency, and the plan's own tasks compute the rest. Rows are locked in the order of their keys, so that a concurrent completion
 * either shows us the stored set or sees our dependency.
 */
export async function claimFeatures(tx: StoreTransaction, tasks: readonly PlannedTask[]): Promise<PlannedTask[]> {
  const owners = new Map<string, string>();
  for (const task of tasks) {
    if (task.stage === 'FEATURES') for (const { key } of task.featureSets) owners.set(key, task.taskId);
  }
  const sources = await claimSets(tx, distinctSets(tasks), owners);
  const kept = tasks.flatMap((task) => (task.stage === 'FEATURES' ? keepOwn(task, sources) : [task]));
  return kept.map((task) => (task.stage === 'FEATURES' ? task : waitForMakers(task, owners, sources)));
}

function distinctSets(tasks: readonly PlannedTask[]): KeyedFeatureSet[] {
  const sets = new Map(tasks.flatMap(({ featureSets }) => featureSets).map((set) => [set.key, set]));
  return [...sets.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function keepOwn(task: PlannedTask, sources: ReadonlyMap<string, Source>): PlannedTask[] {
  const own = task.featureSets.filter(({ key }) => {
    const source = sources.get(key);
    return source?.kind === 'maker' && source.taskId === task.taskId;
  });
  if (own.length === 0) return [];
  return own.length === task.featureSets.length ? [task] : [{ ...task, featureSets: own }];
}

function waitForMakers(
  task: PlannedTask,
  owners: ReadonlyMap<string, string>,
  sources: ReadonlyMap<string, Source>,
): PlannedTask {
  const planned = new Set(owners.values());
  const makers = task.featureSets.flatMap(({ key }) => {
    const source = sources.get(key);
    return source?.kind === 'maker' ? [source.taskId] : [];
  });
  const others = task.dependsOn.filter((taskId) => !planned.has(taskId));
  return { ...task, dependsOn: [...new Set([...others, ...makers])] };
}

async function claimSets(
  tx: StoreTransaction,
  sets: readonly KeyedFeatureSet[],
  owners: ReadonlyMap<string, string>,
): Promise<Map<string, Source>> {
  if (sets.length === 0) return new Map();
  const rows = await lockSets(tx, sets);
  await cancelRemovals(
    tx,
    sets.map(({ key }) => featureSetUri(key)),
  );
  const live = await findLiveMakers(tx, rows);
  const sources = new Map<string, Source>();
  for (const row of rows) {
    const maker = row.computed_by_task_id;
    const owner = owners.get(row.feature_key);
    if (row.state === 'COMPUTED') sources.set(row.feature_key, { kind: 'stored' });
    else if (maker !== null && live.has(maker)) sources.set(row.feature_key, { kind: 'maker', taskId: maker });
    else if (owner !== undefined) sources.set(row.feature_key, { kind: 'maker', taskId: owner });
  }
  await recordMakers(
    tx,
    [...sources].flatMap(([key, source]) => (source.kind === 'maker' ? [[key, source.taskId]] : [])),
  );
  return sources;
}

interface LockedSet {
  readonly feature_key: string;
  readonly state: string;
  readonly computed_by_task_id: string | null;
}

/** Inserts the missing rows and locks all. Repeats it when a deletion has removed one between the two statements. */
async function lockSets(tx: StoreTransaction, sets: readonly KeyedFeatureSet[]): Promise<LockedSet[]> {
  for (;;) {
    await tx.query(
      `INSERT INTO feature_sets (feature_key, dataset_digest, split, backbone, weights_digest, cut, image_size, pooling, dtype)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[])
       ON CONFLICT DO NOTHING`,
      [
        sets.map(({ key }) => key),
        sets.map(({ datasetDigest }) => datasetDigest),
        sets.map(({ split }) => split),
        sets.map(({ backbone }) => backbone),
        sets.map(({ weightsDigest }) => weightsDigest),
        sets.map(({ cut }) => cut),
        sets.map(({ imageSize }) => imageSize),
        sets.map(({ pooling }) => pooling),
        sets.map(({ dtype }) => dtype),
      ],
    );
    const { rows } = await tx.query<LockedSet>(
      `SELECT feature_key, state, computed_by_task_id FROM feature_sets
        WHERE feature_key = ANY($1) ORDER BY feature_key FOR NO KEY UPDATE`,
      [sets.map(({ key }) => key)],
    );
    if (rows.length === sets.length) return rows;
  }
}

/** Returns the tasks that are to compute these sets and have not ended. */
export async function findLiveMakers(
  tx: StoreTransaction,
  rows: readonly { readonly computed_by_task_id: string | null }[],
): Promise<Set<string>> {
  const makers = rows.map((row) => row.computed_by_task_id).filter((id) => id !== null);
  if (makers.length === 0) return new Set();
  const result = await tx.query<{ task_id: string }>(
    `SELECT t.task_id FROM tasks t JOIN sweeps s ON s.sweep_id = t.sweep_id
      WHERE t.task_id = ANY($1) AND s.state = 'ACTIVE' AND t.state IN ${LIVE_TASKS}`,
    [makers],
  );
  return new Set(result.rows.map(({ task_id }) => task_id));
}

/** Records which task computes each set, so that the next sweep can depend on it. */
export async function recordMakers(tx: StoreTransaction, makers: readonly (readonly string[])[]): Promise<void> {
  if (makers.length === 0) return;
  await tx.query(
    `UPDATE feature_sets f SET computed_by_task_id = m.task_id
       FROM unnest($1::text[], $2::text[]) AS m (feature_key, task_id)
      WHERE f.feature_key = m.feature_key AND f.state <> 'COMPUTED'`,
    [makers.map(([key]) => key), makers.map(([, taskId]) => taskId)],
  );
}
