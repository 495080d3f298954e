// Runs in a separate process after the binding is installed: loads TensorFlow as the trainer does and computes with it.
const tf = require('@tensorflow/tfjs-node-gpu');

const product = Array.from(
  tf
    .matMul(
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    )
    .dataSync(),
);
/** @type {any} the methods below are those of tfjs-node */
const backend = tf.backend();
process.stdout.write(
  `${JSON.stringify({ version: backend.binding.TF_Version, gpu: backend.isUsingGpuDevice === true, product })}\n`,
);
