import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { IpcError } from '../../ipc';
import { showError } from '../ui/toasts';
import { applyChange, type Change } from './effects';

type ActionOptions<A, R> = {
  /** What this changes; the same table as for events decides what is read anew. */
  changes?: Change[];
  /** Called when it worked. */
  onDone?: (result: R, argument: A) => void;
  /** Called when it did not work, to take back what was shown as done. */
  onFailed?: () => void;
  /** The caller shows `error` itself, beside what caused it; otherwise it becomes a message that stays. */
  inline?: boolean;
};

/** An action of the user: everything that changes something goes through here, so that errors are shown in one way. */
export function useAction<A = void, R = unknown>(work: (argument: A) => Promise<R>, options: ActionOptions<A, R> = {}) {
  const client = useQueryClient();
  const mutation = useMutation<R, IpcError, A>({
    mutationFn: work,
    onSuccess: (result, argument) => {
      for (const change of options.changes ?? []) applyChange(client, change);
      options.onDone?.(result, argument);
    },
    onError: (error) => {
      options.onFailed?.();
      if (!options.inline) showError(error);
    },
  });
  return { run: mutation.mutate, busy: mutation.isPending, error: mutation.error, result: mutation.data, reset: mutation.reset };
}
