import { Button } from '@mantine/core';
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react';
import { type RunDetail, type RunRow } from '../../ipc';
import { formatBytes, formatCount, formatDuration, formatExact, plural } from '../../shared/format';
import { runEnded, useRun } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { Card, ErrorNote, Note, Page, ProgressCard, StateBadge } from '../../shared/ui';
import { STEPS } from './form';

type Props = { backup: string; run: string; name: string };

/** A restore under way, then its report. */
export function RestoreRun({ backup, run: id, name }: Props) {
  const run = useRun(id);
  const row = run.data?.row;
  const server = row?.server_name ?? '';
  const ended = row !== undefined && runEnded(row.state);
  return (
    <Page
      title={server ? `Restore ${name} to ${server}` : `Restore ${name}`}
      text={ended ? endedText(row) : 'You may close this page or the window: the restore goes on, and Activity shows it'}
      crumbs={[{ title: 'Backups', to: '/backups' }]}
      steps={{ steps: STEPS, current: row?.state === 'done' ? STEPS.length : STEPS.length - 1 }}
    >
      {run.error && <ErrorNote error={run.error} retry={() => void run.refetch()} />}
      {run.isPending && <p className="mute" role="status">Reading how the restore stands…</p>}
      {row && !ended && <ProgressCard run={row} />}
      {run.data && ended && <Report detail={run.data} backup={backup} />}
    </Page>
  );
}

function endedText(row: RunRow): string {
  return row.ended === null ? '' : `Ended ${formatExact(row.ended)}`;
}

/** What came of it, and what to do next. */
function Report({ detail, backup }: { detail: RunDetail; backup: string }) {
  const { row } = detail;
  const server = row.server_name ?? 'the server';
  // What had been written by then is counted only at the end.
  const through = row.state === 'done' || row.state === 'done_with_problems';
  // That it was interrupted is said above.
  const error = row.state === 'interrupted' ? null : row.error;
  const took = row.started !== null && row.ended !== null ? formatDuration(row.ended - row.started) : null;
  return (
    <>
      <Card title="Report" aside={<StateBadge state={row.state} />} padded>
        <div className="stack" style={{ gap: 16 }}>
          <Outcome detail={detail} server={server} />
          <div className="report-counts">
            {through && <Count value={formatCount(row.files)} word={row.files === 1 ? 'item restored' : 'items restored'} />}
            {through && <Count value={formatBytes(row.bytes)} word="written" />}
            {detail.files_deleted > 0 && <Count value={formatCount(detail.files_deleted)} word={detail.files_deleted === 1 ? 'file deleted' : 'files deleted'} />}
            {took !== null && <Count value={took} word="taken" />}
          </div>
          {row.result && <p>{row.result}</p>}
          {error && <ErrorNote error={error} />}
          {row.problems > 0 && (
            <Note tone="warn" action={<Button onClick={() => navigate(`/activity/${row.id}?tab=problems`)}>Show them</Button>}>
              {plural(row.problems, 'problem')}: not everything is as in the backup.
            </Note>
          )}
          {detail.next && detail.next !== error?.hint && <div><b>What next</b><p>{detail.next}</p></div>}
        </div>
      </Card>
      <div className="row">
        {row.state !== 'done' && (
          <Button variant="filled" onClick={() => navigate(`/restore/${backup}`)}>Restore again…</Button>
        )}
        <Button onClick={() => navigate(`/backups/${backup}`)}>Show the backup</Button>
        <Link to={`/activity/${row.id}`}>Log of this restore</Link>
      </div>
    </>
  );
}

function Outcome({ detail, server }: { detail: RunDetail; server: string }) {
  const { row } = detail;
  switch (row.state) {
    case 'done':
      return <Note tone="good" icon={<IconCheck size={18} aria-hidden />}>Restored to {server}, without problems.</Note>;
    case 'done_with_problems':
      return <Note tone="warn">Restored to {server}, but with {plural(row.problems, 'problem')}.</Note>;
    case 'cancelled':
      return <Note tone="warn">Cancelled. What had been written to {server} by then stays there; restore again to make it whole.</Note>;
    case 'interrupted':
      return <Note tone="bad">Backstay was ended while it restored. What had been written to {server} by then stays there; restore again to make it whole.</Note>;
    default:
      return <Note tone="bad" icon={<IconAlertTriangle size={18} aria-hidden />}>The restore to {server} failed before it was through.</Note>;
  }
}

function Count({ value, word }: { value: string; word: string }) {
  return <div><b>{value}</b><span className="mute">{word}</span></div>;
}
