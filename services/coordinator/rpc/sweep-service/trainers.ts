import { z } from 'zod';
import type { Handlers } from '../../../platform/rpc/server.ts';
import { ListTrainersResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import type { SweepServiceService } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { Trainer } from '../../../../proto/gen/graft/v1/trainer.ts';
import { forgetTrainer } from '../../store/trainers/forget-trainer.ts';
import { listTrainers } from '../../store/trainers/list-trainers.ts';
import { trainerToProto } from '../../../platform/rpc/convert/trainer.ts';
import { answerWith, encodeList } from '../lists/encode-list.ts';
import { ID_KEY, pageToken, readPage } from '../page.ts';
import { requireId } from '../require-id.ts';
import type { RpcContext } from '../rpc-context.ts';

const TRAINERS = { scope: 'trainers', defaultSize: 100, maxSize: 1000, key: z.object({ trainerId: ID_KEY }) };

/** Returns the handlers of ListTrainers and ForgetTrainer. */
export function trainerHandlers({
  store,
  longAnswers,
}: RpcContext): Pick<Handlers<typeof SweepServiceService>, 'listTrainers' | 'forgetTrainer'> {
  return {
    listTrainers: (request, { signal }) =>
      longAnswers.run(signal, async () => {
        const page = await encodeList(longAnswers, {
          ...readPage(request, TRAINERS),
          fetch: (after, limit) => listTrainers(store, after, limit),
          toProto: trainerToProto,
          encoder: Trainer,
          field: 1,
        });
        return answerWith(page, ListTrainersResponse, { nextPageToken: pageToken(TRAINERS.scope, page.next) });
      }),
    forgetTrainer: async (request) => {
      await forgetTrainer(store, requireId(request.trainerId, 'trainer_id'));
      return {};
    },
  };
}
