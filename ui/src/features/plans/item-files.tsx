import { ActionIcon, Button, Checkbox } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import type { FolderView, ItemSettings, ServerRow } from '../../ipc';
import { formatBytes } from '../../shared/format';
import { RemoteBrowser } from '../../shared/paths';
import { Card, PathText } from '../../shared/ui';
import { ExcludeEditor } from './exclude-editor';
import { pathState, togglePath } from './items';

type Files = Extract<ItemSettings, { kind: 'files' }>;
type Sqlite = Extract<ItemSettings, { kind: 'sqlite' }>;

type FilesProps = { settings: Files; server: ServerRow; folders: FolderView[]; onChange: (settings: Files) => void; onRemove: () => void };

/** Files and folders of a server: ticked in its tree, without what is left out. */
export function FilesCard({ settings, server, folders, onChange, onRemove }: FilesProps) {
  const offered = folders.filter((folder) => pathState(settings, folder.path) === 'none').slice(0, 6);
  return (
    <Card title="Files and folders" aside={<RemoveItem name="files and folders" onRemove={onRemove} />} padded>
      <div className="stack">
        <PickedPaths label="Picked" paths={settings.paths} onRemove={(path) => onChange(togglePath(settings, path))} />
        {offered.length > 0 && (
          <div className="presets" role="group" aria-label="Folders worth a look">
            {offered.map((folder) => (
              <Button key={folder.path} size="compact-sm" onClick={() => onChange(togglePath(settings, folder.path))}>
                <span className="mono">+ {folder.path}</span>
                {folder.bytes !== null && <span className="mute">&nbsp;{formatBytes(folder.bytes)}</span>}
              </Button>
            ))}
          </div>
        )}
        <RemoteBrowser
          server={server.id}
          serverName={server.name}
          state={(path) => pathState(settings, path)}
          onToggle={(path) => onChange(togglePath(settings, path))}
          height={260}
        />
        <ExcludeEditor excludes={settings.excludes} onChange={(excludes) => onChange({ ...settings, excludes })} />
        <Checkbox
          label="Stay on one file system"
          description="Leaves out other disks and network shares that are mounted inside the picked folders"
          checked={settings.one_file_system}
          onChange={(event) => onChange({ ...settings, one_file_system: event.currentTarget.checked })}
        />
      </div>
    </Card>
  );
}

type SqliteProps = { settings: Sqlite; server: ServerRow; onChange: (settings: Sqlite) => void; onRemove: () => void };

/** SQLite files of a server: copied by SQLite's own backup command, so that no half-written page gets in. */
export function SqliteCard({ settings, server, onChange, onRemove }: SqliteProps) {
  const toggle = (path: string) => {
    const has = settings.paths.includes(path);
    onChange({ ...settings, paths: has ? settings.paths.filter((one) => one !== path) : [...settings.paths, path] });
  };
  return (
    <Card title="SQLite files" aside={<RemoveItem name="SQLite files" onRemove={onRemove} />} padded>
      <div className="stack">
        <p className="mute">Each file is copied by SQLite itself while its program runs, and checked. A plain copy of a live database may be torn.</p>
        <PickedPaths label="Database files" paths={settings.paths} onRemove={toggle} />
        <RemoteBrowser
          server={server.id}
          serverName={server.name}
          state={(path, folder) => (folder ? null : settings.paths.includes(path) ? 'all' : 'none')}
          onToggle={toggle}
          height={220}
        />
      </div>
    </Card>
  );
}

function PickedPaths({ label, paths, onRemove }: { label: string; paths: string[]; onRemove: (path: string) => void }) {
  if (paths.length === 0) return <p className="mute">Nothing picked yet: tick it below, or type its path.</p>;
  return (
    <ul className="picked" aria-label={label}>
      {paths.map((path) => (
        <li key={path}>
          <PathText path={path} />
          <ActionIcon size="sm" variant="subtle" color="gray" aria-label={`Take out ${path}`} onClick={() => onRemove(path)}>
            <IconX size={14} />
          </ActionIcon>
        </li>
      ))}
    </ul>
  );
}

/** Takes an item out of the plan. */
export function RemoveItem({ name, onRemove }: { name: string; onRemove: () => void }) {
  return (
    <ActionIcon size="sm" variant="subtle" color="gray" aria-label={`Take ${name} out of the plan`} onClick={onRemove}>
      <IconX size={14} />
    </ActionIcon>
  );
}
