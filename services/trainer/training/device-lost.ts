/** Messages of CUDA's runtime and of TensorFlow, of which tfjs keeps nothing else. */
const DEVICE_LOST =
  /CUDA_ERROR_(NO_DEVICE|INVALID_DEVICE|DEVICE_UNAVAILABLE|DEVICE_NOT_LICENSED|NOT_INITIALIZED|ECC_UNCORRECTABLE|NVLINK_UNCORRECTABLE|HARDWARE_STACK_ERROR|SYSTEM_NOT_READY|CONTEXT_IS_DESTROYED|UNKNOWN)|GPU is lost|fallen off the bus|uncorrectable ECC|no CUDA-capable device|device is unavailable|CUDA driver.*(shutting down|not loaded)/i;

/** Returns whether an error message, or the last output of a worker that died, reports a lost device. */
export function isDeviceLost(message: string): boolean {
  return DEVICE_LOST.test(message);
}
