import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
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

/** How often the log of a run that goes on is read anew; its progress comes by events. */
const LIVE_MS = 3_000;

/** One run; kept live by events, read anew now and then while it goes on. */
export function useRun(id: string | null) {
  const run = useQuery<RunDetail, IpcError>({ queryKey: keys.run(id ?? ''), queryFn: () => api.run(id ?? ''), enabled: id !== null && id !== '' });
  const { refetch } = run;
  const live = run.data !== undefined && run.data.row.ended === null;
  // A timer of its own: the query's would begin anew with each progress that is written into it, and never ring.
  useEffect(() => {
    if (!live) return;
    const timer = setInterval(() => void refetch({ cancelRefetch: false }), LIVE_MS);
    return () => clearInterval(timer);
  }, [live, refetch]);
  return run;
}
