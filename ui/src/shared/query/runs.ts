import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { api, type IpcError, type RunPage, type RunRow } from '../../ipc';
import { showBegun } from '../ui/toasts';
import { useAction } from './action';
import { applyChange } from './effects';
import { keys } from './keys';

/** How often the active runs are read anew: an event may be lost, and other processes of this home send none. */
const LOOK_MS = 10_000;

/** The runs going on or waiting; kept live by events and by `useRunsElsewhere`. */
export function useActiveRuns() {
  return useQuery<RunPage, IpcError>({
    queryKey: keys.activeRuns,
    queryFn: () => api.runs({ active: true, plan: null, server: null, kind: null, offset: 0, limit: 200 }),
  });
}

/** Makes good what a destination lacks; where it lacks no backup, what is damaged there. */
export function useSync() {
  return useAction((of: { id: string; name: string; missing?: number }) => api.startSync(of.id), {
    changes: ['runs', 'destinations'],
    onDone: (run, of) => showBegun(of.missing === 0 ? `Mending ${of.name}.` : `Copying the missing backups to ${of.name}.`, run),
  });
}

const NONE: RunRow[] = [];

/** Watches for runs of other processes, such as the command line's, and reads anew what they touch as they come and go. Once in the window. */
export function useRunsElsewhere(rows: RunRow[] = NONE) {
  const client = useQueryClient();
  const seen = useRef(new Set<string>());
  // A timer of its own: the query's would begin anew with each progress that is written into it, and never ring.
  useEffect(() => {
    const timer = setInterval(() => void client.refetchQueries({ queryKey: keys.activeRuns }, { cancelRefetch: false }), LOOK_MS);
    return () => clearInterval(timer);
  }, [client]);
  useEffect(() => {
    const now = new Set(rows.filter((run) => run.elsewhere).map((run) => run.id));
    const gone = [...seen.current].some((id) => !now.has(id));
    const come = [...now].some((id) => !seen.current.has(id));
    seen.current = now;
    if (gone || come) applyChange(client, 'runs');
    if (gone) applyChange(client, 'backups');
  }, [client, rows]);
}
