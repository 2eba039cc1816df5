import { Skeleton } from '@mantine/core';
import { Suspense, lazy, type ComponentType, type ReactNode } from 'react';
import { ActivityPage, RunPage } from '../features/activity';
import { OverviewPage } from '../features/overview';
import { AddServerPage, EditServerPage, ServersPage } from '../features/servers';
import { SettingsPage } from '../features/settings';
import type { Route } from '../shared/router';

/** Pages that are not on the first screen come in their own chunk, so that the first paint does not wait for them. */
function later(load: () => Promise<ComponentType>): ReactNode {
  const Lazy = lazy(async () => ({ default: await load() }));
  return (
    <Suspense fallback={<div style={{ padding: 24 }} aria-busy="true"><Skeleton height={20} width={180} /></div>}>
      <Lazy />
    </Suspense>
  );
}

/** Fetches the other pages' chunks while nothing else is to do, so that going there waits for nothing. */
export function fetchPages(): void {
  for (const load of [backups, plans, destinations, restore]) void load();
}

const plans = () => import('../features/plans');
const backups = () => import('../features/backups');
const destinations = () => import('../features/destinations');
const restore = () => import('../features/restore');

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
  { pattern: '/backups', element: later(async () => (await backups()).BackupsPage) },
  { pattern: '/backups/:id', element: later(async () => (await backups()).BackupPage) },
  { pattern: '/restore/:backup', element: later(async () => (await restore()).RestorePage) },
  { pattern: '/destinations', element: later(async () => (await destinations()).DestinationsPage) },
  { pattern: '/destinations/new', element: later(async () => (await destinations()).AddDestinationPage) },
  { pattern: '/destinations/:id', element: later(async () => (await destinations()).DestinationPage) },
  { pattern: '/activity', element: <ActivityPage /> },
  { pattern: '/activity/:id', element: <RunPage /> },
  { pattern: '/settings', element: <SettingsPage /> },
];
