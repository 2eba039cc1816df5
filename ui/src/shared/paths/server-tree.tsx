import { Button, TextInput } from '@mantine/core';
import { IconFile, IconFolder, IconLink } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, type IpcError, type ListingEntry } from '../../ipc';
import { formatBytes } from '../format';
import { keys } from '../query';
import { ErrorNote } from '../ui';
import { ancestorsOf, serverPathProblem, tidyPath } from './paths';
import { TreeView, type Reveal, type Tick } from './tree-view';

type Line = ListingEntry & { folder: boolean };

const FRESH_MS = 30_000;

async function readFolder(server: string, path: string): Promise<Line[]> {
  const listing = await api.browseServer(server, path);
  return listing.entries.map((entry) => ({ ...entry, folder: entry.kind === 'dir' }));
}

type TreeProps = {
  server: string;
  serverName: string;
  open: ReadonlySet<string>;
  onOpen: (open: ReadonlySet<string>) => void;
  ticks?: { state: (path: string, folder: boolean) => Tick | null; toggle: (path: string) => void };
  choice?: { chosen: string; choose: (path: string) => void };
  reveal: Reveal | null;
  height: number;
};

/** The folders of a server, read as they are opened. With `choice`, folders only. */
function ServerTree({ server, serverName, open, onOpen, ticks, choice, reveal, height }: TreeProps) {
  const read = (path: string) => ({
    queryKey: keys.browse(server, path),
    queryFn: () => readFolder(server, path),
    staleTime: FRESH_MS,
    retry: false,
  });
  const top = useQuery<Line[], IpcError>(read('/'));
  if (top.isPending) return <p className="mute card-pad" role="status">Reading the folders of {serverName}…</p>;
  if (top.isError) return <ErrorNote error={top.error} retry={() => void top.refetch()} />;
  const only = (lines: readonly Line[]) => (choice ? lines.filter((line) => line.folder) : lines);
  return (
    <TreeView<Line>
      label={`Folders of ${serverName}`}
      top={only(top.data)}
      children={(path) => ({ ...read(path), queryFn: async () => readFolder(server, path) })}
      open={open}
      onOpen={onOpen}
      reveal={reveal}
      height={height}
      row={(line) => <Row line={line} left={ticks?.state(line.path, line.folder) === 'excluded'} />}
      {...(ticks ? { ticks: { state: (line: Line) => ticks.state(line.path, line.folder), toggle: (line: Line) => ticks.toggle(line.path) } } : {})}
      {...(choice
        ? {
            choice: {
              chosen: (line: Line) => line.path === choice.chosen,
              choose: (line: Line) => {
                if (line.folder) choice.choose(line.path);
              },
            },
          }
        : {})}
    />
  );
}

function Row({ line, left }: { line: Line; left: boolean }): ReactNode {
  const Symbol = line.kind === 'dir' ? IconFolder : line.kind === 'link' ? IconLink : IconFile;
  return (
    <>
      <span className={left ? 'tree-name tree-name-left' : 'tree-name'}>
        <Symbol size={15} aria-hidden />
        <span className="mono clip">{line.name}</span>
        {left && <span className="small">left out</span>}
      </span>
      {line.kind === 'file' && <span className="tree-meta">{formatBytes(line.bytes)}</span>}
    </>
  );
}

type BrowserProps = {
  server: string;
  serverName: string;
  /** How a path is ticked; `null` where it cannot be. */
  state: (path: string, folder: boolean) => Tick | null;
  onToggle: (path: string) => void;
  height?: number;
};

/** Ticks files and folders of a server: by the tree, or by typing a path. */
export function RemoteBrowser({ server, serverName, state, onToggle, height = 300 }: BrowserProps) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [reveal, setReveal] = useState<Reveal | null>(null);
  return (
    <div className="browser">
      <TypedPath
        label={`Add a path of ${serverName}`}
        button="Add"
        onPath={(path) => {
          const now = state(path, false);
          if (now === 'none' || now === 'some') onToggle(path);
          setOpen(withAncestors(open, path));
          setReveal({ path });
        }}
      />
      <ServerTree server={server} serverName={serverName} open={open} onOpen={setOpen} reveal={reveal} height={height} ticks={{ state, toggle: onToggle }} />
    </div>
  );
}

type ChooserProps = {
  server: string;
  serverName: string;
  value: string;
  onChange: (path: string) => void;
  height?: number;
};

/** Chooses one folder of a server: by the tree, or by typing it (it may be one that does not exist yet). */
export function FolderChooser({ server, serverName, value, onChange, height = 220 }: ChooserProps) {
  const [open, setOpen] = useState<ReadonlySet<string>>(() => withAncestors(new Set(), value));
  const [reveal] = useState<Reveal | null>(() => (value === '' ? null : { path: tidyPath(value) }));
  const problem = value === '' ? null : serverPathProblem(value);
  return (
    <div className="browser">
      <div className="browser-bar">
        <TextInput
          className="grow"
          classNames={{ input: 'mono' }}
          aria-label={`Folder on ${serverName}`}
          placeholder="/srv/restored"
          value={value}
          error={problem}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      </div>
      <ServerTree
        server={server}
        serverName={serverName}
        open={open}
        onOpen={setOpen}
        reveal={reveal}
        height={height}
        choice={{ chosen: tidyPath(value), choose: onChange }}
      />
    </div>
  );
}

function withAncestors(open: ReadonlySet<string>, path: string): ReadonlySet<string> {
  if (serverPathProblem(path) !== null) return open;
  return new Set([...open, ...ancestorsOf(tidyPath(path)).filter((one) => one !== '/')]);
}

/** A path typed and taken with Enter or the button. */
function TypedPath({ label, button, onPath }: { label: string; button: string; onPath: (path: string) => void }) {
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const take = () => {
    const wrong = serverPathProblem(typed);
    setProblem(wrong);
    if (wrong !== null) return;
    onPath(tidyPath(typed));
    setTyped('');
  };
  return (
    <div className="browser-bar">
      <TextInput
        className="grow"
        classNames={{ input: 'mono' }}
        aria-label={label}
        placeholder="Type a path, for example /srv/www"
        value={typed}
        error={problem}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setProblem(null);
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          take();
        }}
      />
      <Button onClick={take}>{button}</Button>
    </div>
  );
}
