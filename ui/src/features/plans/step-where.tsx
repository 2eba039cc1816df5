import { Button, Checkbox, TextInput } from '@mantine/core';
import type { DestinationRow, IpcError, PlanDraft } from '../../ipc';
import { navigate } from '../../shared/router';
import { Card, EmptyState, ErrorNote, PathText, Size, StateBadge } from '../../shared/ui';

type WhereProps = { draft: PlanDraft; destinations: DestinationRow[]; onChange: (draft: PlanDraft) => void };

/** Ticks the destinations; the first one ticked is the primary. */
export function WhereStep({ draft, destinations, onChange }: WhereProps) {
  if (destinations.length === 0) {
    return (
      <Card>
        <EmptyState
          title="No destination yet"
          text="A plan needs a place to write to. Add one; the plan can be made right after."
          action={<Button variant="filled" onClick={() => navigate('/destinations/new')}>Add a destination</Button>}
        />
      </Card>
    );
  }
  const toggle = (id: string) => {
    const has = draft.destinations.includes(id);
    onChange({ ...draft, destinations: has ? draft.destinations.filter((one) => one !== id) : [...draft.destinations, id] });
  };
  return (
    <>
      <Card title="Destinations" aside={draft.destinations.length > 1 ? 'Read once, written to each' : undefined}>
        {destinations.map((row) => (
          <label className="tick-row" key={row.id}>
            <Checkbox checked={draft.destinations.includes(row.id)} onChange={() => toggle(row.id)} aria-label={row.name} />
            <span className="grow">
              <b>{row.name}</b> <PathText path={row.place} />
            </span>
            <span className="mute"><Size bytes={row.free_bytes} /> free</span>
            <StateBadge state={row.state} title={row.state_text || undefined} />
          </label>
        ))}
      </Card>
      <div className="row">
        <Button onClick={() => navigate('/destinations/new')}>Add another destination</Button>
      </div>
    </>
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
