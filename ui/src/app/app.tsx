import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Routes, navigate, usePlace } from '../shared/router';
import { EmptyState, Page, Toasts, afterPaint } from '../shared/ui';
import { Boundary } from './boundary';
import { CommandPalette } from './command-palette';
import { fetchPages, routes } from './routes';
import { SecretsBanner } from './secrets-banner';
import { Sidebar } from './sidebar';
import { useEvents } from './use-events';
import { useTheme } from './use-theme';
import './app.css';

/** The window: sidebar, the page of the place, messages, command palette. Only the first two are drawn anew for another place. */
export function App() {
  useEvents();
  useTheme();
  const client = useQueryClient();
  useEffect(() => fetchPages(client), [client]);
  // Read by `npm run bench`.
  useEffect(() => afterPaint(() => performance.mark('backstay-drawn')), []);
  return (
    <div className="app">
      <Sidebar />
      <main className="app-main" aria-label="Page">
        <SecretsBanner />
        <PageHere />
      </main>
      <Toasts />
      <CommandPalette />
    </div>
  );
}

function PageHere() {
  const { path } = usePlace();
  useEffect(() => {
    // A new page takes the focus by its title. One that stays, with another row open, leaves it where it is, if it is anywhere.
    if (document.activeElement === document.body) document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
  }, [path]);
  return (
    <Boundary key={path.split('/')[1]}>
      <Routes routes={routes} otherwise={<NotFound />} />
    </Boundary>
  );
}

function NotFound() {
  return (
    <Page title="Not here">
      <EmptyState title="There is no such page" text="It may have been removed." action={<a href="#/overview" onClick={() => navigate('/overview')}>Go to the overview</a>} />
    </Page>
  );
}
