import type { ReactNode } from 'react';
import type { RunRow } from '../../ipc';
import { formatAgo, formatDuration, formatRate, plural } from '../format';
import { useCancelRun } from '../query/cancel';
import { Link } from '../router';
import { Bar } from './bar';
import { CancelRun } from './cancel-run';
import { ProgressPlaces } from './progress-places';
import { bytesText, elsewhereText, filesText, isSilent, percent, phaseWord, runTitle, standing } from './progress-rules';
import { useNow } from './use-now';
import { PathText, StateBadge } from './values';
import './progress.css';

type CardProps = {
  run: RunRow;
  /** More buttons, before Cancel. */
  actions?: ReactNode;
  /** The title leads to the run's page. */
  linked?: boolean;
};

/** THE progress component, full form: title, phase, bar, counts, rate, time left, last activity, destinations, problems, and how to stop it. */
export function ProgressCard({ run, actions, linked = false }: CardProps) {
  const { progress } = run;
  const title = runTitle(run);
  const stands = standing(run);
  const cancel = useCancelRun(run.id);
  const word = stands === 'running' && progress ? phaseWord(progress.phase) : undefined;
  return (
    <section className="progress-card card" aria-label={title}>
      <div className="row">
        <h2>{linked ? <Link to={`/activity/${run.id}`}>{title}</Link> : title}</h2>
        <StateBadge state={stands === 'waiting' ? 'waiting' : run.state} text={cancel.asked ? 'Stopping…' : word} />
        <span className="grow" />
        {actions}
        <CancelRun run={run} asked={cancel.asked} onCancel={cancel.ask} />
      </div>
      {stands !== 'elsewhere' && <Bar part={stands === 'waiting' ? 0 : percent(progress)} label={title} />}
      <ProgressFacts run={run} />
      {progress && progress.destinations.length > 0 && <ProgressPlaces progress={progress} />}
      {progress?.current && <div className="progress-current"><PathText path={progress.current} /></div>}
    </section>
  );
}

function ProgressFacts({ run }: { run: RunRow }) {
  const now = useNow();
  const { progress } = run;
  const problems = Math.max(progress?.problems ?? 0, run.problems);
  const found = problems > 0 && <Link className="progress-problems" to={`/activity/${run.id}?tab=problems`}>{plural(problems, 'problem')}</Link>;
  if (!progress) return <div className="progress-facts mute"><span>{run.elsewhere ? elsewhereText(run) : 'Waits for its turn'}</span><span className="grow" />{found}</div>;
  const silent = isSilent(progress, now);
  const facts = [filesText(progress), bytesText(progress), progress.rate > 0 ? formatRate(progress.rate) : null].filter((fact) => fact !== null);
  return (
    <div className="progress-facts mute">
      {facts.map((fact) => <span key={fact}>{fact}</span>)}
      {progress.seconds_left !== null && <span>{formatDuration(progress.seconds_left * 1000)} left</span>}
      {progress.last_activity > 0 && (
        <span className={silent ? 'progress-silent' : undefined}>last activity {formatAgo(progress.last_activity, now)}</span>
      )}
      <span className="grow" />
      {found}
    </div>
  );
}

/** The same in one line, for lists. */
export function ProgressRow({ run }: { run: RunRow }) {
  const part = percent(run.progress);
  if (run.elsewhere) return <span className="progress-row"><span className="mute">{elsewhereText(run)}</span></span>;
  return (
    <span className="progress-row">
      <Bar thin part={run.progress ? part : 0} label={runTitle(run)} />
      <span className="mute">{run.progress ? phaseWord(run.progress.phase) : 'Waiting'}{part === null ? '' : ` ${part} %`}</span>
    </span>
  );
}

/** The same at the foot of the sidebar: how many, the first one's bar. */
export function ProgressMini({ runs }: { runs: RunRow[] }) {
  const first = runs.find((run) => run.state === 'running' && !run.elsewhere) ?? runs.find((run) => run.state === 'running') ?? runs[0];
  if (!first) return null;
  const part = percent(first.progress);
  const state = first.elsewhere ? 'elsewhere' : part === null ? phaseWord(first.progress?.phase ?? 'waiting') : `${part} %`;
  return (
    <Link to={runs.length === 1 ? `/activity/${first.id}` : '/activity'} className="progress-mini">
      <span className="row">
        <span className="clip grow">{first.title}</span>
        <span className="mute">{runs.length > 1 ? `+${runs.length - 1} · ` : ''}{state}</span>
      </span>
      {!first.elsewhere && <Bar thin part={first.progress ? part : 0} label={runTitle(first)} />}
    </Link>
  );
}
