import { CloseButton, TextInput } from '@mantine/core';
import { IconDatabase, IconFile, IconFolder, IconLink, IconSearch } from '@tabler/icons-react';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import { api, toIpcError, type BackupEntry, type BackupItem, type IpcError } from '../../ipc';
import { formatBytes, plural } from '../format';
import { keys } from '../query';
import { ErrorNote, showError } from '../ui';
import { isWithin, parentOf } from './paths';
import { pickedState, togglePicked } from './selection';
import { TreeView } from './tree-view';

type Line = BackupEntry & { folder: boolean };

const NEVER_STALE = { staleTime: Infinity, retry: false } as const;

/** How the entries of a folder of a backup are read. */
function list(backup: string, path: string) {
  return {
    queryKey: keys.backupList(backup, path),
    queryFn: async (): Promise<Line[]> => (await api.backupList(backup, path)).map(withFolder),
    ...NEVER_STALE,
  };
}

function withFolder(entry: BackupEntry): Line {
  return { ...entry, folder: entry.kind === 'dir' };
}

/** Where Backstay puts what is no file of the server: dumps of databases, and facts about the backup. */
const OWN = '.backstay';

/** What the server gave comes first, Backstay's own folder last. */
function ownLast(lines: readonly Line[]): readonly Line[] {
  return lines.some((line) => line.path === OWN) ? [...lines.filter((line) => line.path !== OWN), ...lines.filter((line) => line.path === OWN)] : lines;
}

/** The folder in which nothing is to be chosen: the only thing there is. */
function onlyFolder(lines: readonly Line[]): string | null {
  const there = lines.filter((line) => line.path !== OWN);
  return there.length === 1 && there[0]?.folder ? there[0].path : null;
}

type Props = {
  backup: string;
  /** What the backup is called, for screen readers. */
  name: string;
  items: readonly BackupItem[];
  /** Given together: parts can be picked. */
  picked?: readonly string[];
  onPick?: (picked: string[]) => void;
  height: number | 'fill';
};

