import { Button, Select } from '@mantine/core';
import { IconActivity } from '@tabler/icons-react';
import { useState } from 'react';
import type { RunRow } from '../../ipc';
import { dayGroup, formatBytes, formatDuration, formatExact, plural, whenText } from '../../shared/format';
import { useActiveRuns, runEnded } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { Card, DataTable, EmptyState, Page, ProgressCard, StateBadge, kindWord, useNow, type Column } from '../../shared/ui';
import { useResumeDownload, useRunHistory } from './queries';
import { outcome, took } from './words';
import './activity.css';

const KINDS = [
  { value: '', label: 'All kinds' }, { value: 'backup', label: 'Backups' }, { value: 'restore', label: 'Restores' },
  { value: 'download', label: 'Downloads' }, { value: 'verify', label: 'Checks' }, { value: 'sync', label: 'Syncs' }, { value: 'prune', label: 'Clean-ups' },
];

/** When a run began; one that never did, when it was asked for. */
const begun = (run: RunRow) => run.started ?? run.created;

const columns = (now: number): Column<RunRow>[] => [
  { key: 'when', title: 'When', width: '126px', cell: (run) => <time className="mute" dateTime={new Date(begun(run)).toISOString()} title={formatExact(begun(run))}>{whenText(begun(run), now)}</time> },
  { key: 'kind', title: 'Kind', width: '96px', cell: (run) => kindWord(run.kind) },
  { key: 'title', title: 'What', width: 'minmax(0, 2fr)', cell: (run) => <b title={run.title}>{run.title}</b> },
  { key: 'server', title: 'Server', width: 'minmax(0, 1fr)', hideBelow: 720, cell: (run) => <span className="mute">{run.server_name ?? ''}</span> },
  { key: 'state', title: 'Outcome', width: 'minmax(150px, 1.2fr)', cell: (run) => <StateBadge state={run.state} text={outcome(run)} title={run.error?.message} /> },
  { key: 'took', title: 'Took', width: '92px', right: true, cell: (run) => <span className="mute">{run.started === null || run.ended === null ? '' : formatDuration(took(run, run.ended) ?? 0)}</span> },
];

/** What runs now, and what ran before. */
export function ActivityPage() {
  const [kind, setKind] = useState('');
  const now = useNow();
  const active = useActiveRuns();
  const history = useRunHistory(kind || null);
  const live = active.data?.rows ?? [];
  const before = history.data?.filter((run) => runEnded(run.state));
  const stopped = (history.data ?? []).filter((run) => run.resumable).slice(0, 3);
  const running = live.filter((run) => run.state === 'running').length;
  const text = live.length === 0 ? 'Nothing is running' : [running > 0 ? `${running} running` : '', live.length > running ? `${live.length - running} waiting` : ''].filter(Boolean).join(', ');
  return (
    <Page title="Activity" text={text} fill>
      {live.length > 0 && (
        <div className="live">
          {live.map((run) => <ProgressCard key={run.id} run={run} linked />)}
        </div>
      )}
      {stopped.length > 0 && <Stopped runs={stopped} />}
      <Card
        className="card-fill"
        title="Before"
        aside={<Select aria-label="Kind of run" data={KINDS} value={kind} onChange={(value) => setKind(value ?? '')} w={130} />}
      >
        <DataTable
          fill
          label="Runs before"
          rows={before}
          columns={columns(now)}
          rowKey={(run) => run.id}
          rowName={(run) => `${kindWord(run.kind)} ${run.title}, ${formatExact(begun(run))}`}
          error={history.error}
          onRetry={() => void history.refetch()}
          groupOf={(run) => dayGroup(begun(run), now)}
          onOpen={(run) => navigate(`/activity/${run.id}`)}
          onMore={history.hasNextPage && !history.isFetchingNextPage ? () => void history.fetchNextPage() : undefined}
          loadingMore={history.isFetchingNextPage}
          empty={<EmptyState icon={IconActivity} title={kind ? `No ${plural(2, 'x', KINDS.find((k) => k.value === kind)?.label.toLowerCase()).slice(2)} yet` : 'Nothing has run yet'} text="Backups, restores, downloads, checks and copies are listed here, with what went wrong." />}
        />
      </Card>
    </Page>
  );
}

/** Downloads that were broken off and can go on. */
function Stopped({ runs }: { runs: RunRow[] }) {
  const resume = useResumeDownload();
  return (
    <Card title="Broken off" aside="What came whole is kept">
      <ul className="lines">
        {runs.map((run) => (
          <li key={run.id}>
            <StateBadge state={run.state} />
            <Link className="grow clip" to={`/activity/${run.id}`}>Download of {run.title}</Link>
            {run.bytes > 0 && run.bytes_read > 0 && <span className="mute">{formatBytes(run.bytes_read)} of {formatBytes(run.bytes)}</span>}
            <Button loading={resume.busy} aria-label={`Go on with the download of ${run.title}`} onClick={() => resume.run(run)}>Go on</Button>
          </li>
        ))}
      </ul>
    </Card>
  );
}
