import { IconLock } from '@tabler/icons-react';
import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, type IpcError, type SecretsStatus } from '../ipc';
import { keys, useAction } from '../shared/query';
import { navigate, usePlace } from '../shared/router';
import { Note } from '../shared/ui';

const TEXTS: Record<string, { title: string; text: string; action: string }> = {
  locked: { title: 'Passwords and keys are locked.', text: 'Backups and restores need them.', action: 'Unlock…' },
  keyring_closed: { title: 'The keyring does not open.', text: 'Backups and restores need the passwords and keys in it. Open it, then try again.', action: 'More…' },
  not_set_up: { title: 'There is no place for passwords and keys yet.', text: 'This computer has no keyring that can be used. Make a file sealed by a passphrase instead.', action: 'Set up…' },
};

/** Says on every page when secrets cannot be read, with the way to mend it. */
export function SecretsBanner() {
  const secrets = useQuery<SecretsStatus, IpcError>({ queryKey: keys.secrets, queryFn: api.secretsStatus });
  const again = useAction(api.secretsTryKeyring, { changes: ['secrets'] });
  const place = usePlace();
  if (place.path === '/settings' && place.query.get('part') === 'secrets') return null;
  const state = secrets.data?.state ?? 'ready';
  const said = TEXTS[state];
  if (!said) return null;
  return (
    <div className="banner">
      <Note
        tone="warn"
        icon={<IconLock size={18} aria-hidden />}
        action={
          <span className="row">
            {state === 'keyring_closed' && <Button variant="filled" loading={again.busy} onClick={() => again.run()}>Try again</Button>}
            <Button onClick={() => navigate('/settings?part=secrets')}>{said.action}</Button>
          </span>
        }
      >
        <b>{said.title}</b> {said.text}
      </Note>
    </div>
  );
}
