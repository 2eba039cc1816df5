import { Button } from '@mantine/core';
import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { api, dialogs, type AuditRow } from '../../ipc';
import { formatCount, formatExact, plural } from '../../shared/format';
import { useAction } from '../../shared/query';
import { Card, DataTable, EmptyState, Note, showNote, type Column } from '../../shared/ui';
import { actionText, outcomeText } from './audit-words';
import { useAppInfo, useAudit } from './queries';

const COLUMNS: Column<AuditRow>[] = [
  { key: 'seq', title: 'No.', width: '76px', right: true, hideBelow: 560, cell: (row) => <span className="mute">{formatCount(row.seq)}</span> },
  { key: 'at', title: 'When', width: '150px', cell: (row) => <time dateTime={new Date(row.at).toISOString()}>{formatExact(row.at)}</time> },
  { key: 'who', title: 'Who', width: '80px', hideBelow: 680, cell: (row) => row.who },
  { key: 'action', title: 'What', width: 'minmax(140px, 1fr)', cell: (row) => <span title={row.action}>{actionText(row.action)}</span> },
  { key: 'subject', title: 'On what', width: 'minmax(0, 1.3fr)', cell: (row) => <b title={row.subject}>{row.subject}</b> },
  { key: 'outcome', title: 'Outcome', width: 'minmax(0, 0.9fr)', cell: (row) => <span className="mute" title={row.outcome}>{outcomeText(row.outcome)}</span> },
];

/** Who did what, on what, with what outcome. Each entry seals the ones before it, so that a change shows. */
export function AuditLog() {
  const audit = useAudit();
  const info = useAppInfo();
  const verify = useAction<void>(api.verifyAudit);
  const save = useAction<void, string | null>(
    async () => {
      const file = await dialogs.saveFile({ title: 'Export the audit log', name: 'backstay-audit.jsonl', extension: 'jsonl', ...(info.data ? { start: info.data.user_home } : {}) });
      if (file) await api.exportAudit(file);
      return file;
    },
    { onDone: (file) => file && showNote(`Audit log written to ${file}`) },
  );
  const check = verify.result as Awaited<ReturnType<typeof api.verifyAudit>> | undefined;
  return (
    <>
      {check && (check.fault === null
        ? <Note tone="good" icon={<IconShieldCheck size={18} aria-hidden />}><span role="status">All {plural(check.good, 'entry', 'entries')} are as they were written.</span></Note>
        : <Note tone="bad" icon={<IconShieldX size={18} aria-hidden />}><span role="alert">The audit log was changed: {check.fault}. The first {plural(check.good, 'entry is', 'entries are')} good.</span></Note>)}
      <Card
        className="card-fill"
        title="Audit log"
        aside={
          <>
            {audit.data && plural(audit.data.total, 'entry', 'entries')}
            <Button loading={verify.busy} onClick={() => verify.run()}>Check it</Button>
            <Button loading={save.busy} onClick={() => save.run()}>Export…</Button>
          </>
        }
      >
        <DataTable
          fill
          label="Audit log"
          rows={audit.data?.rows}
          columns={COLUMNS}
          rowKey={(row) => String(row.seq)}
          rowName={(row) => `${actionText(row.action)} ${row.subject}`}
          error={audit.error}
          onRetry={() => void audit.refetch()}
          onMore={audit.hasNextPage && !audit.isFetchingNextPage ? () => void audit.fetchNextPage() : undefined}
          loadingMore={audit.isFetchingNextPage}
          empty={<EmptyState title="Nothing yet" />}
        />
      </Card>
    </>
  );
}
