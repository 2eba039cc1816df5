import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type DestinationDraft, type IpcError, type S3Provider, type TestStep } from '../../ipc';
import { keys, useAction } from '../../shared/query';

/** The providers of S3-compatible storage. They never change while the window is open. */
export function useProviders() {
  return useQuery<S3Provider[], IpcError>({ queryKey: keys.s3Providers, queryFn: api.s3Providers, staleTime: Infinity });
}

let counter = 0;

/** Tries a place, or only looks at what lies there; its steps come in one by one, as the engine takes them. */
export function useDestinationTest(as: 'test' | 'look' = 'test') {
  const [name, setName] = useState('');
  const live = useQuery<TestStep[]>({ queryKey: keys.testSteps(name), queryFn: () => [], enabled: false, initialData: [] });
  const test = useAction(({ draft, name: of }: { draft: DestinationDraft; name: string }) => (as === 'look' ? api.lookAtDestination(draft, of) : api.testDestination(draft, of)), { inline: true });
  const start = (draft: DestinationDraft) => {
    counter += 1;
    const next = `test-${Date.now()}-${counter}`;
    setName(next);
    test.run({ draft, name: next });
  };
  return { start, busy: test.busy, error: test.busy ? null : test.error, result: test.busy ? undefined : test.result, steps: test.result?.steps ?? live.data, reset: test.reset };
}

/** What a test under way or over gives to the screen. */
export type RunningTest = ReturnType<typeof useDestinationTest>;
