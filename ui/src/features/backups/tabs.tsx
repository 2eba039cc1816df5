import { Button, Tabs } from '@mantine/core';
import { useState } from 'react';
import type { BackupDetail } from '../../ipc';
import { formatBytes, formatCount, plural } from '../../shared/format';
import { BackupTree } from '../../shared/paths';
import { useRun } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { Ago, ErrorNote, KeyValues, LogLines, PathText } from '../../shared/ui';
import { CopiesTab } from './copies-tab';
import { DiffTab } from './diff-tab';
import { DownloadDialog } from './download-dialog';

/** What is in a backup, how it differs, where it lies, how it was made. */
export function BackupTabs({ detail }: { detail: BackupDetail }) {
  const problems = detail.row.problems;
  return (
    <div className="backup-view">
      <Tabs defaultValue="contents">
        <Tabs.List aria-label="About this backup">
          <Tabs.Tab value="contents">Contents</Tabs.Tab>
          <Tabs.Tab value="diff">Since before</Tabs.Tab>
          <Tabs.Tab value="copies">Copies {detail.copies.filter((copy) => copy.state !== 'missing').length}{detail.copies.some((copy) => copy.state === 'missing') && ` of ${detail.copies.length}`}</Tabs.Tab>
          <Tabs.Tab value="log">{problems > 0 ? plural(problems, 'problem') : 'Log'}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="contents"><ContentsTab detail={detail} /></Tabs.Panel>
        <Tabs.Panel value="diff"><DiffTab detail={detail} /></Tabs.Panel>
        <Tabs.Panel value="copies"><CopiesTab detail={detail} /></Tabs.Panel>
        <Tabs.Panel value="log"><LogTab detail={detail} /></Tabs.Panel>
      </Tabs>
    </div>
  );
}

function ContentsTab({ detail }: { detail: BackupDetail }) {
  const { row } = detail;
  const [picked, setPicked] = useState<string[]>([]);
  const [downloading, setDownloading] = useState(false);
  const query = picked.map((path) => `path=${encodeURIComponent(path)}`).join('&');
  return (
    <>
      <BackupTree backup={row.id} name={row.plan_name} items={detail.items} picked={picked} onPick={setPicked} height="fill" />
      {picked.length > 0 && (
        <div className="picked-bar" role="toolbar" aria-label="Actions for the picked parts">
          <b>{plural(picked.length, 'part')} picked</b>
          <span className="grow" />
          <Button variant="filled" onClick={() => navigate(`/restore/${row.id}?${query}`)}>Restore…</Button>
          <Button onClick={() => setDownloading(true)}>Download…</Button>
          <Button variant="subtle" onClick={() => setPicked([])}>Clear</Button>
        </div>
      )}
      <div className="backup-foot">
        <KeyValues
          rows={[
            { name: 'Since before', value: <Since detail={detail} /> },
            { name: 'Read / added', value: `${formatBytes(detail.bytes_read)} / ${formatBytes(row.added_bytes)}` },
            { name: 'Verified', value: row.verified === null ? <span className="mute">never read back yet</span> : <>read back whole <Ago at={row.verified} /></> },
          ]}
        />
      </div>
      {downloading && (
        <DownloadDialog backups={[row]} paths={picked} onClose={() => setDownloading(false)} />
      )}
    </>
  );
}

function Since({ detail }: { detail: BackupDetail }) {
  if (detail.previous === null) return <span className="mute">nothing to compare with</span>;
  return (
    <>
      <span className="change-added">+{formatCount(detail.files_new)} new</span>{' '}
      <span className="change-changed">~{formatCount(detail.files_changed)} changed</span>
    </>
  );
}

function LogTab({ detail }: { detail: BackupDetail }) {
  const run = useRun(detail.run);
  return (
    <>
      {detail.problem_list.length > 0 && (
        <ul className="problems" aria-label="Problems">
          {detail.problem_list.map((problem, i) => (
            <li key={`${problem.subject}-${i}`}>
              <PathText path={problem.subject} wrap />
              <div className="mute">{problem.reason}</div>
            </li>
          ))}
          {detail.row.problems > detail.problem_list.length && (
            <li className="mute">
              and {formatCount(detail.row.problems - detail.problem_list.length)} more
              {detail.run && <>: <Link to={`/activity/${detail.run}?tab=problems`}>show all, and leave them out of the plan</Link></>}
            </li>
          )}
        </ul>
      )}
      {detail.facts.length > 0 && <KeyValues rows={[{ name: 'Made with', value: detail.facts.join(' · ') }]} />}
      {detail.run === null && <p className="mute card-pad">This computer did not make this backup, so it has no log of it.</p>}
      {run.error && <div className="card-pad"><ErrorNote error={run.error} retry={() => void run.refetch()} /></div>}
      {run.data && (
        <>
          <LogLines lines={run.data.log} />
          <p className="card-pad" style={{ paddingTop: 0 }}><Link to={`/activity/${run.data.row.id}`}>Show the run</Link></p>
        </>
      )}
    </>
  );
}
