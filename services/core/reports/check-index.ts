import { SPLITS } from '../dataset.ts';
import type { ClassCount, Dataset } from '../dataset.ts';
import { datasetIdOf } from '../ids.ts';
import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { TaskResult, WeightsReference } from '../task.ts';
import { storableMistake } from './check-error.ts';
import { Mistakes } from './mistakes.ts';
import { SHA256, lineMistake, sha256Mistake, shown } from './text-rules.ts';

type IndexResult = Extract<TaskResult, { stage: 'INDEX' }>;

/** The request of the INDEX task. */
export interface IndexFacts {
  /** Path in the sweep's spec. */
  readonly path: string;
  readonly weights: readonly WeightsReference[];
}

const MAX_NAME = 255;
const MAX_CLASSES = 100_000;
const MAX_IMAGES = 2 ** 31 - 1;

/** Returns the URI of a data set's manifest in the artifact store. */
export function manifestUriOf(digest: string): string {
  return `datasets/${digest}.jsonl`;
}

/** Returns the mistakes in the result of INDEX. */
export function checkIndex(result: IndexResult, facts: IndexFacts): FieldViolation[] {
  const mistakes = new Mistakes();
  const { dataset, manifestUri } = result;
  const { digest, datasetId } = dataset;
  mistakes.add('index.dataset.digest', sha256Mistake(digest));
  if (datasetId !== datasetIdOf(digest)) {
    const description = `must be ${shown(datasetIdOf(digest))} for digest ${shown(digest)}; received ${shown(datasetId)}.`;
    mistakes.add('index.dataset.dataset_id', description);
  }
  if (manifestUri !== manifestUriOf(digest)) {
    mistakes.add('index.manifest_uri', `must be ${manifestUriOf(shown(digest))}; received ${shown(manifestUri)}.`);
  }
  // A relative path depends on the folder that a trainer was started in.
  const path = absolutePath(facts.path);
  if (path !== null && dataset.path !== path) {
    const description = `must be ${path}, as the sweep says; received ${shown(dataset.path)}.`;
    mistakes.add('index.dataset.path', description);
  }
  mistakes.add('index.dataset.path', storableMistake(dataset.path));
  checkClasses(dataset, mistakes);
  for (const [index, { path, message, fatal }] of dataset.problems.entries()) {
    const field = `index.dataset.problems[${index}]`;
    mistakes.add(`${field}.path`, storableMistake(path));
    mistakes.add(`${field}.message`, storableMistake(message));
    if (fatal) mistakes.add(`${field}.fatal`, 'must be false in a data set that can be used; received true.');
  }
  checkWeights(result, facts.weights, mistakes);
  return mistakes.list;
}

function checkClasses({ classNames, classCounts }: Dataset, mistakes: Mistakes): void {
  const names = new Set(classNames);
  if (classNames.length < 2 || classNames.length > MAX_CLASSES || names.size !== classNames.length) {
    const description = `must be 2 to ${MAX_CLASSES} names, each once; received ${classNames.length}, ${names.size} different ones.`;
    mistakes.add('index.dataset.class_names', description);
  }
  for (const [index, name] of classNames.entries()) {
    const field = `index.dataset.class_names[${index}]`;
    mistakes.add(field, name === '' ? 'must not be empty.' : lineMistake(name, MAX_NAME));
  }
  const seen = new Set<string>();
  for (const [index, count] of classCounts.entries()) {
    const { className, imageCount } = count;
    const field = `index.dataset.class_counts[${index}]`;
    const key = classKeyOf(count);
    if (!names.has(className) || seen.has(key)) {
      mistakes.add(field, `must be of each class and split once; received ${shown(key)}.`);
    }
    seen.add(key);
    mistakes.count(`${field}.image_count`, imageCount, 0, MAX_IMAGES);
  }
  if (seen.size < SPLITS.length * names.size) {
    const description = `must be of each class in ${SPLITS.join(', ')}; received ${seen.size}.`;
    mistakes.add('index.dataset.class_counts', description);
  }
}

function checkWeights(
  { weights, missingWeights }: Pick<IndexResult, 'weights' | 'missingWeights'>,
  asked: readonly WeightsReference[],
  mistakes: Mistakes,
): void {
  const wanted = new Set(asked.map(keyOf));
  const take = (field: string, reference: WeightsReference): void => {
    if (wanted.delete(keyOf(reference))) return;
    const { backbone, weights: name } = reference;
    const description = `must be weights that the task asks for, each once; received ${shown(backbone)}, ${shown(name)}.`;
    mistakes.add(`${field}.weights`, description);
  };
  for (const [index, info] of weights.entries()) {
    const field = `index.weights[${index}]`;
    take(field, info);
    mistakes.add(`${field}.digest`, SHA256.test(info.digest) ? null : sha256Mistake(info.digest));
  }
  for (const [index, missing] of missingWeights.entries()) {
    const field = `index.missing_weights[${index}]`;
    take(field, missing);
    mistakes.add(`${field}.reason`, missing.reason === '' ? 'must not be empty.' : storableMistake(missing.reason));
  }
  if (wanted.size > 0) {
    const fields = 'index.weights or index.missing_weights';
    mistakes.add('index.weights', `must be all that the task asks for, in ${fields}; ${wanted.size} are in neither.`);
  }
}

/** Returns the mistakes in a data set whose digest is known: the digest covers class names and images, so both must be the same. */
export function checkKnownContent(
  dataset: Pick<Dataset, 'datasetId' | 'classNames' | 'classCounts'>,
  known: Pick<Dataset, 'classNames' | 'classCounts'>,
): FieldViolation[] {
  const mistakes = new Mistakes();
  const { datasetId, classNames, classCounts } = dataset;
  const differsAt = Array.from({ length: Math.max(classNames.length, known.classNames.length) }).findIndex(
    (_, index) => classNames[index] !== known.classNames[index],
  );
  if (differsAt >= 0) {
    const [was, is] = [known.classNames, classNames].map((names) => {
      const name = names[differsAt];
      return name === undefined ? 'no class' : shown(name);
    });
    mistakes.add(
      `index.dataset.class_names[${differsAt}]`,
      `must be ${was}, as data set ${datasetId} has it; received ${is}.`,
    );
  }
  const counts = countsByClass(known.classCounts);
  for (const [index, count] of classCounts.entries()) {
    const was = counts.get(classKeyOf(count)) ?? 0;
    if (was === count.imageCount) continue;
    const description = `must be ${was}, as data set ${datasetId} has it; received ${count.imageCount}.`;
    mistakes.add(`index.dataset.class_counts[${index}].image_count`, description);
  }
  return mistakes.list;
}

function countsByClass(counts: readonly ClassCount[]): ReadonlyMap<string, number> {
  return new Map(counts.map((count) => [classKeyOf(count), count.imageCount]));
}

function classKeyOf({ split, className }: ClassCount): string {
  return `${split}/${className}`;
}

/** Returns a path without empty parts, `.` and `..`; null for a relative path. */
function absolutePath(path: string): string | null {
  if (!path.startsWith('/')) return null;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function keyOf({ backbone, weights }: WeightsReference): string {
  return JSON.stringify([backbone, weights]);
}
