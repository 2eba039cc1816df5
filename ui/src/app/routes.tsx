import { Skeleton } from '@mantine/core';
import type { QueryClient } from '@tanstack/react-query';
import { createElement, useEffect, useReducer, useState, type ComponentType, type ReactNode } from 'react';
import { OverviewPage } from '../features/overview';
import type { Route } from '../shared/router';
import { afterPaint } from '../shared/ui';

/** Pages that come together, when they are first needed or when there is time. */
type Chunk<M> = { fetch: () => Promise<void>; there: () => M | null };

const chunks: Chunk<unknown>[] = [];

function chunk<M>(load: () => Promise<M>): Chunk<M> {
  let module: M | null = null;
  const made = {
    fetch: async () => {
      module ??= await load();
    },
    there: () => module,
  };
  chunks.push(made);
  return made;
}

/**
 * A page that is not on the first screen comes in a chunk, so that the first paint does not wait for it. One whose chunk
 * is there already is drawn at once: a suspended page would first show its stand-in, and React leaves that up for a while.
 */
function later<M>(of: Chunk<M>, pick: (module: M) => ComponentType): ReactNode {
  let page: ReactNode = null;
  const there = () => {
    const module = of.there();
    if (module !== null) page ??= createElement(pick(module));
    return page;
  };
  return <LaterPage page={there} fetch={of.fetch} />;
}

function LaterPage({ page, fetch }: { page: () => ReactNode; fetch: () => Promise<void> }) {
  const [, drawAnew] = useReducer((count: number) => count + 1, 0);
  const [fault, setFault] = useState<unknown>(null);
  const ready = page();
  const waits = ready === null;
  useEffect(() => {
    if (waits) fetch().then(drawAnew, setFault);
  }, [waits, fetch]);
  if (fault !== null) throw fault;
  return ready ?? <div style={{ padding: 24 }} aria-busy="true"><Skeleton height={20} width={180} /></div>;
}

const backups = chunk(() => import('../features/backups'));
const servers = chunk(() => import('../features/servers'));
const activity = chunk(() => import('../features/activity'));
const plans = chunk(() => import('../features/plans'));
const destinations = chunk(() => import('../features/destinations'));
const restore = chunk(() => import('../features/restore'));
const settings = chunk(() => import('../features/settings'));

/** How long the window has for itself, and for whoever clicks at once, before the pages less gone to are fetched. */
const FETCH_AFTER_MS = 1_000;

/**
 * Fetches the other pages, so that going there waits for nothing: the list most gone to, and its rows, as soon as the first
 * screen is painted; the rest once the window has come to rest, one after the other.
 */
export function fetchPages(client: QueryClient): () => void {
  let left = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = afterPaint(() => {
    // A page that cannot be fetched says so where it is asked for.
    backups.fetch().then(() => backups.there()?.prefetchBackups(client), () => {});
    timer = setTimeout(async () => {
      for (const one of chunks) {
        if (left) return;
        await one.fetch().catch(() => {});
      }
    }, FETCH_AFTER_MS);
  });
  return () => {
    left = true;
    cancel();
    clearTimeout(timer);
  };
}

/** Every page of the window. The first match wins, so "new" stands before ":id". */
export const routes: Route[] = [
  { pattern: '/overview', element: <OverviewPage /> },
  { pattern: '/servers', element: later(servers, (pages) => pages.ServersPage) },
  { pattern: '/servers/new', element: later(servers, (pages) => pages.AddServerPage) },
  { pattern: '/servers/:id', element: later(servers, (pages) => pages.ServersPage) },
  { pattern: '/servers/:id/edit', element: later(servers, (pages) => pages.EditServerPage) },
  { pattern: '/plans', element: later(plans, (pages) => pages.PlansPage) },
  { pattern: '/plans/new', element: later(plans, (pages) => pages.PlanWizardPage) },
  { pattern: '/plans/:id', element: later(plans, (pages) => pages.PlanPage) },
  { pattern: '/plans/:id/edit', element: later(plans, (pages) => pages.PlanWizardPage) },
  { pattern: '/backups', element: later(backups, (pages) => pages.BackupsPage) },
  { pattern: '/backups/:id', element: later(backups, (pages) => pages.BackupPage) },
  { pattern: '/restore/:backup', element: later(restore, (pages) => pages.RestorePage) },
  { pattern: '/destinations', element: later(destinations, (pages) => pages.DestinationsPage) },
  { pattern: '/destinations/new', element: later(destinations, (pages) => pages.AddDestinationPage) },
  { pattern: '/destinations/open', element: later(destinations, (pages) => pages.OpenExistingPage) },
  { pattern: '/destinations/:id', element: later(destinations, (pages) => pages.DestinationPage) },
  { pattern: '/destinations/:id/edit', element: later(destinations, (pages) => pages.EditDestinationPage) },
  { pattern: '/activity', element: later(activity, (pages) => pages.ActivityPage) },
  { pattern: '/activity/:id', element: later(activity, (pages) => pages.RunPage) },
  { pattern: '/settings', element: later(settings, (pages) => pages.SettingsPage) },
];
