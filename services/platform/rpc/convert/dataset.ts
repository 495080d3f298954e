import type { Dataset, DatasetProblem, DatasetProblemCode, Split } from '../../../core/dataset.ts';
import type { DatasetRecord } from '../../../core/records/dataset.ts';
import type { DatasetSource } from '../../../core/sweep/sweep-spec.ts';
import { Split as ProtoSplit } from '../../../../proto/gen/graft/v1/dataset.ts';
import type * as proto from '../../../../proto/gen/graft/v1/dataset.ts';
import { lowerCaseEnum } from './enum-codec.ts';
import { Violations, numberOr, requireMessage } from './fields.ts';

export const splits = lowerCaseEnum<Split, typeof ProtoSplit>(ProtoSplit);

/** The closed list of codes as keys, so that the compiler checks its completeness. */
const PROBLEM_CODES: Readonly<Record<DatasetProblemCode, true>> = {
  CORRUPT_IMAGE: true,
  EMPTY_CLASS: true,
  MISSING_SPLIT: true,
  CLASS_MISSING: true,
  EXACT_DUPLICATE: true,
  NEAR_DUPLICATE: true,
  UNSUPPORTED_FORMAT: true,
  TOO_FEW_IMAGES: true,
  UNREADABLE: true,
  IMAGE_TOO_LARGE: true,
  BLANK_IMAGE: true,
  SIMILAR_CLASSES: true,
  LEFT_OUT: true,
};

export function datasetSourceToProto(source: DatasetSource): proto.DatasetSource {
  const { path, splitFractions, allowDuplicates, skipBadFiles, strict = false } = source;
  return {
    path,
    splitFractions: splitFractions === null ? undefined : { ...splitFractions, seed: BigInt(splitFractions.seed) },
    allowDuplicates,
    skipBadFiles,
    strict,
  };
}

/** Reads a source. An absent one gets an empty path, which `core/validation` refuses by the path's own name. */
export function readDatasetSource(
  message: proto.DatasetSource | undefined,
  field: string,
  violations: Violations,
): DatasetSource {
  const fractions = message?.splitFractions;
  return {
    path: message?.path ?? '',
    splitFractions: fractions
      ? {
          train: fractions.train,
          validation: fractions.validation,
          test: fractions.test,
          seed: numberOr(fractions.seed, `${field}.split_fractions.seed`, violations),
        }
      : null,
    allowDuplicates: message?.allowDuplicates ?? false,
    skipBadFiles: message?.skipBadFiles ?? false,
    // Omitted when false: digests of specs from before `strict` existed must not change.
    ...(message?.strict === true ? { strict: true } : {}),
  };
}

/** @throws InvalidRequestError if it is absent or has a number that is not exact. */
export function datasetSourceFromProto(message: proto.DatasetSource | undefined, field: string): DatasetSource {
  const violations = new Violations();
  const source = readDatasetSource(requireMessage(message, field), field, violations);
  violations.throwIfAny();
  return source;
}

/** Converts a data set to its message; one that was not stored yet has no `createTime`. */
export function datasetToProto(dataset: Dataset | DatasetRecord): proto.Dataset {
  return {
    createTime: undefined,
    ...dataset,
    classNames: [...dataset.classNames],
    classCounts: dataset.classCounts.map((count) => ({ ...count, split: splits.toProto(count.split) })),
    problems: dataset.problems.map(datasetProblemToProto),
  };
}

/** @throws InvalidRequestError naming the field. */
export function datasetFromProto(message: proto.Dataset, field: string): Dataset {
  return {
    datasetId: message.datasetId,
    path: message.path,
    digest: message.digest,
    classNames: message.classNames,
    classCounts: message.classCounts.map(({ split, className, imageCount }, index) => ({
      split: splits.fromProto(split, `${field}.class_counts[${index}].split`),
      className,
      imageCount,
    })),
    problems: message.problems.map((problem, index) => datasetProblemFromProto(problem, `${field}.problems[${index}]`)),
  };
}

export function datasetProblemToProto(problem: DatasetProblem): proto.DatasetProblem {
  const { code, path, message, fatal, count = 0 } = problem;
  return { code, path, message, fatal, count };
}

/** @throws InvalidRequestError for an unknown code. */
export function datasetProblemFromProto(message: proto.DatasetProblem, field: string): DatasetProblem {
  const violations = new Violations();
  if (!isProblemCode(message.code)) {
    violations.add(
      `${field}.code`,
      `must be one of ${Object.keys(PROBLEM_CODES).join(', ')}; received '${message.code}'.`,
    );
  }
  violations.throwIfAny();
  return {
    code: message.code as DatasetProblemCode,
    path: message.path,
    message: message.message,
    fatal: message.fatal,
    ...(message.count > 0 ? { count: message.count } : {}),
  };
}

function isProblemCode(code: string): code is DatasetProblemCode {
  return Object.hasOwn(PROBLEM_CODES, code);
}
