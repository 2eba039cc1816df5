import { useQuery } from '@tanstack/react-query';
import { api, type DestinationRow, type IpcError, type PlanRow, type RunDetail, type ServerDetail, type ServerRow } from '../../ipc';
import { keys } from './keys';

/** All servers. */
export function useServers() {
  return useQuery<ServerRow[], IpcError>({ queryKey: keys.servers, queryFn: api.servers });
}

/** One server with what was found on it. */
export function useServer(id: string | null) {
  return useQuery<ServerDetail, IpcError>({
    queryKey: keys.server(id ?? ''),
    queryFn: () => api.server(id ?? ''),
    enabled: id !== null && id !== '',
  });
}

/** All plans. */
export function usePlans() {
  return useQuery<PlanRow[], IpcError>({ queryKey: keys.plans, queryFn: api.plans });
}

/** All destinations. */
export function useDestinations() {
  return useQuery<DestinationRow[], IpcError>({ queryKey: keys.destinations, queryFn: api.destinations });
}

/** One run; kept live by events, read anew now and then while it goes on in case one was lost. */
export function useRun(id: string | null) {
  return useQuery<RunDetail, IpcError>({
    queryKey: keys.run(id ?? ''),
    queryFn: () => api.run(id ?? ''),
    enabled: id !== null && id !== '',
    refetchInterval: (query) => (query.state.data && query.state.data.row.ended === null ? 5_000 : false),
  });
}
