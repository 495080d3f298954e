import type { TestPrediction } from '../../../core/task.ts';
import type { TestPrediction as ProtoTestPrediction } from '../../../../proto/gen/graft/v1/run.ts';

/** Converts a run's prediction to its message. */
export function testPredictionToProto(runId: string, prediction: TestPrediction): ProtoTestPrediction {
  return { runId, ...prediction, probabilities: [...prediction.probabilities] };
}

/** Converts a prediction's message; the run is known from the request. */
export function testPredictionFromProto(message: ProtoTestPrediction): TestPrediction {
  const { path, label, predictedLabel, probabilities } = message;
  return { path, label, predictedLabel, probabilities };
}
