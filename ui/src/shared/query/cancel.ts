import { useQuery, useQueryClient } from '@tanstack/react-query';
import { api } from '../../ipc';
import { useAction } from './action';
import { keys } from './keys';

/** Asks a run to stop. `asked` holds on every page until the run has ended: a clean end can take a while. */
export function useCancelRun(id: string): { ask: () => void; asked: boolean } {
  const client = useQueryClient();
  const queryKey = keys.cancelAsked(id);
  const { data: asked } = useQuery({ queryKey, initialData: false, enabled: false });
  const cancel = useAction(() => api.cancelRun(id), { changes: ['runs'], onFailed: () => client.setQueryData(queryKey, false) });
  const ask = () => {
    client.setQueryData(queryKey, true);
    cancel.run();
  };
  return { ask, asked };
}
