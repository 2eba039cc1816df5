import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { api, toIpcError } from '../ipc';
import { applyEvent } from '../shared/query';
import { showError } from '../shared/ui';

// The channel lives as long as the window; React's strict mode mounts twice, and one channel is enough.
let subscribed = false;

/** Hears the engine's events and brings them into the query cache. */
export function useEvents(): void {
  const client = useQueryClient();
  useEffect(() => {
    if (subscribed) return;
    subscribed = true;
    api.subscribe((event) => applyEvent(client, event)).catch((thrown: unknown) => {
      subscribed = false;
      showError({ ...toIpcError(thrown), hint: 'What is shown may be old. Close the window and open it again.' });
    });
  }, [client]);
}
