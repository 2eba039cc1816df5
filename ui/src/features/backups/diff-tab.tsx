import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, type BackupDetail, type DiffLineView, type DiffView, type IpcError } from '../../ipc';
import { formatBytes, formatCount } from '../../shared/format';
import { keys } from '../../shared/query';
import { DataTable, EmptyState, ErrorNote, PathText, type Column } from '../../shared/ui';
import { diffText, sizeChange } from './form';

const SIGNS: Record<string, string> = { added: '+', removed: '−', changed: '~', metadata: '·' };

const COLUMNS: Column<DiffLineView>[] = [
  {
    key: 'change',
    title: 'Change',
    width: '96px',
    sortValue: (line) => line.change,
    cell: (line) => <span className={`change change-${line.change}`}><span aria-hidden>{SIGNS[line.change] ?? ''}</span> {line.change === 'metadata' ? 'rights' : line.change}</span>,
  },
  { key: 'path', title: 'Path', width: 'minmax(0, 1fr)', sortValue: (line) => line.path, cell: (line) => <PathText path={line.path} /> },
  {
    key: 'size',
    title: 'Size',
    width: '96px',
    right: true,
    sortValue: (line) => Math.abs(sizeChange(line)),
    cell: (line) => <span title={`${formatBytes(line.old_bytes)} before, ${formatBytes(line.new_bytes)} now`}>{sizeChange(line) > 0 ? '+' : ''}{formatBytes(sizeChange(line))}</span>,
  },
];

/** What changed since the backup before, by how much it grew or shrank. */
export function DiffTab({ detail }: { detail: BackupDetail }) {
  const older = detail.previous;
  const diff = useQuery<DiffView, IpcError>({
    queryKey: keys.backupDiff(older ?? '', detail.row.id),
    queryFn: () => api.backupDiff(older ?? '', detail.row.id),
    enabled: older !== null,
    staleTime: Infinity,
  });
  // Without ties to say otherwise the engine's order stays: what changed size most first.
  const lines = useMemo(() => diff.data?.lines, [diff.data]);
  if (older === null) {
    return <EmptyState title="Nothing to compare with" text="This is the first backup of its plan, or the one before it is gone." />;
  }
  if (diff.error) return <div className="card-pad"><ErrorNote error={diff.error} retry={() => void diff.refetch()} /></div>;
  return (
    <>
      {diff.data && (
        <p className="card-pad" style={{ paddingBottom: 8 }}>
          {diffText(diff.data)}; {diff.data.grown_bytes >= 0 ? 'grew by' : 'shrank by'} <b>{formatBytes(Math.abs(diff.data.grown_bytes))}</b>
          {diff.data.total > diff.data.lines.length && <span className="mute">. The {formatCount(diff.data.lines.length)} biggest of {formatCount(diff.data.total)} changes are listed</span>}
        </p>
      )}
      <DataTable<DiffLineView>
        label="Changes since the backup before"
        rows={lines}
        columns={COLUMNS}
        rowKey={(line) => `${line.change}:${line.path}`}
        rowName={(line) => line.path}
        fill
        empty={<EmptyState title="Nothing changed" text="The two backups hold the same." />}
      />
    </>
  );
}
