/**
 * Copies a tensor's numbers into row-major order with its axes rearranged.
 *
 * @param {import('./torch-pickle.js').StoredTensor} tensor of float32 numbers
 * @param {readonly number[]} axes which axis of the tensor each axis of the result is
 * @returns {{ shape: number[], data: Float32Array }}
 */
export function arrangeTensor(tensor, axes) {
  const { storage, offset } = tensor;
  if (!(storage instanceof Float32Array)) throw new TypeError('only float32 tensors can be arranged');
  const shape = axes.map((axis) => tensor.shape[axis] ?? 1);
  const strides = axes.map((axis) => tensor.strides[axis] ?? 0);
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < data.length; to += 1) {
    data[to] = storage[from] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      const stride = strides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      from += stride;
      if (next < (shape[axis] ?? 1)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      from -= next * stride;
    }
  }
  return { shape, data };
}
