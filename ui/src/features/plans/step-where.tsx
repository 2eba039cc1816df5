import { ActionIcon, Button, Checkbox, TextInput } from '@mantine/core';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import type { DestinationRow, IpcError, PlanDraft } from '../../ipc';
import { Card, Chip, EmptyState, ErrorNote, Note, PathText, Size, StateBadge } from '../../shared/ui';
import { destinationEffect, moved, toggled } from './layout';

type OrderProps = { draft: PlanDraft; destinations: DestinationRow[]; onChange: (draft: PlanDraft) => void };
type WhereProps = OrderProps & { serverName: string; onAdd: () => void };

/** Ticks the destinations, and puts several in order. */
export function WhereStep({ draft, destinations, serverName, onChange, onAdd }: WhereProps) {
  if (destinations.length === 0) {
    return (
      <Card>
        <EmptyState
          title="No destination yet"
          text="A plan needs a place to write to. Add one; what is filled in here is kept."
          action={<Button variant="filled" onClick={onAdd}>Add a destination</Button>}
        />
      </Card>
    );
  }
  const toggle = (row: DestinationRow) => onChange({ ...draft, destinations: toggled(draft, row, destinations) });
  const vault = draft.layout.kind === 'vault';
  const onItself = destinations.filter((row) => draft.destinations.includes(row.id) && row.on_servers.includes(draft.server));
  return (
    <>
      <Card title="Destinations" aside={draft.destinations.length > 1 ? 'Read once, written to each' : undefined}>
        {destinations.map((row) => (
          <label className="tick-row" key={row.id}>
            <Checkbox checked={draft.destinations.includes(row.id)} onChange={() => toggle(row)} aria-label={row.name} />
            <span className="grow">
              <b>{row.name}</b>
              <div><PathText path={row.place} /></div>
            </span>
            {vault && !row.vault && <Chip>no vault</Chip>}
            {row.free_bytes !== null && <span className="mute tick-free"><Size bytes={row.free_bytes} /> free</span>}
            <StateBadge state={row.state} title={row.state_text || undefined} />
          </label>
        ))}
      </Card>
      {onItself.map((row) => (
        <Note tone="warn" key={row.id}>
          {row.name} lies on {serverName} itself. Its backups are lost with that server, and whoever breaks in there can delete them{draft.destinations.length > onItself.length ? '' : ': tick another place as well'}.
        </Note>
      ))}
      {draft.destinations.length > 1 && <Order draft={draft} destinations={destinations} onChange={onChange} />}
      <div className="row">
        <Button onClick={onAdd}>Add another destination</Button>
      </div>
    </>
  );
}

/** The order: the first is the primary, which is read where no other is nearer. */
function Order({ draft, destinations, onChange }: OrderProps) {
  const chosen = draft.destinations.flatMap((id) => destinations.filter((row) => row.id === id));
  const move = (id: string, by: -1 | 1) => onChange({ ...draft, destinations: moved(draft.destinations, id, by) });
  return (
    <Card title="In this order">
      <ol className="order">
        {chosen.map((row, i) => (
          <li key={row.id}>
            <span className="order-number" aria-hidden>{i + 1}</span>
            <span className="grow">
              <b>{row.name}</b> {i === 0 && <Chip>primary</Chip>}
              <div className="mute small">{destinationEffect(row, draft, destinations)}{i === 0 ? '; read first among those equally near' : ''}</div>
            </span>
            <ActionIcon variant="subtle" color="gray" disabled={i === 0} aria-label={`Move ${row.name} up`} onClick={() => move(row.id, -1)}><IconArrowUp size={16} /></ActionIcon>
            <ActionIcon variant="subtle" color="gray" disabled={i === chosen.length - 1} aria-label={`Move ${row.name} down`} onClick={() => move(row.id, 1)}><IconArrowDown size={16} /></ActionIcon>
          </li>
        ))}
      </ol>
      <p className="order-foot mute small">One that fails during a backup is marked and made good later by Sync, without reading the server again. To bring something back, the nearest is read: a folder of this computer, then SFTP, S3 and FTP, cold storage last.</p>
    </Card>
  );
}

type NameProps = { name: string; problem: string | null; error: IpcError | null; onName: (name: string) => void };

/** The plan's name. */
export function NameStep({ name, problem, error, onName }: NameProps) {
  return (
    <Card padded>
      <div className="stack">
        {error && <ErrorNote error={error} />}
        <TextInput
          label="Name of the plan"
          description="How it is called in lists, messages and on the command line"
          autoFocus
          value={name}
          error={name === '' ? null : problem}
          onChange={(event) => onName(event.currentTarget.value)}
        />
      </div>
    </Card>
  );
}
