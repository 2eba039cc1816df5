import type { QueryClient, QueryKey } from '@tanstack/react-query';
import type { Event, ProgressView, RunDetail, RunPage, RunRow, TestStep } from '../../ipc';
import { keys } from './keys';

/** What can have changed. */
export type Change = 'servers' | 'plans' | 'destinations' | 'backups' | 'settings' | 'secrets' | 'runs';

/** THE table: what is read anew when something changed. */
const EFFECTS: Record<Change, readonly QueryKey[]> = {
  servers: [keys.servers, keys.plans, keys.overview, keys.audit, keys.sshConfig],
  plans: [keys.plans, keys.servers, keys.destinations, keys.overview, keys.audit],
  destinations: [keys.destinations, keys.limits, keys.plans, keys.overview, keys.audit],
  backups: [keys.backups, keys.plans, keys.servers, keys.destinations, keys.overview],
  settings: [keys.settings, keys.limits, keys.servers, keys.overview],
  secrets: [keys.secrets, keys.destinations, keys.overview, keys.audit],
  runs: [keys.runs, keys.plans, keys.servers, keys.overview, keys.audit],
};

/** Reads anew what a change touches. */
export function applyChange(client: QueryClient, change: string): void {
  for (const queryKey of EFFECTS[change as Change] ?? []) void client.invalidateQueries({ queryKey });
}

const ENDED = new Set(['done', 'done_with_problems', 'failed', 'cancelled', 'interrupted']);

/** Tells whether a run has ended. */
export function runEnded(state: string): boolean {
  return ENDED.has(state);
}

/** Puts a progress into a row; one that is older than what is shown is left out, so that nothing goes backwards. */
export function withProgress(row: RunRow, progress: ProgressView): RunRow {
  if (row.id !== progress.run || runEnded(row.state)) return row;
  if (row.progress && row.progress.last_activity > progress.last_activity) return row;
  return { ...row, state: row.state === 'waiting' ? 'running' : row.state, progress };
}

/** Puts a run's new row among the active ones; an ended one leaves. */
export function withRun(rows: RunRow[], run: RunRow): RunRow[] {
  const others = rows.filter((row) => row.id !== run.id);
  if (runEnded(run.state)) return others;
  const old = rows.find((row) => row.id === run.id);
  const merged = run.progress ? run : { ...run, progress: old?.progress ?? null };
  return old ? rows.map((row) => (row.id === run.id ? merged : row)) : [merged, ...others];
}

/** Brings an event into the query cache. */
export function applyEvent(client: QueryClient, event: Event): void {
  switch (event.type) {
    case 'progress': {
      const { progress } = event;
      client.setQueryData<RunPage>(keys.activeRuns, (page) => page && { ...page, rows: page.rows.map((row) => withProgress(row, progress)) });
      client.setQueryData<RunDetail>(keys.run(progress.run), (run) => run && { ...run, row: withProgress(run.row, progress) });
      return;
    }
    case 'run': {
      const { run } = event;
      client.setQueryData<RunPage>(keys.activeRuns, (page) => {
        if (!page) return page;
        const rows = withRun(page.rows, run);
        return { rows, total: rows.length };
      });
      client.setQueryData<RunDetail>(keys.run(run.id), (detail) => detail && { ...detail, row: run });
      applyChange(client, 'runs');
      if (runEnded(run.state)) applyChange(client, 'backups');
      return;
    }
    case 'test_step': {
      const { test, step } = event.step;
      client.setQueryData<TestStep[]>(keys.testSteps(test), (steps) => [...(steps ?? []), step]);
      return;
    }
    case 'changed':
      applyChange(client, event.what);
  }
}
