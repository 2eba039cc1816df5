import { Button } from '@mantine/core';
import { IconCheck, IconLock } from '@tabler/icons-react';
import { useState } from 'react';
import type { Adopted, ConfigurationCopy, ExistingFound, IpcError } from '../../ipc';
import { formatExact, plural } from '../../shared/format';
import { useDestinations, usePlans, useServers } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { Ago, Card, ErrorNote, Note } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { KeyFields, type GivenKey } from './open-key';
import { missingSecretPlace } from './missing';

type Props = {
  found: ExistingFound;
  /** The configuration to take over; `null` is none. */
  copy: string | null;
  onCopy: (copy: string | null) => void;
  given: GivenKey;
  onKey: (key: GivenKey) => void;
  opening: boolean;
  error: IpcError | null;
  onTry: () => void;
};

const NONE = '';

/** What lies there: backups, locked ones, and the settings other computers kept beside them. */
export function FoundStep({ found, copy, onCopy, given, onKey, opening, error, onTry }: Props) {
  const [asking, setAsking] = useState(false);
  return (
    <>
      {error && <ErrorNote error={error} />}
      <Note tone="good" icon={<IconCheck size={18} aria-hidden />}>
        {plural(found.backups, 'backup')} found at {found.destination.name}. {found.backups === 1 ? 'It is' : 'They are'} in Backups now.
      </Note>
      {found.locked > 0 && (
        <Note tone="warn" icon={<IconLock size={18} aria-hidden />} action={asking ? undefined : <Button onClick={() => setAsking(true)}>Give another key…</Button>}>
          {plural(found.locked, 'archive')} cannot be opened by this key. {found.locked === 1 ? 'It was' : 'They were'} sealed by another plan or passphrase.
        </Note>
      )}
      {asking && found.locked > 0 && (
        <Card title="Another key" padded>
          <div className="stack">
            <KeyFields given={given} plain={false} onKey={onKey} />
            <div className="row"><Button loading={opening} disabled={given.text.trim() === ''} onClick={onTry}>Try it</Button></div>
          </div>
        </Card>
      )}
      {found.configurations.length > 0 ? (
        <Card title="Settings kept beside the backups" padded>
          <Choices
            label="Settings to take over"
            value={copy ?? NONE}
            onChange={(value) => onCopy(value === NONE ? null : value)}
            options={[
              ...found.configurations.filter(hasNews).map((one) => ({
                value: one.id,
                title: <>Settings of {one.computer} <span className="mute">saved <Ago at={one.made} /></span></>,
                text: newsText(one),
              })),
              { value: NONE, title: 'Take over nothing', text: 'Only the backups are listed; servers and plans are set up by hand.' },
            ]}
          />
          {found.configurations.filter((one) => !hasNews(one)).map((one) => (
            <p key={one.id} className="mute small known-copy">{one.computer}, {formatExact(one.made)}: all in it is set up here already.</p>
          ))}
        </Card>
      ) : (
        <Card padded><p className="mute">No settings are kept beside these backups, or none that this key opens. Servers and plans are set up by hand.</p></Card>
      )}
    </>
  );
}

function hasNews(copy: ConfigurationCopy): boolean {
  return copy.servers.length + copy.plans.length + copy.destinations.length > 0;
}

function newsText(copy: ConfigurationCopy): string {
  const part = (names: string[], one: string) => (names.length === 0 ? '' : `${plural(names.length, one)}: ${names.slice(0, 6).join(', ')}${names.length > 6 ? ' …' : ''}`);
  return [part(copy.servers, 'server'), part(copy.plans, 'plan'), part(copy.destinations, 'destination')].filter(Boolean).join('. ');
}

/** What taking over does, at the right. */
export function FoundSide({ copy }: { copy: boolean }) {
  return (
    <div className="card-pad stack">
      {copy
        ? <p>Its servers, plans and destinations are added to yours. What is here already stays as it is. Passwords and keys are not kept there: what is missing is listed next.</p>
        : <p>The backups can be looked into, downloaded and restored at once.</p>}
      <p>Nothing runs by itself: plans that are taken over wait until you start them.</p>
    </div>
  );
}

/** What was taken over, and what must be given before it works. */
export function AdoptedStep({ found, adopted }: { found: ExistingFound; adopted: Adopted | null }) {
  const servers = useServers();
  const plans = usePlans();
  const destinations = useDestinations();
  const known = { servers: servers.data ?? [], plans: plans.data ?? [], destinations: destinations.data ?? [] };
  const missing = adopted?.missing_secrets ?? [];
  const news = adopted ? [adopted.servers > 0 ? plural(adopted.servers, 'server') : '', adopted.plans > 0 ? plural(adopted.plans, 'plan') : '', adopted.destinations > 0 ? plural(adopted.destinations, 'destination') : ''].filter(Boolean) : [];
  return (
    <>
      <Note tone="good" icon={<IconCheck size={18} aria-hidden />}>
        {plural(found.backups, 'backup')} at {found.destination.name} can be looked into, downloaded and restored.
        {news.length > 0 && <> Taken over: {news.join(', ')}.</>}
        {adopted && news.length === 0 && <> Everything in those settings was here already.</>}
      </Note>
      <Note tone="run" action={<Button onClick={() => navigate(`/destinations/${found.destination.id}/edit`)}>Test it…</Button>}>
        Only reading was tried. Before plans write there, let Backstay test whether they can.
      </Note>
      {missing.length > 0 && (
        <Card title="Still needed before plans can run" aside={missing.length}>
          <ul className="lines">
            {missing.map((line) => {
              const to = missingSecretPlace(line, known);
              return (
                <li key={line}>
                  <span className="grow">{line}</span>
                  {to && <Link to={to} aria-label={`Give it… ${line}`}>Give it…</Link>}
                </li>
              );
            })}
          </ul>
        </Card>
      )}
    </>
  );
}