/** What lies in a backup: folders with sizes and marks of change, searchable, parts of it to be picked. */
export function BackupTree({ backup, name, items, picked, onPick, height }: Props) {
  const client = useQueryClient();
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [typed, setTyped] = useState('');
  const [text] = useDebouncedValue(typed.trim(), 200);
  const top = useQuery<Line[], IpcError>(list(backup, ''));
  const found = useQuery<Line[], IpcError>({
    queryKey: keys.backupSearch(backup, text),
    queryFn: async () => (await api.backupSearch(backup, text)).map(withFolder),
    enabled: text.length >= 2,
    ...NEVER_STALE,
  });
  const lone = top.data ? onlyFolder(top.data) : null;
  // Folders with nothing but one folder in them open by themselves, down to where there is something to choose.
  const chain = useCallback(async (from: string) => {
    const opened = [from];
    try {
      for (let at: string | null = from; at !== null && opened.length < 64; ) {
        at = onlyFolder(await client.fetchQuery(list(backup, at)));
        if (at !== null) opened.push(at);
      }
    } catch {
      // The folder's own line says why it cannot be read.
    }
    return opened;
  }, [backup, client]);
  useEffect(() => {
    if (lone !== null) void chain(lone).then((opened) => setOpen((old) => new Set([...old, ...opened])));
  }, [lone, chain]);
  const openAs = (next: ReadonlySet<string>) => {
    setOpen(next);
    for (const path of next) {
      if (!open.has(path)) void chain(path).then((opened) => setOpen((old) => (old.has(path) ? new Set([...old, ...opened]) : old)));
    }
  };
  const searching = text.length >= 2;
  const databases = items.some((item) => item.path !== '');
  const shown = searching ? found : top;

  const toggle = async (path: string) => {
    if (!picked || !onPick) return;
    try {
      // Unpicking inside a picked folder keeps its siblings, so all folders on the way must be known first.
      const above = picked.find((one) => isWithin(path, one));
      for (let at = above === undefined ? null : parentOf(path); at !== null && above !== undefined && isWithin(at, above); at = parentOf(at)) {
        await client.fetchQuery(list(backup, at));
      }
      const childrenOf = (folder: string) => client.getQueryData<Line[]>(keys.backupList(backup, folder))?.map((line) => line.path);
      onPick(togglePicked(picked, path, childrenOf));
    } catch (thrown) {
      showError(toIpcError(thrown));
    }
  };

  return (
    <div className={height === 'fill' ? 'backup-tree backup-tree-fill' : 'backup-tree'}>
      <div className="backup-tree-bar">
        <TextInput
          w={240}
          aria-label="Search in this backup"
          placeholder="Search in this backup"
          leftSection={<IconSearch size={15} aria-hidden />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Escape' || typed === '') return;
            event.stopPropagation();
            setTyped('');
          }}
          rightSection={typed !== '' && <CloseButton size="sm" aria-label="Clear search" onClick={() => setTyped('')} />}
        />
        {searching && found.data && <span className="mute small">{found.data.length >= 1000 ? 'The first 1,000 shown' : plural(found.data.length, 'match', 'matches')}</span>}
      </div>
      {shown.error && <div className="card-pad"><ErrorNote error={shown.error} retry={() => void shown.refetch()} /></div>}
      {shown.isPending && !shown.error && <p className="mute card-pad" role="status">{searching ? 'Searching…' : 'Reading the list of contents…'}</p>}
      {shown.data?.length === 0 && <p className="mute card-pad">{searching ? `Nothing in this backup has "${text}" in its name.` : 'Nothing lies in this backup.'}</p>}
      {shown.data && shown.data.length > 0 && (
        <TreeView<Line>
          key={searching ? 'search' : 'all'}
          label={`Contents of ${name}`}
          top={searching ? shown.data : ownLast(shown.data)}
          children={(path) => list(backup, path)}
          open={open}
          onOpen={openAs}
          height={height}
          row={(line) => <Row line={line} item={items.find((item) => item.path !== '' && item.path === line.path)} databases={databases} whole={searching} />}
          {...(picked && onPick
            ? { ticks: { state: (line: Line) => pickedState(picked, line.path), toggle: (line: Line) => void toggle(line.path) } }
            : {})}
        />
      )}
    </div>
  );
}

type RowProps = { line: Line; item: BackupItem | undefined; databases: boolean; whole: boolean };

/** `databases`: some lie in Backstay's own folder. */
function Row({ line, item, databases, whole }: RowProps) {
  const own = line.path === OWN;
  const Symbol = item || (own && databases) ? IconDatabase : line.folder ? IconFolder : line.kind === 'link' ? IconLink : IconFile;
  const title = [line.path, line.mode, line.owner, line.folder ? plural(line.files, 'file') : '', line.target ? `to ${line.target}` : ''].filter(Boolean).join('  ');
  return (
    <>
      <span className="tree-name" title={title}>
        <Symbol size={15} aria-hidden />
        {own ? <span className="clip">{databases ? 'Databases, and how this backup was made' : 'How this backup was made'}</span> : <span className="mono clip">{whole ? line.path : line.name}</span>}
        {item && <span className="mute small clip">{item.text}</span>}
        {line.target && <span className="mute small clip">to {line.target}</span>}
      </span>
      {!own && <ChangeMark change={line.change} folder={line.folder} />}
      <span className="tree-meta backup-tree-size">{line.kind === 'file' || line.folder ? formatBytes(line.bytes) : ''}</span>
    </>
  );
}

/** How an entry differs from the backup before: a sign and a word, never colour alone. */
function ChangeMark({ change, folder }: { change: string | null; folder: boolean }) {
  if (change === null) return null;
  const sign = change === 'added' ? '+' : '~';
  const word = folder ? 'changed inside' : change;
  return (
    <span className={`change change-${change}`} title={`${word} since the backup before`}>
      <span aria-hidden>{sign}</span> <span className="change-word">{word}</span>
    </span>
  );
}
