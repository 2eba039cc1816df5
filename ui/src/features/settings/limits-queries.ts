import { useQuery, useQueryClient } from '@tanstack/react-query';
import { api, type IpcError, type Limits } from '../../ipc';
import { keys, useAction } from '../../shared/query';

/** All limits, and a way to change them at once: a run under way obeys them from the next second on. */
export function useLimits() {
  const client = useQueryClient();
  const query = useQuery<Limits, IpcError>({ queryKey: keys.limits, queryFn: api.limits });
  const save = useAction(api.saveLimits, {
    changes: ['destinations'],
    onDone: (saved) => client.setQueryData(keys.limits, saved),
    onFailed: () => void client.invalidateQueries({ queryKey: keys.limits }),
  });
  const change = (next: Limits) => {
    // Seen at once; if it cannot be stored, what is stored comes back.
    client.setQueryData(keys.limits, next);
    save.run(next);
  };
  return { query, change, error: save.error };
}
