import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { DAYS, cellAt, clock, limitWord, type Cell } from '../../shared/bandwidth';

type Props = {
  label: string;
  grid: readonly Cell[];
  /** What holds in hours that are not painted, in words. */
  otherwise: string;
  brush: Cell;
  /** A stroke has ended: the hours as they are now. */
  onPaint: (grid: Cell[]) => void;
};

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
/** Row and column -1 are the headings: they paint an hour of all days, or a whole day. */
type Place = { day: number; hour: number };

function look(cell: Cell): string {
  if (cell === undefined) return '';
  return cell === null ? 'hour-free' : cell === 0 ? 'hour-held' : 'hour-limited';
}

/** The hours that a place paints. */
function hoursOf({ day, hour }: Place): number[] {
  if (day < 0) return DAYS.map((_, d) => cellAt(d, hour));
  if (hour < 0) return HOURS.map((h) => cellAt(day, h));
  return [cellAt(day, hour)];
}

/** A week of hours, painted by mouse (press and draw) or keyboard (arrows, Space; Shift with arrows draws). */
export function WeekGrid({ label, grid, otherwise, brush, onPaint }: Props) {
  // The stroke under way; what is stored comes from outside.
  const [stroke, setStroke] = useState<readonly Cell[] | null>(null);
  const [at, setAt] = useState<Place>({ day: 0, hour: 9 });
  const root = useRef<HTMLDivElement>(null);
  const shown = stroke ?? grid;

  const painted = (from: readonly Cell[], place: Place) => {
    const next = [...from];
    for (const i of hoursOf(place)) next[i] = brush;
    return next;
  };
  // The stroke ends wherever the button is let go.
  const latest = useRef({ stroke, onPaint });
  useEffect(() => {
    latest.current = { stroke, onPaint };
  });
  useEffect(() => {
    const end = () => {
      const { stroke: drawn, onPaint: done } = latest.current;
      if (!drawn) return;
      setStroke(null);
      done([...drawn]);
    };
    window.addEventListener('pointerup', end);
    window.addEventListener('pointercancel', end);
    return () => {
      window.removeEventListener('pointerup', end);
      window.removeEventListener('pointercancel', end);
    };
  }, []);

  const begin = (event: PointerEvent, place: Place) => {
    if (event.button !== 0) return;
    setAt(place);
    setStroke(painted(grid, place));
    // Touch would otherwise keep all movement to the first cell.
    if (event.currentTarget.hasPointerCapture(event.pointerId)) event.currentTarget.releasePointerCapture(event.pointerId);
  };
  const draw = (place: Place) => stroke && setStroke(painted(stroke, place));
  const focus = (place: Place) => {
    setAt(place);
    root.current?.querySelector<HTMLElement>(`[data-place="${place.day},${place.hour}"]`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (step) {
      const to = { day: Math.min(6, Math.max(-1, at.day + step[0])), hour: Math.min(23, Math.max(-1, at.hour + step[1])) };
      if (to.day === -1 && to.hour === -1) return event.preventDefault();
      if (event.shiftKey && to.day >= 0 && to.hour >= 0) onPaint(painted(painted(grid, at), to));
      focus(to);
    } else if (event.key === 'Home') focus({ ...at, hour: at.day < 0 ? 0 : -1 });
    else if (event.key === 'End') focus({ ...at, hour: 23 });
    else if (event.key === ' ' || event.key === 'Enter') onPaint(painted(grid, at));
    else return;
    event.preventDefault();
  };

  const props = (place: Place) => ({
    'data-place': `${place.day},${place.hour}`,
    tabIndex: place.day === at.day && place.hour === at.hour ? 0 : -1,
    onPointerDown: (event: PointerEvent) => begin(event, place),
    onPointerEnter: () => draw(place),
    onFocus: () => setAt(place),
  });
  return (
    <div className="week" role="grid" aria-label={label} ref={root} onKeyDown={onKeyDown}>
      <div role="row" className="week-row">
        <div role="columnheader"><span className="visually-hidden">Day</span></div>
        {HOURS.map((hour) => (
          <div key={hour} role="columnheader" className="week-hour" {...props({ day: -1, hour })}>
            <span className="visually-hidden">{clock(hour * 60)} on all days</span>
            {hour % 3 === 0 && <span aria-hidden>{hour}</span>}
          </div>
        ))}
      </div>
      {DAYS.map((name, day) => (
        <div role="row" className="week-row" key={name}>
          <div role="rowheader" className="week-day" aria-label={`${name}, all day`} {...props({ day, hour: -1 })}>{name.slice(0, 3)}</div>
          {HOURS.map((hour) => {
            const cell = shown[cellAt(day, hour)];
            const words = `${name} ${clock(hour * 60)}: ${cell === undefined ? otherwise : limitWord(cell)}`;
            return <div key={hour} role="gridcell" className={`week-cell ${look(cell)}`} aria-label={words} title={words} {...props({ day, hour })} />;
          })}
        </div>
      ))}
    </div>
  );
}
