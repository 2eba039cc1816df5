import { Button } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { api, type ServerDraft } from '../../ipc';
import { useAction } from '../../shared/query';
import { Card, CopyText, ErrorNote, StateBadge, TestSteps } from '../../shared/ui';

type Props = { draft: ServerDraft; automatic?: boolean; onTested?: (works: boolean) => void };

/** Logs in and tries what a backup needs, step by step. `automatic`: begins by itself; `onTested`: told what came of it. */
export function ConnectionTestCard({ draft, automatic = false, onTested }: Props) {
  const test = useAction(api.testServer, { inline: true, onDone: (found) => onTested?.(found.ok) });
  const begun = useRef(false);
  const { run } = test;
  useEffect(() => {
    if (!automatic || begun.current) return;
    begun.current = true;
    run(draft);
  }, [automatic, run, draft]);
  const { result } = test;
  const state = test.busy ? 'running' : result ? (result.ok ? 'ok' : 'failed') : null;
  return (
    <Card title="Test of the connection" aside={state && <StateBadge state={state} text={state === 'ok' ? 'Works' : state === 'failed' ? 'Does not work yet' : 'Under way'} />}>
      {(test.busy || result) && (
        <TestSteps label="Steps of the test" steps={test.busy ? [] : (result?.steps ?? [])} running={test.busy ? (draft.local ? 'Looking at this computer' : `Logging in to ${draft.host} as ${draft.user}`) : undefined} />
      )}
      {test.error && !test.busy && <div className="card-pad"><ErrorNote error={test.error} /></div>}
      {result?.sudoers && !test.busy && (
        <div className="card-pad">
          <p>Put this line into <span className="mono">/etc/sudoers.d/backstay</span> on the server (with <span className="mono">visudo -f</span>):</p>
          <div className="command"><code className="mono grow">{result.sudoers}</code><CopyText value={result.sudoers} label="Copy" /></div>
        </div>
      )}
      <div className="row card-pad test-foot">
        {result && !test.busy && <span className="mute grow clip" title={result.route}>Route: {result.route}</span>}
        {!result && <span className="grow" />}
        <Button loading={test.busy} onClick={() => { onTested?.(false); run(draft); }}>{result || test.error ? 'Test again' : 'Test the connection'}</Button>
      </div>
    </Card>
  );
}
