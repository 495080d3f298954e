import { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';

const asReceived = (bytes: Buffer): Buffer => bytes;

/**
 * The definition of the public service as it is served. Handlers receive requests that hold a whole sweep still encoded: decoding
 * a large one is slow, so the thread that plans it does it.
 */
export const SWEEP_SERVICE = {
  ...SweepServiceService,
  planSweep: { ...SweepServiceService.planSweep, requestDeserialize: asReceived },
  createSweep: { ...SweepServiceService.createSweep, requestDeserialize: asReceived },
};
