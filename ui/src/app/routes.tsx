import { Skeleton } from '@mantine/core';
import { createElement, useEffect, useState, type ComponentType, type ReactNode } from 'react';
import { ActivityPage, RunPage } from '../features/activity';
import { BackupPage, BackupsPage } from '../features/backups';
import { OverviewPage } from '../features/overview';
import { AddServerPage, EditServerPage, ServersPage } from '../features/servers';
import type { Route } from '../shared/router';

/**
 * A page that is not on the first screen comes in its own chunk, so that the first paint does not wait for it. One that
 * is there already is drawn at once: a suspended page would first show its stand-in, and React leaves that up for a while.
 */
function later(load: () => Promise<ComponentType>): ReactNode {
  let page: ReactNode = null;
  const fetch = async () => {
    page ??= createElement(await load());
  };
  loads.push(fetch);
  return <LaterPage page={() => page} fetch={fetch} />;
}

const loads: (() => Promise<void>)[] = [];

function LaterPage({ page, fetch }: { page: () => ReactNode; fetch: () => Promise<void> }) {
  const [, setReady] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const ready = page();
  const waits = ready === null;
  useEffect(() => {
    if (waits) fetch().then(() => setReady(true), setFault);
  }, [waits, fetch]);
  if (fault !== null) throw fault;
  return ready ?? <div style={{ padding: 24 }} aria-busy="true"><Skeleton height={20} width={180} /></div>;
}

/** How long the window has for itself, and for whoever clicks at once, before the other pages are fetched. */
const FETCH_AFTER_MS = 1_000;

/** Fetches the other pages once the window has come to rest, one after the other, so that going there waits for nothing. */
export function fetchPages(): () => void {
  let left = false;
  const timer = setTimeout(async () => {
    for (const load of loads) {
      if (left) return;
      await load().catch(() => {});
    }
  }, FETCH_AFTER_MS);
  return () => {
    left = true;
    clearTimeout(timer);
  };
}

const plans = () => import('../features/plans');
const destinations = () => import('../features/destinations');
const restore = () => import('../features/restore');
const settings = () => import('../features/settings');

/** Every page of the window. The first match wins, so "new" stands before ":id". */
export const routes: Route[] = [
  { pattern: '/overview', element: <OverviewPage /> },
  { pattern: '/servers', element: <ServersPage /> },
  { pattern: '/servers/new', element: <AddServerPage /> },
  { pattern: '/servers/:id', element: <ServersPage /> },
  { pattern: '/servers/:id/edit', element: <EditServerPage /> },
  { pattern: '/plans', element: later(async () => (await plans()).PlansPage) },
  { pattern: '/plans/new', element: later(async () => (await plans()).PlanWizardPage) },
  { pattern: '/plans/:id', element: later(async () => (await plans()).PlanPage) },
  { pattern: '/plans/:id/edit', element: later(async () => (await plans()).PlanWizardPage) },
  { pattern: '/backups', element: <BackupsPage /> },
  { pattern: '/backups/:id', element: <BackupPage /> },
  { pattern: '/restore/:backup', element: later(async () => (await restore()).RestorePage) },
  { pattern: '/destinations', element: later(async () => (await destinations()).DestinationsPage) },
  { pattern: '/destinations/new', element: later(async () => (await destinations()).AddDestinationPage) },
  { pattern: '/destinations/open', element: later(async () => (await destinations()).OpenExistingPage) },
  { pattern: '/destinations/:id', element: later(async () => (await destinations()).DestinationPage) },
  { pattern: '/destinations/:id/edit', element: later(async () => (await destinations()).EditDestinationPage) },
  { pattern: '/activity', element: <ActivityPage /> },
  { pattern: '/activity/:id', element: <RunPage /> },
  { pattern: '/settings', element: later(async () => (await settings()).SettingsPage) },
];
