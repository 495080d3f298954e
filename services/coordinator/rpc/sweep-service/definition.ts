import { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';

const asItCame = (bytes: Buffer): Buffer => bytes;

/**
 * The public service as it is served: requests with a whole sweep in them are handed on encoded, because decoding a large one takes
 * long and is done in the thread that plans it.
 */
export const SWEEP_SERVICE = {
  ...SweepServiceService,
  planSweep: { ...SweepServiceService.planSweep, requestDeserialize: asItCame },
  createSweep: { ...SweepServiceService.createSweep, requestDeserialize: asItCame },
};
