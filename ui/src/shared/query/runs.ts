import { useQuery } from '@tanstack/react-query';
import { api, type IpcError, type RunPage } from '../../ipc';
import { keys } from './keys';

/** The runs going on or waiting; kept live by events, read anew now and then in case one was lost. */
export function useActiveRuns() {
  return useQuery<RunPage, IpcError>({
    queryKey: keys.activeRuns,
    queryFn: () => api.runs({ active: true, plan: null, server: null, kind: null, offset: 0, limit: 200 }),
    refetchInterval: (query) => ((query.state.data?.rows.length ?? 0) > 0 ? 10_000 : false),
  });
}
