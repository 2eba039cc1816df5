import { Select } from '@mantine/core';
import { IconActivity } from '@tabler/icons-react';
import { useState } from 'react';
import type { RunRow } from '../../ipc';
import { dayGroup, formatClock, formatDuration, formatExact, plural } from '../../shared/format';
import { useActiveRuns, runEnded } from '../../shared/query';
import { navigate } from '../../shared/router';
import { Card, DataTable, EmptyState, Page, ProgressCard, StateBadge, kindWord, useNow, type Column } from '../../shared/ui';
import { useCancelRun, useRunHistory } from './queries';
import { outcome, took } from './words';
import './activity.css';

const KINDS = [
  { value: '', label: 'All kinds' }, { value: 'backup', label: 'Backups' }, { value: 'restore', label: 'Restores' },
  { value: 'download', label: 'Downloads' }, { value: 'verify', label: 'Checks' },
];

const COLUMNS: Column<RunRow>[] = [
  { key: 'when', title: 'When', width: '84px', cell: (run) => <span className="mute" title={formatExact(run.created)}>{formatClock(run.started ?? run.created)}</span> },
  { key: 'kind', title: 'Kind', width: '96px', cell: (run) => kindWord(run.kind) },
  { key: 'title', title: 'What', width: 'minmax(0, 2fr)', cell: (run) => <b>{run.title}</b> },
  { key: 'server', title: 'Server', width: 'minmax(0, 1fr)', hideBelow: 640, cell: (run) => <span className="mute">{run.server_name ?? ''}</span> },
  { key: 'state', title: 'Outcome', width: 'minmax(150px, 1.2fr)', cell: (run) => <StateBadge state={run.state} text={outcome(run)} title={run.error?.message} /> },
  { key: 'took', title: 'Took', width: '92px', right: true, cell: (run) => <span className="mute">{run.started === null || run.ended === null ? '' : formatDuration(took(run, run.ended) ?? 0)}</span> },
];

/** What runs now, and what ran before. */
export function ActivityPage() {
  const [kind, setKind] = useState('');
  const now = useNow();
  const active = useActiveRuns();
  const history = useRunHistory(kind || null);
  const cancel = useCancelRun();
  const live = active.data?.rows ?? [];
  const before = history.data?.filter((run) => runEnded(run.state));
  const running = live.filter((run) => run.state === 'running').length;
  const text = live.length === 0 ? 'Nothing is running' : [running > 0 ? `${running} running` : '', live.length > running ? `${live.length - running} waiting` : ''].filter(Boolean).join(', ');
  return (
    <Page title="Activity" text={text} fill>
      {live.length > 0 && (
        <div className="live">
          {live.map((run) => <ProgressCard key={run.id} run={run} linked onCancel={() => cancel.run(run.id)} />)}
        </div>
      )}
      <Card
        className="card-fill"
        title="Before"
        aside={<Select aria-label="Kind of run" data={KINDS} value={kind} onChange={(value) => setKind(value ?? '')} w={130} />}
      >
        <DataTable
          fill
          label="Runs before"
          rows={before}
          columns={COLUMNS}
          rowKey={(run) => run.id}
          rowName={(run) => `${kindWord(run.kind)} ${run.title}, ${formatExact(run.created)}`}
          error={history.error}
          onRetry={() => void history.refetch()}
          groupOf={(run) => dayGroup(run.created, now)}
          onOpen={(run) => navigate(`/activity/${run.id}`)}
          onMore={history.hasNextPage && !history.isFetchingNextPage ? () => void history.fetchNextPage() : undefined}
          loadingMore={history.isFetchingNextPage}
          empty={<EmptyState icon={IconActivity} title={kind ? `No ${plural(2, 'x', KINDS.find((k) => k.value === kind)?.label.toLowerCase()).slice(2)} yet` : 'Nothing has run yet'} text="Backups, restores, downloads and checks are listed here, with what went wrong." />}
        />
      </Card>
    </Page>
  );
}
