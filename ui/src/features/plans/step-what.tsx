import { Button, Checkbox, Select } from '@mantine/core';
import { IconPlus, IconRefresh } from '@tabler/icons-react';
import { useLayoutEffect, useRef } from 'react';
import { api, type FoundView, type ItemDraft, type ItemSettings, type PlanDraft, type ServerFactsView, type ServerRow } from '../../ipc';
import { useAction, useServer } from '../../shared/query';
import { Ago, Card, Chip, ErrorNote, Size } from '../../shared/ui';
import { DatabaseCard } from './item-database';
import { FilesCard, SqliteCard } from './item-files';
import { KIND_WORDS, addFound, foundState, newItem, removeFound } from './items';

type Props = {
  draft: PlanDraft;
  servers: ServerRow[];
  /** Tick what the server's discovery suggests, as long as nothing is ticked. */
  suggest: boolean;
  onChange: (change: PlanDraft | ((old: PlanDraft) => PlanDraft)) => void;
};

/** Chooses the server, and ticks what of it is backed up. */
export function WhatStep({ draft, servers, suggest, onChange }: Props) {
  const server = useServer(draft.server || null);
  const look = useAction(async () => {
    const known = await api.server(draft.server);
    const facts = await api.discoverServer(known.draft);
    return { server: draft.server, facts };
  });
  const facts = look.result?.server === draft.server ? look.result.facts : (server.data?.facts ?? null);
  const items = draft.items;
  // Suggestions are ticked once for each server, before its findings are painted, and only into a plan that is still
  // empty. Whoever has chosen something by then, or taken everything out, is not overruled by an answer that comes late.
  const suggested = useRef<string | null>(null);
  const setItems = (change: (old: ItemDraft[]) => ItemDraft[]) => {
    suggested.current = draft.server;
    onChange((old) => ({ ...old, items: change(old.items) }));
  };
  useLayoutEffect(() => {
    if (!suggest || !facts || suggested.current === draft.server || items.length > 0) return;
    suggested.current = draft.server;
    const wanted = facts.found.filter((one) => one.suggested).map((one) => one.item);
    if (wanted.length > 0) onChange((old) => ({ ...old, items: wanted.reduce<ItemDraft[]>(addFound, []) }));
  }, [suggest, facts, draft.server, items.length, onChange]);

  const row = servers.find((one) => one.id === draft.server);
  return (
    <>
      <Card padded>
        <Select
          label="Server"
          placeholder="Choose a server"
          data={servers.map((one) => ({ value: one.id, label: one.local ? one.name : `${one.name} (${one.address})` }))}
          value={draft.server || null}
          onChange={(id) => {
            if (!id || id === draft.server) return;
            suggested.current = null;
            onChange((old) => ({ ...old, server: id, items: [] }));
          }}
          searchable={servers.length > 8}
        />
      </Card>
      {row && server.error && <ErrorNote error={server.error} retry={() => void server.refetch()} />}
      {row && server.data && (
        <FoundCard row={row} facts={facts} items={items} busy={look.busy} onLook={() => look.run()} onItems={setItems} />
      )}
      {row && items.map((item, i) => (
        <ItemCard
          key={`${item.settings.kind}-${i}`}
          item={item}
          server={row}
          facts={facts}
          editing={draft.id !== null}
          onChange={(changed) => setItems((old) => old.map((one, at) => (at === i ? changed : one)))}
          onRemove={() => setItems((old) => old.filter((_, at) => at !== i))}
        />
      ))}
      {row && <AddItem items={items} onAdd={(kind) => setItems((old) => [...old, newItem(kind)])} />}
    </>
  );
}

type FoundProps = {
  row: ServerRow;
  facts: ServerFactsView | null;
  items: ItemDraft[];
  busy: boolean;
  onLook: () => void;
  onItems: (change: (old: ItemDraft[]) => ItemDraft[]) => void;
};

/** What was found on the server, to be ticked. */
function FoundCard({ row, facts, items, busy, onLook, onItems }: FoundProps) {
  const found = facts?.found ?? [];
  const seen = facts?.seen ?? null;
  return (
    <Card
      title={`Found on ${row.name}`}
      aside={
        <>
          {seen !== null && <Ago at={seen} prefix="looked " />}
          <Button size="compact-xs" variant="subtle" leftSection={<IconRefresh size={14} />} loading={busy} onClick={onLook}>
            {facts ? 'Look again' : 'Look what is there'}
          </Button>
        </>
      }
    >
      {found.length === 0 ? (
        <p className="mute card-pad">{facts ? 'No databases were found. Pick folders below.' : `Backstay has not looked at ${row.name} yet.`}</p>
      ) : (
        <ul className="found">
          {found.map((one, i) => <FoundLine key={`${one.title}-${i}`} found={one} items={items} onItems={onItems} />)}
        </ul>
      )}
    </Card>
  );
}

function FoundLine({ found, items, onItems }: { found: FoundView; items: ItemDraft[]; onItems: FoundProps['onItems'] }) {
  const state = foundState(items, found.item);
  return (
    <li>
      <Checkbox
        aria-label={found.title}
        checked={state !== 'out'}
        disabled={state === 'covered'}
        onChange={() => onItems((old) => (state === 'out' ? addFound(old, found.item) : removeFound(old, found.item)))}
      />
      <span className="grow">
        {found.title}
        {found.note && <span className="mute"> · {found.note}</span>}
        {state === 'covered' && <span className="mute"> · in already, with all there is</span>}
      </span>
      <Chip>{KIND_WORDS[found.item.settings.kind]}</Chip>
      {found.bytes !== null && <span className="mute"><Size bytes={found.bytes} /></span>}
    </li>
  );
}

function AddItem({ items, onAdd }: { items: ItemDraft[]; onAdd: (kind: ItemSettings['kind']) => void }) {
  const kinds = (Object.keys(KIND_WORDS) as ItemSettings['kind'][]).filter(
    (kind) => kind === 'mysql' || kind === 'postgres' || !items.some((item) => item.settings.kind === kind),
  );
  return (
    <div className="row" style={{ flexWrap: 'wrap' }} role="group" aria-label="Add to the plan">
      {kinds.map((kind) => (
        <Button key={kind} leftSection={<IconPlus size={16} />} onClick={() => onAdd(kind)}>
          {kind === 'files' ? 'Files and folders' : kind === 'sqlite' ? 'SQLite files' : KIND_WORDS[kind]}
        </Button>
      ))}
    </div>
  );
}

type ItemProps = {
  item: ItemDraft;
  server: ServerRow;
  facts: ServerFactsView | null;
  editing: boolean;
  onChange: (item: ItemDraft) => void;
  onRemove: () => void;
};

function ItemCard({ item, server, facts, editing, onChange, onRemove }: ItemProps) {
  const { settings } = item;
  const set = (changed: ItemSettings) => onChange({ ...item, settings: changed });
  switch (settings.kind) {
    case 'files':
      return <FilesCard settings={settings} server={server} folders={facts?.folders ?? []} onChange={set} onRemove={onRemove} />;
    case 'sqlite':
      return <SqliteCard settings={settings} server={server} onChange={set} onRemove={onRemove} />;
    case 'mysql':
    case 'postgres':
      return <DatabaseCard item={{ ...item, settings }} found={facts?.found ?? []} stored={editing} onChange={onChange} onRemove={onRemove} />;
  }
}
