import { Button, Checkbox } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { api, type ProblemRow, type RunRow } from '../../ipc';
import { formatCount, plural } from '../../shared/format';
import { runEnded, useAction } from '../../shared/query';
import { DataTable, EmptyState, FilterBox, PathText, showNote, type Column } from '../../shared/ui';
import { useRunProblems } from './queries';
import { canExclude, listedText, problemWord } from './words';

const COLUMNS: Column<ProblemRow>[] = [
  { key: 'kind', title: 'What', width: '130px', cell: (p) => problemWord(p.kind) },
  { key: 'subject', title: 'Where', width: 'minmax(0, 2fr)', cell: (p) => <PathText path={p.subject} /> },
  { key: 'reason', title: 'Why', width: 'minmax(0, 3fr)', cell: (p) => <span title={p.reason}>{p.reason}</span> },
  { key: 'item', title: 'Item', width: '90px', hideBelow: 720, cell: (p) => <span className="mute">{p.item}</span> },
];

/** A run's problems: filter them, pick some, and leave those out of the plan from now on. */
export function RunProblems({ run }: { run: RunRow }) {
  const [text, setText] = useState('');
  const [search] = useDebouncedValue(text, 150);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const problems = useRunProblems(run.id, search, { live: !runEnded(run.state) });
  const { plan } = run;
  const exclude = useAction((paths: string[]) => api.excludeFromPlan(plan ?? '', paths), {
    changes: ['plans'],
    onDone: (row, paths) => {
      setPicked(new Set());
      showNote(`${plural(paths.length, 'path')} left out of ${row.name} from the next run on`, { title: 'Open the plan', to: `/plans/${row.id}` });
    },
  });
  const rows = problems.data?.rows;
  const excludable = plan !== null && run.kind === 'backup';
  const all = (rows ?? []).filter(canExclude);
  const paths = [...picked].flatMap((key) => all.filter((p) => key === problemKey(p)).map((p) => p.subject));
  return (
    <div className="fill-column">
      <div className="run-tools">
        <FilterBox value={text} onChange={setText} label="Filter problems" />
        <span className="mute grow">{problems.data ? (search ? `${formatCount(problems.data.total)} match` : listedText(run, problems.data.total)) : ''}</span>
        {excludable && paths.length === 0 && all.length > 1 && (
          <Checkbox size="xs" label="Pick all that can be left out" checked={false} onChange={() => setPicked(new Set(all.map(problemKey)))} />
        )}
      </div>
      <DataTable
        fill
        label="Problems"
        rows={rows}
        columns={rows?.some((p) => p.item !== '') ? COLUMNS : COLUMNS.filter((column) => column.key !== 'item')}
        rowKey={problemKey}
        rowName={(p) => p.subject}
        error={problems.error}
        onRetry={() => void problems.refetch()}
        {...(excludable && all.length > 0
          ? {
              picked,
              onPick: setPicked,
              batch: <Button disabled={paths.length === 0} loading={exclude.busy} onClick={() => exclude.run(paths)}>Exclude from {run.title}</Button>,
              menu: (p: ProblemRow) => (canExclude(p) ? [{ title: `Exclude from ${run.title}`, run: () => exclude.run([p.subject]) }] : []),
            }
          : {})}
        onMore={problems.hasNextPage && !problems.isFetchingNextPage ? () => void problems.fetchNextPage() : undefined}
        loadingMore={problems.isFetchingNextPage}
        noMatch={search ? <EmptyState title={`No problem matches “${search}”`} action={<Button onClick={() => setText('')}>Clear the filter</Button>} /> : undefined}
        empty={<EmptyState icon={IconCheck} title="No problems" {...(run.state === 'done' ? { text: 'Nothing went wrong, and nothing was skipped.' } : {})} />}
      />
    </div>
  );
}

function problemKey(problem: ProblemRow): string {
  return `${problem.kind}\u0000${problem.item}\u0000${problem.subject}`;
}
