import { NumberInput, SegmentedControl, Skeleton } from '@mantine/core';
import { useId, useState, type ReactNode } from 'react';
import { Card, ErrorNote } from '../../shared/ui';
import { useSettings } from './queries';
import { clampNumber } from './rules';

/** One setting: what it is, what it does, its control. The control gets its name from the title. */
function Setting({ title, text, children }: { title: string; text: string; children: (labelledBy: string) => ReactNode }) {
  const id = useId();
  return (
    <div className="setting">
      <div><div id={id}><b>{title}</b></div><div className="mute">{text}</div></div>
      {children(id)}
    </div>
  );
}

function Waiting({ settings }: { settings: ReturnType<typeof useSettings> }) {
  if (settings.query.error) return <ErrorNote error={settings.query.error} retry={() => void settings.query.refetch()} />;
  return <Card padded><Skeleton height={60} /></Card>;
}

/** What counts as stale and as stalled. */
export function General() {
  const settings = useSettings();
  const { data } = settings.query;
  if (!data) return <Waiting settings={settings} />;
  return (
    <Card title="General">
      <Setting title="A server is stale after" text='Listed under "Needs you" when its last good backup is older than this.'>
        {(id) => <NumberField labelledBy={id} value={data.stale_days} least={1} most={365} suffix=" days" onSave={(stale_days) => settings.change({ stale_days })} />}
      </Setting>
      <Setting title="Stop a silent run after" text="Ended as failed when nothing happens for this long. 0 means never. There is no limit on how long a run takes in all.">
        {(id) => <NumberField labelledBy={id} value={data.stall_minutes} least={0} most={1440} suffix=" min" onSave={(stall_minutes) => settings.change({ stall_minutes })} />}
      </Setting>
    </Card>
  );
}

type NumberProps = { labelledBy: string; value: number; least: number; most: number; suffix: string; onSave: (value: number) => void };

/** Saved when it is left or Enter is pressed, not with each digit. Emptied, it takes back what was set. */
function NumberField({ labelledBy, value, least, most, suffix, onSave }: NumberProps) {
  const [typed, setTyped] = useState<number | string>(value);
  const [stored, setStored] = useState(value);
  if (stored !== value) {
    setStored(value);
    setTyped(value);
  }
  const save = () => {
    const next = clampNumber(String(typed), least, most) ?? value;
    setTyped(next);
    if (next !== value) onSave(next);
  };
  return (
    <NumberInput
      w={110}
      aria-labelledby={labelledBy}
      value={typed}
      onChange={setTyped}
      min={least}
      max={most}
      clampBehavior="none"
      suffix={suffix}
      allowDecimal={false}
      onBlur={save}
      onKeyDown={(event) => event.key === 'Enter' && save()}
    />
  );
}

/** Light, dark, or as the system. */
export function Appearance() {
  const settings = useSettings();
  const { data } = settings.query;
  if (!data) return <Waiting settings={settings} />;
  return (
    <Card title="Appearance">
      <Setting title="Theme" text="Light, dark, or as your system says.">
        {(id) => (
          <SegmentedControl
            aria-labelledby={id} value={data.theme} onChange={(theme) => settings.change({ theme })}
            data={[{ value: 'system', label: 'System' }, { value: 'light', label: 'Light' }, { value: 'dark', label: 'Dark' }]}
          />
        )}
      </Setting>
    </Card>
  );
}

/** When the desktop says that a run has ended. */
export function Notifications() {
  const settings = useSettings();
  const { data } = settings.query;
  if (!data) return <Waiting settings={settings} />;
  return (
    <Card title="Notifications">
      <Setting title="When a run ends" text="A message of your desktop, also while the window is closed.">
        {(id) => (
          <SegmentedControl
            aria-labelledby={id} value={data.notify} onChange={(notify) => settings.change({ notify })}
            data={[{ value: 'never', label: 'Never' }, { value: 'problems', label: 'On problems' }, { value: 'always', label: 'Always' }]}
          />
        )}
      </Setting>
    </Card>
  );
}
