import { Card, KeyValues, PathText } from '../../shared/ui';
import { useAppInfo } from './queries';

const KEYS: [string, string][] = [
  ['Ctrl or Cmd K', 'go to a page, a server, a plan; back up now'], ['n', 'new: a server, a plan, a destination'], ['/', 'filter the list'],
  ['↑ ↓ Home End', 'move in a list'], ['Enter', 'open the row'], ['Space', 'pick the row'], ['Shift F10', "the row's menu"], ['Esc', 'close'],
];

/** Version, where state lies, and the keys. */
export function About() {
  const info = useAppInfo();
  return (
    <>
      <Card title="Backstay">
        <KeyValues
          rows={[
            { name: 'Version', value: info.data?.version ?? '…' },
            { name: 'Its data', value: info.data ? <PathText path={info.data.home} wrap /> : '…' },
            { name: 'You are', value: info.data?.user ?? '…' },
          ]}
        />
        <p className="card-pad mute">A backstay is the rope that keeps the mast up when the wind turns.</p>
      </Card>
      <Card title="Keys">
        <KeyValues rows={KEYS.map(([name, value]) => ({ name, value }))} />
      </Card>
    </>
  );
}
