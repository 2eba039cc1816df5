import { IconLock } from '@tabler/icons-react';
import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, type IpcError, type SecretsStatus } from '../ipc';
import { keys } from '../shared/query';
import { navigate, usePlace } from '../shared/router';
import { Note } from '../shared/ui';

/** Says on every page when secrets cannot be read, with the way to mend it. */
export function SecretsBanner() {
  const secrets = useQuery<SecretsStatus, IpcError>({ queryKey: keys.secrets, queryFn: api.secretsStatus });
  const place = usePlace();
  if (place.path === '/settings' && place.query.get('part') === 'secrets') return null;
  if (!secrets.data || secrets.data.state === 'ready') return null;
  const locked = secrets.data.state === 'locked';
  return (
    <div className="banner">
      <Note
        tone="warn"
        icon={<IconLock size={18} aria-hidden />}
        action={
          <Button onClick={() => navigate('/settings?part=secrets')}>{locked ? 'Unlock…' : 'Set up…'}</Button>
        }
      >
        <b>{locked ? 'Passwords and keys are locked.' : 'There is no place for passwords and keys yet.'}</b>{' '}
        {locked
          ? 'Backups and restores need them.'
          : 'This computer has no keyring that can be used. Make a file sealed by a passphrase instead.'}
      </Note>
    </div>
  );
}
