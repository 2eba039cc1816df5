import '../shared/theme/mantine';
import '../shared/theme/base.css';
import { MantineProvider, localStorageColorSchemeManager } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { cssVariables, theme } from '../shared/theme';
import { App } from './app';
import { Boundary } from './boundary';

// Remembered so that the first paint is right; the setting itself lives with Backstay and is applied when it is read.
const colours = localStorageColorSchemeManager({ key: 'backstay-theme' });

/** Draws the window into #root. */
export function start(): void {
  const client = new QueryClient({
    defaultOptions: {
      // Everything is on this computer: events say when something changed, so nothing is read anew for focus or age.
      queries: { staleTime: 60_000, gcTime: 10 * 60_000, retry: false, refetchOnWindowFocus: false, networkMode: 'always' },
      mutations: { networkMode: 'always' },
    },
  });
  const root = document.getElementById('root');
  if (!root) return;
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={cssVariables} colorSchemeManager={colours} defaultColorScheme="auto">
        <QueryClientProvider client={client}>
          <Boundary>
            <App />
          </Boundary>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
