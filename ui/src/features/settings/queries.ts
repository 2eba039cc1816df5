import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, type AppInfo, type AuditPage, type DestinationRow, type IpcError, type SecretsStatus, type Settings } from '../../ipc';
import { keys, useAction } from '../../shared/query';

const PAGE = 200;

/** The settings, and a way to change some of them at once. */
export function useSettings() {
  const client = useQueryClient();
  const query = useQuery<Settings, IpcError>({ queryKey: keys.settings, queryFn: api.settings });
  const save = useAction(api.saveSettings, { changes: ['settings'], onDone: (saved) => client.setQueryData(keys.settings, saved) });
  const change = (part: Partial<Settings>) => query.data && save.run({ ...query.data, ...part });
  return { query, change, busy: save.busy };
}

/** About this installation. */
export function useAppInfo() {
  return useQuery<AppInfo, IpcError>({ queryKey: keys.appInfo, queryFn: api.appInfo, staleTime: Infinity });
}

/** Where secrets rest. */
export function useSecrets() {
  return useQuery<SecretsStatus, IpcError>({ queryKey: keys.secrets, queryFn: api.secretsStatus });
}

/** All destinations. */
export function useDestinations() {
  return useQuery<DestinationRow[], IpcError>({ queryKey: keys.destinations, queryFn: api.destinations });
}

/** The audit log, newest first, page by page. */
export function useAudit() {
  return useInfiniteQuery<AuditPage, IpcError, { rows: AuditPage['rows']; total: number }, readonly unknown[], number>({
    queryKey: keys.audit,
    queryFn: ({ pageParam }) => api.audit(pageParam, PAGE),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const have = pages.reduce((sum, page) => sum + page.rows.length, 0);
      return last.rows.length > 0 && have < last.total ? have : undefined;
    },
    select: (data) => ({ rows: data.pages.flatMap((page) => page.rows), total: data.pages[0]?.total ?? 0 }),
  });
}
