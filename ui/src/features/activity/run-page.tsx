import { Button, Skeleton, Tabs } from '@mantine/core';
import { IconCheck, IconDownload } from '@tabler/icons-react';
import { api, type RunDetail } from '../../ipc';
import { formatDuration, formatExact, plural } from '../../shared/format';
import { runEnded, useAction, useRun } from '../../shared/query';
import { Link, navigate, useParam, usePlace } from '../../shared/router';
import { Card, CopyText, EmptyState, ErrorNote, LogLines, Note, Page, ProgressCard, StateBadge, kindWord } from '../../shared/ui';
import { MissingCopies } from './missing-copies';
import { useResumeDownload, useRunProblems } from './queries';
import { RunProblems } from './run-problems';
import { outcome, problemsTab, runNumbers, took } from './words';
import './activity.css';

const CRUMBS = [{ title: 'Activity', to: '/activity' }];

/** One run: how it stands or what came of it, its problems, its log. */
export function RunPage() {
  const id = useParam('id');
  const run = useRun(id);
  if (run.error && !run.data) return <Page title="Run" crumbs={CRUMBS}><ErrorNote error={run.error} retry={() => void run.refetch()} /></Page>;
  if (!run.data) return <Page title="Run" crumbs={CRUMBS}><Card padded><Skeleton height={120} /></Card></Page>;
  return <RunView detail={run.data} />;
}

function RunView({ detail }: { detail: RunDetail }) {
  const { row } = detail;
  const ended = runEnded(row.state);
  const next = detail.next === row.error?.hint ? null : detail.next;
  const text = [row.server_name ?? '', formatExact(row.started ?? row.created), ended && row.ended ? formatDuration(took(row, row.ended) ?? 0) : ''].filter(Boolean).join(' · ');
  return (
    <Page title={<span className="row">{kindWord(row.kind)}: {row.title} {ended && <StateBadge state={row.state} text={outcome(row)} />}</span>} text={text} crumbs={CRUMBS} actions={<RunActions detail={detail} />} fill>
      {!ended && <ProgressCard run={row} />}
      {row.error && <ErrorNote error={row.error} />}
      {row.resumable && <Note tone="run" icon={<IconDownload size={18} aria-hidden />}>What came whole is kept. An archive fetched as it lies there goes on where it was, a tar after the last file that was packed whole; a .zip is packed anew. The hash is checked at the end.</Note>}
      {row.state === 'interrupted' && !row.error && !row.resumable && row.kind !== 'restore' && <Note tone="warn">Backstay was ended while this ran. Nothing half-made is left behind; run it again.</Note>}
      {ended && (row.result || next) && (
        <Note tone={row.state === 'done' ? 'good' : 'run'}>
          {row.result && <div>{row.result}</div>}
          {next && <div>{next}</div>}
        </Note>
      )}
      {ended && <MissingCopies run={row} />}
      {ended && <Numbers detail={detail} />}
      <RunTabs detail={detail} />
    </Page>
  );
}

function RunActions({ detail }: { detail: RunDetail }) {
  const { row } = detail;
  const open = (id: string) => navigate(`/activity/${id}`, { replace: true });
  const again = useAction(api.startBackup, { changes: ['runs'], onDone: open });
  const check = useAction(api.startVerify, { changes: ['runs'], onDone: open });
  const resume = useResumeDownload(open);
  if (!runEnded(row.state)) return null;
  const { plan, backup } = row;
  const failed = row.state !== 'done' && row.state !== 'done_with_problems';
  return (
    <>
      {backup && row.kind !== 'restore' && <Button onClick={() => navigate(`/backups/${backup}`)}>Open the backup</Button>}
      {row.kind === 'backup' && plan && <Button variant={failed ? 'filled' : 'default'} loading={again.busy} onClick={() => again.run(plan)}>{failed ? 'Try again' : 'Back up again'}</Button>}
      {row.kind === 'verify' && backup && <Button loading={check.busy} onClick={() => check.run(backup)}>Check again</Button>}
      {row.kind === 'restore' && backup && <Button onClick={() => navigate(`/restore/${backup}`)}>Restore again…</Button>}
      {row.resumable && <Button variant="filled" loading={resume.busy} onClick={() => resume.run(row)}>Go on with it</Button>}
      {row.kind === 'download' && backup && failed && !row.resumable && <Button onClick={() => navigate(`/backups/${backup}`)}>Try again from the backup</Button>}
    </>
  );
}

function Numbers({ detail }: { detail: RunDetail }) {
  const numbers = runNumbers(detail.row, detail);
  if (numbers.length === 0) return null;
  return (
    <Card>
      <dl className="numbers">
        {numbers.map((number) => <div key={number.name}><dt>{number.name}</dt><dd>{number.value}</dd></div>)}
      </dl>
    </Card>
  );
}

function RunTabs({ detail }: { detail: RunDetail }) {
  const { path, query } = usePlace();
  const { progress } = detail.row;
  const problems = Math.max(detail.row.problems, progress?.problems ?? 0);
  const ended = runEnded(detail.row.state);
  // A destination that fails becomes a problem only as the run ends.
  const failed = ended ? 0 : (progress?.destinations ?? []).filter((place) => place.state === 'failed').length;
  // What was skipped spoils no outcome and counts as no problem, but it is in the list.
  const list = useRunProblems(detail.row.id, '', { enabled: ended }).data;
  const listed = ended && list ? list.total : 0;
  const tab = query.get('tab') ?? (problems > 0 ? 'problems' : 'log');
  return (
    <Card className="card-fill">
      <Tabs value={tab} onChange={(value) => navigate(`${path}?tab=${value ?? 'log'}`, { replace: true })} className="fill-tabs">
        <Tabs.List>
          <Tabs.Tab value="problems">{problemsTab(Math.max(problems, failed), listed)}</Tabs.Tab>
          <Tabs.Tab value="log">Log</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="problems">
          {ended || problems > 0 ? <RunProblems run={detail.row} /> : <NoneYet failed={failed} />}
        </Tabs.Panel>
        <Tabs.Panel value="log"><Log detail={detail} /></Tabs.Panel>
      </Tabs>
    </Card>
  );
}

/** The problems of a run that goes on and has listed none. */
function NoneYet({ failed }: { failed: number }) {
  if (failed > 0) return <EmptyState title="Listed when the run ends" text={`${plural(failed, 'destination')} failed so far, see above.`} />;
  return <EmptyState icon={IconCheck} title="No problems" text="None so far." />;
}

function Log({ detail }: { detail: RunDetail }) {
  if (detail.log.length === 0) {
    if (runEnded(detail.row.state)) return <EmptyState title="Nothing is in the log" />;
    return <EmptyState title="Nothing in the log yet" text="It is read every few seconds while the run goes on." />;
  }
  const whole = detail.log.map((line) => `${new Date(line.at).toISOString()} ${line.text}`).join('\n');
  return (
    <div className="fill-scroll" tabIndex={0} role="region" aria-label="Log">
      <div className="run-tools"><span className="mute grow">{plural(detail.log.length, 'line')}</span><CopyText value={whole} label="Copy the log" /></div>
      <LogLines lines={detail.log} />
      {detail.row.plan && <p className="card-pad mute"><Link to={`/plans/${detail.row.plan}`}>Open the plan</Link></p>}
    </div>
  );
}
