import { Button, Modal, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, dialogs, type AppInfo, type IpcError } from '../../ipc';
import { formatBytes, formatExact, plural } from '../../shared/format';
import { keys, useAction } from '../../shared/query';
import { ErrorNote, PathText, showNote } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { FORMATS, downloadProblem, toDownload } from './form';

type Props = { backup: string; name: string; at: number; bytes: number; paths: readonly string[]; onClose: () => void };

/** Writes a backup, or parts of it, into a folder of this computer as one file. */
export function DownloadDialog({ backup, name, at, bytes, paths, onClose }: Props) {
  const app = useQuery<AppInfo, IpcError>({ queryKey: keys.appInfo, queryFn: api.appInfo });
  const [format, setFormat] = useState('tar.gz');
  const [typed, setTyped] = useState<string | null>(null);
  const folder = typed ?? app.data?.user_home ?? '';
  const problem = downloadProblem({ format, folder });
  const pick = useAction(async () => {
    const chosen = await dialogs.pickFolder({ title: `Where should ${name} be written?`, ...(folder ? { start: folder } : {}) });
    if (chosen !== null) setTyped(chosen);
  });
  const start = useAction(() => api.startDownload(toDownload([backup], paths, { format, folder })), {
    changes: ['runs'],
    inline: true,
    onDone: (run) => {
      showNote(`Downloading ${name} to ${folder}.`, { title: 'Watch it', to: `/activity/${run}` });
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={`Download ${name}`} size="md">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (problem === null && !start.busy) start.run();
        }}
      >
        <p>
          {paths.length === 0 ? <>The whole backup of {formatExact(at)}, {formatBytes(bytes)} before packing.</> : <>{plural(paths.length, 'part')} of the backup of {formatExact(at)}:</>}
        </p>
        {paths.length > 0 && (
          <ul className="lines" aria-label="Parts">
            {paths.slice(0, 6).map((path) => <li key={path}><PathText path={path} /></li>)}
            {paths.length > 6 && <li className="mute">and {paths.length - 6} more</li>}
          </ul>
        )}
        <Choices
          label="Format"
          value={format}
          onChange={setFormat}
          options={FORMATS.map((one) => ({ value: one.format, title: one.title, text: one.text }))}
        />
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
        {start.error && <ErrorNote error={start.error} />}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" disabled={problem !== null} loading={start.busy}>Download</Button>
        </div>
      </form>
    </Modal>
  );
}
