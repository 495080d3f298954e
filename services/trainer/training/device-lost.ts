/** In the words of CUDA's runtime and of TensorFlow; tfjs passes only the message on. */
const DEVICE_LOST =
  /CUDA_ERROR_(NO_DEVICE|INVALID_DEVICE|DEVICE_UNAVAILABLE|DEVICE_NOT_LICENSED|NOT_INITIALIZED|ECC_UNCORRECTABLE|NVLINK_UNCORRECTABLE|HARDWARE_STACK_ERROR|SYSTEM_NOT_READY|CONTEXT_IS_DESTROYED|UNKNOWN)|GPU is lost|fallen off the bus|uncorrectable ECC|no CUDA-capable device|device is unavailable|CUDA driver.*(shutting down|not loaded)/i;

/** Whether an error's message, or the last words of a worker that died of it, say that its device has gone. */
export function isDeviceLost(text: string): boolean {
  return DEVICE_LOST.test(text);
}
