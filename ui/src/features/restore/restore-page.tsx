import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, type BackupDetail, type IpcError } from '../../ipc';
import { keys, useServers } from '../../shared/query';
import { useParam, usePlace } from '../../shared/router';
import { ErrorNote, Page } from '../../shared/ui';
import { RestoreFlow } from './flow';
import { RestoreRun } from './run';
import './restore.css';

/** Brings a backup back, or parts of it. Once started, its run is in the address: a reload shows how it goes on. */
export function RestorePage() {
  const id = useParam('backup');
  const { query } = usePlace();
  const run = query.get('run');
  const backup = useQuery<BackupDetail, IpcError>({ queryKey: keys.backup(id), queryFn: () => api.backup(id) });
  const servers = useServers();
  const crumbs = [{ title: 'Backups', to: '/backups' }];
  if (run !== null) return <RestoreRun backup={id} run={run} name={backup.data?.row.plan_name ?? 'the backup'} />;
  // What is known goes on being shown: a read that fails meanwhile must not throw away what was filled in.
  if (backup.data && servers.data) return <RestoreFlow key={id} detail={backup.data} servers={servers.data} paths={query.getAll('path')} />;
  const error = backup.error ?? servers.error;
  return (
    <Page title="Restore" crumbs={crumbs}>
      {error ? <ErrorNote error={error} retry={() => void Promise.all([backup.refetch(), servers.refetch()])} /> : <Skeleton height={240} />}
    </Page>
  );
}
