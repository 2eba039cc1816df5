import { ActionIcon, Button, Chip, SegmentedControl, Select } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useId, useState } from 'react';
import type { BandwidthRuleView, BandwidthView } from '../../ipc';
import { DAYS, clock, isOnTheHour, limitWord, ruleWords, toGrid, toRules, type Cell } from '../../shared/bandwidth';
import { Card, Note } from '../../shared/ui';
import { SpeedInput } from './speed-input';
import { WeekGrid } from './week-grid';

const DEFAULT_SPEED = 2 * 1024 ** 2;
type Brush = 'limit' | 'free' | 'held' | 'otherwise';
const NO_LIMIT = 'free';

type Props = { name: string; view: BandwidthView; onChange: (view: BandwidthView) => void };

/** The limit of one destination or of all: at other times, by the hours of the week, and the same as a list of rules. */
export function LimitEditor({ name, view, onChange }: Props) {
  const [brush, setBrush] = useState<Brush>('limit');
  const [speed, setSpeed] = useState(view.rules.find((rule) => rule.bytes_per_second)?.bytes_per_second ?? DEFAULT_SPEED);
  const base = useId();
  const paint = useId();
  const cell: Cell = { limit: speed, free: null, held: 0, otherwise: undefined }[brush];
  const otherwise = limitWord(view.bytes_per_second);
  return (
    <>
      <Card title={`Limit of ${name}`}>
        <div className="setting">
          <div><div id={base}><b>At other times</b></div><div className="mute">Whenever no hour below says otherwise.</div></div>
          <div className="row wrap-end">
            <SegmentedControl
              aria-labelledby={base} value={view.bytes_per_second === null ? NO_LIMIT : 'limit'} data={[{ value: NO_LIMIT, label: 'No limit' }, { value: 'limit', label: 'Limit' }]}
              onChange={(to) => onChange({ ...view, bytes_per_second: to === NO_LIMIT ? null : DEFAULT_SPEED })}
            />
            {view.bytes_per_second !== null && <SpeedInput label="Speed at other times" bytes={view.bytes_per_second} onSave={(bytes_per_second) => onChange({ ...view, bytes_per_second })} />}
          </div>
        </div>
        <div className="card-pad stack">
          <div className="row brushes">
            <b id={paint}>Paint with</b>
            <SegmentedControl
              aria-labelledby={paint} value={brush} onChange={(to) => setBrush(to as Brush)}
              data={[{ value: 'limit', label: 'Limit' }, { value: 'free', label: 'No limit' }, { value: 'held', label: 'Held' }, { value: 'otherwise', label: 'As at other times' }]}
            />
            {brush === 'limit' && <SpeedInput label="Speed to paint with" bytes={speed} onSave={setSpeed} />}
          </div>
          <WeekGrid label={`Hours of the week, ${name}`} grid={toGrid(view)} otherwise={otherwise} brush={cell} onPaint={(grid) => onChange({ ...view, rules: toRules(grid) })} />
          <Legend otherwise={otherwise} />
          {!isOnTheHour(view) && <Note tone="warn">Some rules begin or end within an hour. The list below is exact; painting brings them to full hours.</Note>}
        </div>
      </Card>
      <Rules name={name} view={view} onChange={onChange} />
    </>
  );
}

function Legend({ otherwise }: { otherwise: string }) {
  return (
    <ul className="week-legend" aria-label="What the hours look like">
      <li><i className="week-cell hour-limited" aria-hidden /> limited</li>
      <li><i className="week-cell hour-free" aria-hidden /> no limit</li>
      <li><i className="week-cell hour-held" aria-hidden /> held until it is over</li>
      <li><i className="week-cell" aria-hidden /> as at other times: {otherwise}</li>
      <li className="grow" />
      <li>Mouse: press and draw. Keys: arrows, Space; Shift and arrows draw</li>
    </ul>
  );
}

/** The same as a list: read aloud, exact to the half hour, and changed without a mouse. */
function Rules({ name, view, onChange }: Props) {
  const [adding, setAdding] = useState(false);
  return (
    <Card title="Rules" aside={<Button size="compact-sm" onClick={() => setAdding(!adding)} aria-expanded={adding}>{adding ? 'Cancel' : 'Add a rule'}</Button>}>
      {adding && (
        <RuleForm
          onAdd={(rule) => {
            setAdding(false);
            // The first that holds counts: what was said last wins.
            onChange({ ...view, rules: [rule, ...view.rules] });
          }}
        />
      )}
      {view.rules.length === 0 && !adding && <p className="card-pad mute">No hour has a limit of its own. Paint some, or add a rule.</p>}
      {view.rules.length > 0 && (
        <ul className="lines" aria-label={`Rules of ${name}`}>
          {view.rules.map((rule, i) => (
            <li key={`${i}-${rule.from_minute}`}>
              <span className="grow">{ruleWords(rule)}</span>
              <b>{limitWord(rule.bytes_per_second)}</b>
              <ActionIcon variant="subtle" color="gray" aria-label={`Remove the rule ${ruleWords(rule)}`} onClick={() => onChange({ ...view, rules: view.rules.filter((_, at) => at !== i) })}><IconTrash size={16} /></ActionIcon>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const TIMES = Array.from({ length: 49 }, (_, i) => ({ value: String(i * 30), label: clock(i * 30) }));

function RuleForm({ onAdd }: { onAdd: (rule: BandwidthRuleView) => void }) {
  const [days, setDays] = useState(['0', '1', '2', '3', '4']);
  const [from, setFrom] = useState('540');
  const [to, setTo] = useState('1020');
  const [kind, setKind] = useState<'limit' | 'free' | 'held'>('limit');
  const [speed, setSpeed] = useState(DEFAULT_SPEED);
  const what = useId();
  const over = Number(to) <= Number(from);
  return (
    <div className="card-pad stack rule-form">
      <Chip.Group multiple value={days} onChange={setDays}>
        <div className="row days" role="group" aria-label="Days">
          {DAYS.map((day, i) => <Chip key={day} size="xs" value={String(i)}>{day.slice(0, 3)}</Chip>)}
        </div>
      </Chip.Group>
      <div className="row wrap">
        <Select w={96} label="From" data={TIMES.slice(0, 48)} value={from} onChange={(value) => setFrom(value ?? from)} />
        <Select w={96} label="To" data={TIMES.slice(1)} value={to} onChange={(value) => setTo(value ?? to)} />
        <div>
          <div className="field-label" id={what}>Speed</div>
          <div className="row">
            <SegmentedControl aria-labelledby={what} value={kind} onChange={(value) => setKind(value as typeof kind)} data={[{ value: 'limit', label: 'Limit' }, { value: 'free', label: 'No limit' }, { value: 'held', label: 'Held' }]} />
            {kind === 'limit' && <SpeedInput label="Speed of the rule" bytes={speed} onSave={setSpeed} />}
          </div>
        </div>
      </div>
      <div className="row">
        <Button
          variant="filled" disabled={days.length === 0}
          onClick={() => onAdd({ days: days.map(Number).sort((a, b) => a - b), from_minute: Number(from), to_minute: Number(to), bytes_per_second: kind === 'limit' ? speed : kind === 'free' ? null : 0 })}
        >
          Add the rule
        </Button>
        {over && <span className="mute small">It goes on into the next day</span>}
      </div>
    </div>
  );
}
