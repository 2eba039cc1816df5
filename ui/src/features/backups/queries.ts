import { keepPreviousData, useInfiniteQuery, useQuery, type QueryClient } from '@tanstack/react-query';
import { api, type BackupDetail, type BackupPage, type IpcError } from '../../ipc';
import { keys, useAction } from '../../shared/query';
import { showBegun } from '../../shared/ui';
import { NEWEST_FIRST, NO_FILTER, toFilter, type ListFilter, type Sort } from './form';

const FIRST = 100;
const MORE = 500;

/** How the list is read. */
function pages(filter: ListFilter, sort: Sort) {
  return {
    queryKey: keys.backupPages(toFilter(filter, sort, 0, FIRST)),
    queryFn: ({ pageParam }: { pageParam: number }) => api.backups(toFilter(filter, sort, pageParam, pageParam === 0 ? FIRST : MORE)),
    initialPageParam: 0,
  };
}

/** Reads the first page as the list opens with, so that whoever goes there sees rows at once. */
export function prefetchBackups(client: QueryClient): void {
  void client.prefetchInfiniteQuery(pages(NO_FILTER, NEWEST_FIRST));
}

/** The backups that match, page by page; the first page is small so that it is there at once. */
export function useBackups(filter: ListFilter, sort: Sort) {
  return useInfiniteQuery<BackupPage, IpcError, { pages: BackupPage[] }, readonly unknown[], number>({
    ...pages(filter, sort),
    getNextPageParam: (last, all) => {
      const loaded = all.reduce((sum, page) => sum + page.rows.length, 0);
      return last.rows.length > 0 && loaded < last.total ? loaded : undefined;
    },
    placeholderData: keepPreviousData,
  });
}

/** One backup whole. */
export function useBackup(id: string) {
  return useQuery<BackupDetail, IpcError>({ queryKey: keys.backup(id), queryFn: () => api.backup(id), enabled: id !== '' });
}

/** Reads all data of a backup back and checks it. */
export function useVerify() {
  return useAction((backup: { id: string; name: string }) => api.startVerify(backup.id), {
    changes: ['runs'],
    onDone: (run, backup) => showBegun(`Reading ${backup.name} back to check it.`, run),
  });
}
