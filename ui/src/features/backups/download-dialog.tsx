import { Button, Select, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, dialogs, type AppInfo, type BackupRow, type IpcError } from '../../ipc';
import { formatBytes, formatExact, plural } from '../../shared/format';
import { keys, useAction, useDestinations } from '../../shared/query';
import { Dialog, DialogFoot, ErrorNote, PathText, showBegun } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { downloadProblem, formatsFor, goesOn, toDownload } from './form';

type Props = {
  /** One, or several that are written one after the other. */
  backups: readonly BackupRow[];
  /** Parts of a single one; empty is all. */
  paths: readonly string[];
  onClose: () => void;
  onStarted?: () => void;
};

const NEAREST = '';

/** Writes backups, or parts of one, into a folder of this computer. */
export function DownloadDialog({ backups, paths, onClose, onStarted }: Props) {
  const app = useQuery<AppInfo, IpcError>({ queryKey: keys.appInfo, queryFn: api.appInfo });
  const destinations = useDestinations();
  const formats = formatsFor(backups, paths);
  const [format, setFormat] = useState(formats[0]?.format ?? 'tar.gz');
  const [from, setFrom] = useState(NEAREST);
  const [typed, setTyped] = useState<string | null>(null);
  const [first] = backups;
  const folder = typed ?? app.data?.user_home ?? '';
  const name = backups.length === 1 ? (first?.plan_name ?? '') : plural(backups.length, 'backup');
  const problem = downloadProblem({ format, folder });
  // Places that have every one of them.
  const places = (destinations.data ?? []).filter((row) => backups.every((backup) => backup.destinations.includes(row.name)));
  const pick = useAction(async () => {
    const chosen = await dialogs.pickFolder({ title: `Where should ${name} be written?`, ...(folder ? { start: folder } : {}) });
    if (chosen !== null) setTyped(chosen);
  }, { inline: true });
  const start = useAction(() => api.startDownload({ ...toDownload(backups.map((backup) => backup.id), paths, { format, folder }), destination: from === NEAREST ? null : from }), {
    changes: ['runs'],
    inline: true,
    onDone: (run) => {
      showBegun(`Downloading ${name} to ${folder}.`, run);
      onStarted?.();
      onClose();
    },
  });
  return (
    <Dialog onClose={onClose} title={`Download ${name}`} size="md">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (problem === null && !start.busy) start.run();
        }}
      >
        <What backups={backups} paths={paths} />
        <Choices label="Format" value={format} onChange={setFormat} options={formats.map((one) => ({ value: one.format, title: one.title, text: one.text }))} />
        <div className="row" style={{ alignItems: 'flex-end' }}>
          <TextInput
            className="grow"
            classNames={{ input: 'mono' }}
            label="Into this folder"
            value={folder}
            error={typed !== null ? problem : null}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Button loading={pick.busy} onClick={() => pick.run()}>Choose…</Button>
        </div>
        {pick.error && <ErrorNote error={pick.error} />}
        {places.length > 1 && (
          <Select label="From" data={[{ value: NEAREST, label: 'The nearest that has it' }, ...places.map((row) => ({ value: row.id, label: row.name }))]} value={from} onChange={(value) => setFrom(value ?? NEAREST)} />
        )}
        <p className="mute small">It can be stopped at any time, by you or by a lost connection: {goesOn(format)}. It ends with a checked hash.</p>
        {start.error && <ErrorNote error={start.error} />}
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" disabled={problem !== null} loading={start.busy}>Download</Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

const SHOWN = 6;

function What({ backups, paths }: Pick<Props, 'backups' | 'paths'>) {
  const [first] = backups;
  if (!first) return null;
  if (backups.length > 1) {
    return (
      <>
        <p>{plural(backups.length, 'backup')}, {formatBytes(backups.reduce((sum, backup) => sum + backup.bytes, 0))} in all before packing, a file for each:</p>
        <ul className="lines" aria-label="Backups">
          {backups.slice(0, SHOWN).map((backup) => <li key={backup.id}><b className="grow clip">{backup.plan_name}</b><span className="mute">{formatExact(backup.started)}</span></li>)}
          {backups.length > SHOWN && <li className="mute">and {backups.length - SHOWN} more</li>}
        </ul>
      </>
    );
  }
  if (paths.length === 0) return <p>The whole backup of {formatExact(first.started)}, {formatBytes(first.bytes)} before packing.</p>;
  return (
    <>
      <p>{plural(paths.length, 'part')} of the backup of {formatExact(first.started)}:</p>
      <ul className="lines" aria-label="Parts">
        {paths.slice(0, SHOWN).map((path) => <li key={path}><PathText path={path} /></li>)}
        {paths.length > SHOWN && <li className="mute">and {paths.length - SHOWN} more</li>}
      </ul>
    </>
  );
}
