import { useQuery } from '@tanstack/react-query';
import { api, type IpcError, type PlanRow, type ServerDetail, type ServerRow, type SshConfigHost } from '../../ipc';
import { keys } from '../../shared/query';

/** All servers. */
export function useServers() {
  return useQuery<ServerRow[], IpcError>({ queryKey: keys.servers, queryFn: api.servers });
}

/** One server whole. */
export function useServer(id: string) {
  return useQuery<ServerDetail, IpcError>({ queryKey: keys.server(id), queryFn: () => api.server(id), enabled: id !== '' });
}

/** The plans that read a server. */
export function usePlansOf(server: string) {
  return useQuery<PlanRow[], IpcError, PlanRow[]>({ queryKey: keys.plans, queryFn: api.plans, select: (plans) => plans.filter((plan) => plan.server === server) });
}

/** The hosts of the user's SSH config. */
export function useSshConfigHosts(enabled: boolean) {
  return useQuery<SshConfigHost[], IpcError>({ queryKey: keys.sshConfig, queryFn: api.sshConfigHosts, enabled, staleTime: 0 });
}
