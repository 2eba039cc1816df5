import { Button } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import type { CopyView, RunRow } from '../../ipc';
import { useSync } from '../../shared/query';
import { Link } from '../../shared/router';
import { Note } from '../../shared/ui';
import { useBackupOf, useRunProblems } from './queries';

/** After a backup that did not get everywhere: where it is missing, and the way to make that good. */
export function MissingCopies({ run }: { run: RunRow }) {
  const backup = useBackupOf(run.kind === 'backup' ? run.backup : null);
  const missing = (backup.data?.copies ?? []).filter((copy) => copy.state === 'missing');
  const problems = useRunProblems(run.id, '');
  const why = (name: string) => problems.data?.rows.find((problem) => problem.kind === 'other' && problem.subject === name)?.reason ?? null;
  if (missing.length === 0) return null;
  return (
    <>
      {missing.map((copy) => <MissingCopy key={copy.destination} copy={copy} server={run.server_name} why={why(copy.destination_name)} />)}
    </>
  );
}

function MissingCopy({ copy, server, why }: { copy: CopyView; server: string | null; why: string | null }) {
  const sync = useSync();
  const { destination: id, destination_name: name } = copy;
  return (
    <Note
      tone="warn"
      action={<Button leftSection={<IconRefresh size={16} />} loading={sync.busy} aria-label={`Sync now: ${name}`} onClick={() => sync.run({ id, name })}>Sync now</Button>}
    >
      This backup did not get to <Link to={`/destinations/${id}`}>{name}</Link> yet. {why ?? <>Sync copies it there from another destination; {server ?? 'the server'} is not read again.</>}
    </Note>
  );
}
