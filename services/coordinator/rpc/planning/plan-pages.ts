import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { PlannedRun, PlannedTask, PlanSweepResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepPlanRecord } from '../../../core/records/plan.ts';
import { planSummaryToProto, plannedRunToProto, plannedTaskToProto } from '../../../platform/rpc/convert/plan.ts';

/** The start of a page: indexes of its first run and its first task. */
export interface PlanCursor {
  readonly run: number;
  readonly task: number;
}

/** A page without its token. The caller appends the token: protobuf messages are merged by concatenation. */
export interface PlanPage {
  readonly bytes: Uint8Array;
  readonly from: PlanCursor;
  /** null: this is the last page. */
  readonly next: PlanCursor | null;
}

/** Size at which a page closes, far below the 4 MiB of a message. */
const PAGE_BYTES = 1024 * 1024;

/** Returns the pages of a plan from `from` on: runs first, then tasks, at most `pageSize` of each in a page. */
export function pagesOf(plan: SweepPlanRecord, from: PlanCursor, pageSize: number): PlanPage[] {
  const pages: PlanPage[] = [];
  for (let next: PlanCursor | null = from; next !== null; next = pages.at(-1)?.next ?? null) {
    pages.push(pageFrom(plan, next, pageSize));
  }
  return pages;
}

function pageFrom(plan: SweepPlanRecord, from: PlanCursor, pageSize: number): PlanPage {
  const { runs, tasks } = plan;
  const writer = new BinaryWriter();
  let room = PAGE_BYTES;
  /** @returns the index of the first entry that is not in the page; a page has at least one entry */
  const append = (field: number, first: number, count: number, encode: (index: number) => Uint8Array): number => {
    const end = Math.min(count, first + pageSize);
    for (let index = first; index < end; index += 1) {
      const bytes = encode(index);
      if (bytes.length > room && room < PAGE_BYTES) return index;
      writer.uint32((field << 3) | 2).bytes(bytes);
      room -= bytes.length;
    }
    return end;
  };
  const run = append(1, from.run, runs.length, (index) => encodedRun(plan, index));
  const task = append(2, from.task, tasks.length, (index) => encodedTask(plan, index));
  const next = run === runs.length && task === tasks.length ? null : { run, task };
  writer.raw(PlanSweepResponse.encode(planSummaryToProto(plan)).finish());
  return { bytes: writer.finish(), from, next };
}

function encodedRun(plan: SweepPlanRecord, index: number): Uint8Array {
  const run = plan.runs[index];
  if (run === undefined) throw new RangeError(`The plan has no run ${index}.`);
  return PlannedRun.encode(plannedRunToProto(run)).finish();
}

function encodedTask(plan: SweepPlanRecord, index: number): Uint8Array {
  const task = plan.tasks[index];
  if (task === undefined) throw new RangeError(`The plan has no task ${index}.`);
  return PlannedTask.encode(plannedTaskToProto(task)).finish();
}
