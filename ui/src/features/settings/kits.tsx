import { Button, Modal } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import { useState } from 'react';
import { api, dialogs, type DestinationRow, type RecoveryKit } from '../../ipc';
import { useAction } from '../../shared/query';
import { navigate } from '../../shared/router';
import { Card, EmptyState, ErrorNote, KeyValues, Note, PathText, StateBadge, showNote } from '../../shared/ui';
import { useAppInfo, useDestinations } from './queries';

/** The key of each vault, with its recovery kit: the paper that brings everything back without Backstay. */
export function Kits() {
  const destinations = useDestinations();
  const [kit, setKit] = useState<{ of: DestinationRow; kit: RecoveryKit } | null>(null);
  const show = useAction(async (of: DestinationRow) => ({ of, kit: await api.recoveryKit(of.id) }), { onDone: setKit });
  if (destinations.error && !destinations.data) return <ErrorNote error={destinations.error} retry={() => void destinations.refetch()} />;
  const rows = destinations.data ?? [];
  return (
    <Card title="Keys and recovery kits">
      {rows.length === 0 ? (
        <EmptyState icon={IconKey} title="No keys yet" text="Each destination has a key of its own. Its recovery kit is made with it." action={<Button onClick={() => navigate('/destinations/new')}>Add a destination</Button>} />
      ) : (
        <ul className="lines">
          {rows.map((row) => (
            <li key={row.id}>
              <div className="grow"><b>{row.name}</b> <span className="mute"><PathText path={row.place} /></span></div>
              {row.state === 'kit_not_confirmed' && (
                <>
                  <StateBadge state={row.state} />
                  <Button aria-label={`Confirm… the kit of ${row.name}`} onClick={() => navigate(`/destinations/${row.id}`)}>Confirm…</Button>
                </>
              )}
              <Button loading={show.busy} aria-label={`Show kit… of ${row.name}`} onClick={() => show.run(row)}>Show kit…</Button>
            </li>
          ))}
        </ul>
      )}
      <Modal opened={kit !== null} onClose={() => setKit(null)} title={`Recovery kit of ${kit?.of.name ?? ''}`} size="lg">
        {kit && <KitView of={kit.of} kit={kit.kit} />}
      </Modal>
    </Card>
  );
}

function KitView({ of, kit }: { of: DestinationRow; kit: RecoveryKit }) {
  const info = useAppInfo();
  const save = useAction(
    async (format: 'html' | 'txt') => {
      const file = await dialogs.saveFile({ title: 'Save the recovery kit', name: `backstay-kit-${of.name.replace(/[^\w-]+/g, '-')}.${format}`, extension: format, ...(info.data ? { start: info.data.user_home } : {}) });
      if (file) await api.saveRecoveryKit(of.id, file, format);
      return file;
    },
    { onDone: (file) => file && showNote(`Recovery kit saved to ${file}. Keep it away from the backups.`) },
  );
  return (
    <div className="stack">
      <Note tone="warn">Whoever has this can read every backup at {of.name}. Print it, and keep it where a fire or a thief does not get both.</Note>
      <KeyValues rows={[{ name: 'Repository', value: <PathText path={kit.repository} wrap /> }, { name: 'Vault', value: <PathText path={kit.vault_id} wrap /> }, { name: 'Password', value: <PathText path={kit.password} wrap /> }]} />
      {kit.words.length > 1 && <ol className="kit-words">{kit.words.map((word, i) => <li key={i}>{word}</li>)}</ol>}
      <div className="row">
        <Button loading={save.busy} onClick={() => save.run('html')}>Save to print…</Button>
        <Button loading={save.busy} onClick={() => save.run('txt')}>Save as text…</Button>
      </div>
    </div>
  );
}
