import { Fragment } from 'react';
import type { LogLine } from '../../ipc';
import { formatDate, formatSecond, newDays, zoneText } from '../format';
import './log-lines.css';

/** The lines of a log: the date where a day begins, the time before each line, and once in what zone. */
export function LogLines({ lines }: { lines: readonly LogLine[] }) {
  const days = newDays(lines.map((line) => line.at));
  return (
    <ol className="log mono" aria-label="Log">
      {lines.map((line, i) => (
        <Fragment key={`${line.at}-${i}`}>
          {days[i] && <li className="log-day mute">{days[i]}{i === 0 && `, times in ${zoneText(-new Date(line.at).getTimezoneOffset())}`}</li>}
          <li>
            <time className="mute" dateTime={new Date(line.at).toISOString()} title={`${formatDate(line.at)} ${formatSecond(line.at)}`}>{formatSecond(line.at)}</time>
            <span>{line.text}</span>
          </li>
        </Fragment>
      ))}
    </ol>
  );
}
