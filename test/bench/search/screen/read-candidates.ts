import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import type { ManifestImage, Split } from '../../../../services/core/dataset.ts';
import type { FeatureRows } from '../../../../services/core/statistics/spectrum.ts';
import { decodeManifest } from '../../../../services/trainer/data/manifest.ts';
import type { IndexedDataset } from '../../../../services/trainer/data/manifest.ts';
import { readSafetensorsHeader } from '../../../../services/trainer/checkpoints/safetensors.ts';

/** A candidate as two sweeps have measured it: one that screened, and one that trained all. */
export interface MeasuredCandidate {
  readonly backbone: string;
  readonly imageSize: number;
  /** Mean best validation accuracy of its heads. */
  readonly accuracy: number;
  /** Result of its probe. */
  readonly probeAccuracy: number;
  readonly logMe: number;
  /** Seconds of the attempts that probed it, and that computed its features of all images. */
  readonly probeSeconds: number;
  readonly featureSeconds: number;
  /** Returns its stored features of some images. */
  readonly rowsOf: (images: readonly ManifestImage[]) => FeatureRows;
}

/** Reads the only data set of a cluster. */
export async function readImages(pool: pg.Pool, stateDir: string): Promise<IndexedDataset> {
  const { rows } = await pool.query<{ manifest_uri: string }>('SELECT manifest_uri FROM datasets');
  const uri = rows[0]?.manifest_uri ?? '';
  return decodeManifest(uri, readFileSync(join(stateDir, 'artifacts', uri)));
}

interface Row {
  readonly backbone: string;
  readonly image_size: number;
  readonly accuracy: number;
  readonly probe_accuracy: number;
  readonly log_me: number;
  readonly probe_seconds: number;
  readonly feature_seconds: number;
  readonly train_uri: string;
  readonly validation_uri: string;
}

/** @param sweepIds the sweep that screened, and the exhaustive one. */
export async function readCandidates(
  pool: pg.Pool,
  stateDir: string,
  sweepIds: readonly [string, string],
): Promise<readonly MeasuredCandidate[]> {
  const seconds = `(SELECT sum(extract(epoch FROM a.end_time - a.create_time))::float8 FROM attempts a WHERE a.task_id =`;
  const { rows } = await pool.query<Row>(
    `SELECT p.backbone, p.image_size, p.log_me,
            p.correct_count::float8 / (p.train_image_count + p.validation_image_count) AS probe_accuracy,
            (SELECT avg(r.best_val_accuracy) FROM runs r
              WHERE r.sweep_id = $2 AND r.parameters ->> 'backbone' = p.backbone
                AND (r.parameters ->> 'image_size')::int = p.image_size) AS accuracy,
            ${seconds} p.task_id) AS probe_seconds, ${seconds} f.computed_by_task_id) AS feature_seconds,
            f.uri AS train_uri, v.uri AS validation_uri
       FROM probes p
       JOIN feature_sets f ON f.backbone = p.backbone AND f.image_size = p.image_size AND f.split = 'train'
       JOIN feature_sets v ON v.backbone = p.backbone AND v.image_size = p.image_size AND v.split = 'validation'
      WHERE p.sweep_id = $1 ORDER BY p.position`,
    [...sweepIds],
  );
  const indexed = await readImages(pool, stateDir);
  return Promise.all(
    rows.map(async (row): Promise<MeasuredCandidate> => {
      const features = {
        train: await readFeatures(join(stateDir, 'artifacts', row.train_uri)),
        validation: await readFeatures(join(stateDir, 'artifacts', row.validation_uri)),
      };
      const places = new Map<ManifestImage, number>();
      for (const split of ['train', 'validation'] as const) {
        indexed.images.filter((image) => image.split === split).forEach((image, place) => places.set(image, place));
      }
      const byPath = new Map(indexed.images.map((image) => [image.path, image]));
      return {
        backbone: row.backbone,
        imageSize: row.image_size,
        accuracy: row.accuracy,
        probeAccuracy: row.probe_accuracy,
        logMe: row.log_me,
        probeSeconds: row.probe_seconds,
        featureSeconds: row.feature_seconds,
        rowsOf: (images) => {
          const width = features.train.width;
          const values = new Float32Array(images.length * width);
          for (const [row_, image] of images.entries()) {
            const known = byPath.get(image.path);
            const place = known === undefined ? -1 : (places.get(known) ?? -1);
            const from = features[image.split as Exclude<Split, 'test'>].values;
            values.set(from.subarray(place * width, (place + 1) * width), row_ * width);
          }
          return { values, rowCount: images.length, columnCount: width };
        },
      };
    }),
  );
}

/** Reads the pooled features of a split, row by row. */
async function readFeatures(path: string): Promise<{ readonly values: Float32Array; readonly width: number }> {
  const { entries } = await readSafetensorsHeader(path);
  const [entry] = entries;
  if (entry === undefined) throw new Error(`${path} has no tensor.`);
  const [count = 0, width = 0] = entry.shape;
  const bytes = readFileSync(path).subarray(entry.offset, entry.offset + count * width * 4);
  return { values: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)), width };
}
