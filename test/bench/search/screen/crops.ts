import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { createStream } from '../../../../services/core/rng/stream.ts';

const SIZE = 160;
/** Smallest side of a crop, as a part of the photograph's shorter one. */
const SMALLEST = 0.5;

/** Writes random crops of the photographs of a data set with split folders: as many of each as its split says. */
export async function writeCrops(
  source: string,
  target: string,
  counts: Readonly<Record<'train' | 'validation' | 'test', number>>,
): Promise<void> {
  for (const [split, count] of Object.entries(counts)) {
    for (const className of readdirSync(join(source, split)).sort()) {
      const folder = join(target, split, className);
      mkdirSync(folder, { recursive: true });
      for (const name of readdirSync(join(source, split, className)).sort()) {
        const photo = sharp(join(source, split, className, name));
        const { width, height } = await photo.metadata();
        for (let crop = 0; crop < count; crop++) {
          const random = createStream('crop', split, className, name, crop);
          const side = Math.max(
            1,
            Math.round(Math.min(width, height) * (SMALLEST + (1 - SMALLEST) * random.uniform())),
          );
          const area = {
            left: random.int(width - side + 1),
            top: random.int(height - side + 1),
            width: side,
            height: side,
          };
          await photo
            .clone()
            .extract(area)
            .flop(random.uniform() < 0.5)
            .resize(SIZE, SIZE)
            .jpeg({ quality: 90 })
            .toFile(join(folder, `${crop}-${name.replace(/\.\w+$/, '')}.jpg`));
        }
      }
    }
  }
}
