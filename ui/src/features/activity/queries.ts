import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { api, type BackupDetail, type IpcError, type ProblemPage, type RunPage } from '../../ipc';
import { keys, useAction } from '../../shared/query';
import { showBegun } from '../../shared/ui';

const PAGE = 200;
/** How often the problems of a run that goes on are read anew. */
const LIVE_MS = 3000;

/** All runs, newest first, page by page. */
export function useRunHistory(kind: string | null) {
  return useInfiniteQuery<RunPage, IpcError, RunPage['rows'], readonly unknown[], number>({
    queryKey: keys.runPages({ kind }),
    queryFn: ({ pageParam }) => api.runs({ active: false, plan: null, server: null, kind, offset: pageParam, limit: PAGE }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const have = pages.reduce((sum, page) => sum + page.rows.length, 0);
      return last.rows.length > 0 && have < last.total ? have : undefined;
    },
    select: (data) => data.pages.flatMap((page) => page.rows),
  });
}

/** A run's problems that match a text, and what it skipped. `live`: they are read anew while it goes on. */
export function useRunProblems(id: string, text: string, { live = false, enabled = true }: { live?: boolean; enabled?: boolean } = {}) {
  return useInfiniteQuery<ProblemPage, IpcError, { rows: ProblemPage['rows']; total: number }, readonly unknown[], number>({
    queryKey: keys.runProblems(id, text),
    queryFn: ({ pageParam }) => api.runProblems(id, text, pageParam, PAGE),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const have = pages.reduce((sum, page) => sum + page.rows.length, 0);
      return last.rows.length > 0 && have < last.total ? have : undefined;
    },
    select: (data) => ({ rows: data.pages.flatMap((page) => page.rows), total: data.pages[0]?.total ?? 0 }),
    placeholderData: (previous) => previous,
    refetchInterval: live ? LIVE_MS : false,
    enabled,
  });
}

/** The backup a run made, to know which destinations lack it. */
export function useBackupOf(id: string | null) {
  return useQuery<BackupDetail, IpcError>({ queryKey: keys.backup(id ?? ''), queryFn: () => api.backup(id ?? ''), enabled: id !== null, retry: false });
}

/** Goes on with a download where it was. */
export function useResumeDownload(onDone?: (run: string) => void) {
  return useAction((run: { id: string; title: string }) => api.resumeDownload(run.id), {
    changes: ['runs'],
    onDone: (run, of) => (onDone ? onDone(run) : showBegun(`Going on with ${of.title}.`, run)),
  });
}
