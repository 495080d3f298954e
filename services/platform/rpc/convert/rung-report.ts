import type { RungReport } from '../../../core/task.ts';
import type { RungReport as ProtoRungReport } from '../../../../proto/gen/graft/v1/trainer_service.ts';
import { stages } from './run.ts';

export function rungReportToProto({ correct, losses, ...report }: RungReport): ProtoRungReport {
  return {
    ...report,
    stage: stages.toProto(report.stage),
    validationCorrect: Buffer.from(correct.buffer, correct.byteOffset, correct.byteLength),
    validationLosses: losses === null ? [] : [...losses],
  };
}

/** @throws InvalidRequestError naming the field. */
export function rungReportFromProto(message: ProtoRungReport, field: string): RungReport {
  const { validationCorrect, validationLosses, ...report } = message;
  return {
    ...report,
    stage: stages.fromProto(message.stage, `${field}.stage`),
    correct: validationCorrect,
    losses: validationLosses.length === 0 ? null : Float32Array.from(validationLosses),
  };
}
