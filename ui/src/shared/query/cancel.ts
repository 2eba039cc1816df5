import { useQuery, useQueryClient } from '@tanstack/react-query';
import { api } from '../../ipc';
import { useAction } from './action';
import { keys } from './keys';

/** Asks a run to stop. `asked` holds on every page until the run has ended: a clean end can take a while. */
export function useCancelRun(id: string): { ask: () => void; asked: boolean } {
  const client = useQueryClient();
  const queryKey = keys.cancelAsked(id);
  const { data: asked } = useQuery({ queryKey, initialData: false, enabled: false });
  const cancel = useAction(
    async () => {
      client.setQueryData(queryKey, true);
      try {
        return await api.cancelRun(id);
      } catch (error) {
        client.setQueryData(queryKey, false);
        throw error;
      }
    },
    { changes: ['runs'] },
  );
  return { ask: () => cancel.run(), asked };
}
