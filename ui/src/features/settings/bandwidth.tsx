import { Skeleton } from '@mantine/core';
import { useState } from 'react';
import type { BandwidthView, Limits } from '../../ipc';
import { UNLIMITED, limitText } from '../../shared/bandwidth';
import { Card, ErrorNote, useNow } from '../../shared/ui';
import { LimitEditor } from './limit-editor';
import { useLimits } from './limits-queries';
import { useDestinations } from './queries';
import { withLimit } from './rules';

/** For all destinations together. */
const ALL = '';

/** How fast bytes may go: for all destinations together, and for each. It holds at once, in runs under way too. */
export function Bandwidth() {
  const limits = useLimits();
  const destinations = useDestinations();
  const now = useNow();
  const [chosen, setChosen] = useState(ALL);
  const { data } = limits.query;
  if (limits.query.error && !data) return <ErrorNote error={limits.query.error} retry={() => void limits.query.refetch()} />;
  if (!data || !destinations.data) return <Card padded><Skeleton height={160} /></Card>;
  const rows = [{ id: ALL, name: 'all destinations together' }, ...destinations.data.map(({ id, name }) => ({ id, name }))];
  const row = rows.find((each) => each.id === chosen) ?? rows[0];
  const view = viewOf(data, row?.id ?? ALL);
  return (
    <>
      <Card title="How fast bytes may go" aside="Up and down, for backups, copies and downloads">
        <div role="radiogroup" aria-label="Limit of" className="limit-list">
          {rows.map((each) => (
            <label key={each.id} className={each.id === row?.id ? 'limit-row limit-on' : 'limit-row'}>
              <input type="radio" className="own-tick" name="limit-of" checked={each.id === row?.id} onChange={() => setChosen(each.id)} />
              <b className="grow clip">{each.id === ALL ? 'All destinations together' : each.name}</b>
              <span className="mute">{limitText(viewOf(data, each.id), now)}</span>
            </label>
          ))}
        </div>
      </Card>
      <LimitEditor key={row?.id} name={row?.name ?? ''} view={view} onChange={(next) => limits.change(withLimit(data, row?.id ?? ALL, next))} />
    </>
  );
}

function viewOf(limits: Limits, id: string): BandwidthView {
  if (id === ALL) return limits.all;
  return limits.destinations.find((each) => each.destination === id)?.bandwidth ?? UNLIMITED;
}
