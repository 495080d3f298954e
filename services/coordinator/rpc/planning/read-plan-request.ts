import { createHash } from 'node:crypto';
import { DatasetSource as ProtoDatasetSource } from '../../../../proto/gen/graft/v1/dataset.ts';
import { CountedImages } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { KnownImages } from '../../../core/planner/preview-sweep.ts';
import type { DatasetSource } from '../../../core/sweep/sweep-spec.ts';
import { readDatasetSource } from '../../../platform/rpc/convert/dataset.ts';
import { Violations } from '../../../platform/rpc/convert/fields.ts';
import { WireCursor } from '../../../platform/rpc/limits/wire-cursor.ts';
import { PLAN_INPUTS } from './plan-inputs.ts';

const SPEC_FIELD = 1;
const PAGE_SIZE_FIELD = 2;
const PAGE_TOKEN_FIELD = 3;
const COUNTED_IMAGES_FIELD = 4;
const DATASET_FIELD_OF_SPEC = 2;
const LENGTH_DELIMITED = 2;

/** The parts of a PlanSweepRequest that the event loop needs. The spec is decoded by the thread that plans it. */
export interface PlanRequest {
  /** Encoded SweepSpec; null: the request has none. */
  readonly spec: Uint8Array | null;
  /** SHA-256 of the encoded spec, hexadecimal. */
  readonly specDigest: string;
  /** null: missing or invalid. */
  readonly dataset: DatasetSource | null;
  /** null: the client counted none. */
  readonly counted: KnownImages | null;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Reads a PlanSweepRequest. @param bytes that passed the request limits */
export function readPlanRequest(bytes: Uint8Array): PlanRequest {
  const fields = lastValues(bytes);
  const spec = bytesOf(fields.get(SPEC_FIELD));
  const token = bytesOf(fields.get(PAGE_TOKEN_FIELD));
  const pageSize = fields.get(PAGE_SIZE_FIELD);
  return {
    spec,
    specDigest: createHash('sha256')
      .update(spec ?? Buffer.alloc(0))
      .digest('hex'),
    dataset: spec && datasetOf(spec),
    counted: countedOf(bytesOf(fields.get(COUNTED_IMAGES_FIELD))),
    pageSize: typeof pageSize === 'number' ? pageSize : 0,
    pageToken: token === null ? '' : Buffer.from(token).toString('utf8'),
  };
}

function datasetOf(spec: Uint8Array): DatasetSource | null {
  const bytes = bytesOf(lastValues(spec).get(DATASET_FIELD_OF_SPEC));
  if (bytes === null) return null;
  const violations = new Violations();
  const source = readDatasetSource(ProtoDatasetSource.decode(bytes), 'dataset', violations);
  return violations.violations.length === 0 ? source : null;
}

function countedOf(bytes: Uint8Array | null): KnownImages | null {
  if (bytes === null) return null;
  const { trainImageCount, validationImageCount, testImageCount, classCount } = CountedImages.decode(bytes);
  const counts = { train: trainImageCount, validation: validationImageCount, test: testImageCount };
  const images: KnownImages = { source: 'counted', imageCounts: counts, classCount };
  // Only a count that a sweep could train on is better than the assumption.
  const isUsable =
    Math.min(...Object.values(counts)) > 0 && classCount > 1 && PLAN_INPUTS.shape.images.safeParse(images).success;
  return isUsable ? images : null;
}

function bytesOf(value: number | Uint8Array | undefined): Uint8Array | null {
  return value instanceof Uint8Array ? value : null;
}

/** Returns the fields of a message by number, integers as int32. As in every parser, the last value of a repeated field counts. */
function lastValues(bytes: Uint8Array): ReadonlyMap<number, number | Uint8Array> {
  const cursor = new WireCursor(bytes);
  const values = new Map<number, number | Uint8Array>();
  while (cursor.position < bytes.length) {
    const tag = cursor.varint().low;
    if ((tag & 7) === LENGTH_DELIMITED) {
      const end = cursor.endOfField(bytes.length);
      values.set(tag >>> 3, bytes.subarray(cursor.position, end));
      cursor.position = end;
    } else if ((tag & 7) === 0) values.set(tag >>> 3, cursor.varint().low | 0);
    else cursor.skip(tag & 7, bytes.length);
  }
  return values;
}
