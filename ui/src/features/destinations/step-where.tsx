import { Button, Skeleton, TextInput } from '@mantine/core';
import { IconFolder, IconServer2, IconWorld } from '@tabler/icons-react';
import { useId, type ReactNode } from 'react';
import { dialogs, type S3Provider } from '../../ipc';
import { useAction } from '../../shared/query';
import { Card, ErrorNote } from '../../shared/ui';
import { emptyDraft, type DestinationForm } from './form';
import { useProviders } from './queries';

export type Change = (change: (old: DestinationForm) => DestinationForm) => void;

/** Changes some fields of the draft. */
export function changeDraft(onChange: Change, part: Partial<DestinationForm['draft']>): void {
  onChange((old) => ({ ...old, draft: { ...old.draft, ...part } }));
}

/** What stands on a provider's card: two letters, never somebody's logo. */
const MARKS: Record<string, string> = { aws: 'S3', linode: 'Li', vultr: 'Vu', wasabi: 'Wa', b2: 'B2', spaces: 'DO', r2: 'R2', hetzner: 'He', minio: 'Mi', generic: '··' };

/** A provider's mark. */
export function Mark({ id, name }: { id: string; name: string }) {
  return <span className="provider-mark" aria-hidden>{MARKS[id] ?? name.slice(0, 2)}</span>;
}

type Props = { form: DestinationForm; onChange: Change; /** What the folder is for: shown under its field. */ folderHint?: string };

/** Which kind of place; a folder is chosen right here. */
export function WhereStep({ form, onChange, folderHint = 'It may be new; it is made when you go on' }: Props) {
  const providers = useProviders();
  const name = useId();
  const { kind, s3 } = form.draft;
  const choose = (to: string, provider: S3Provider | null) =>
    onChange((old) => {
      if (old.draft.kind === to && old.draft.s3.provider === (provider?.id ?? '')) return old;
      const blank = emptyDraft();
      // Another provider: what was typed for the old one does not fit; the keys least of all.
      return { ...old, draft: { ...old.draft, kind: to, s3: provider ? { ...blank.s3, provider: provider.id, region: provider.regions.length === 1 || provider.endpoint === '' ? (provider.regions[0]?.id ?? '') : '' } : old.draft.s3 } };
    });
  const card = (value: string, title: string, text: ReactNode, mark: ReactNode, provider: S3Provider | null) => {
    const on = value === kind && (provider === null || provider.id === s3.provider);
    return (
      <label key={provider?.id ?? value} className={on ? 'choice place-card choice-on' : 'choice place-card'}>
        <input type="radio" className="visually-hidden" name={name} checked={on} onChange={() => choose(value, provider)} />
        {mark}
        <span className="grow"><b>{title}</b><span className="mute small">{text}</span></span>
      </label>
    );
  };
  return (
    <div className="stack place-groups" role="radiogroup" aria-label="Kind of destination">
      <div className="place-cards">
        {card('local', 'This computer or a mounted folder', 'A disk, a USB drive, a NAS', <IconFolder size={22} stroke={1.5} aria-hidden />, null)}
        {card('sftp', 'SFTP', 'A server over SSH, a storage box', <IconServer2 size={22} stroke={1.5} aria-hidden />, null)}
        {card('ftp', 'FTP or FTPS', 'Web space, an old NAS', <IconWorld size={22} stroke={1.5} aria-hidden />, null)}
      </div>
      {kind === 'local' && <FolderCard form={form} onChange={onChange} hint={folderHint} />}
      <h2 className="section-title">Object storage (S3)</h2>
      {providers.error && <ErrorNote error={providers.error} retry={() => void providers.refetch()} />}
      {providers.isPending && <Skeleton height={120} />}
      <div className="place-cards">
        {providers.data?.map((provider) => card('s3', provider.name, regionsText(provider), <Mark id={provider.id} name={provider.name} />, provider))}
      </div>
    </div>
  );
}

const TEXTS: Record<string, string> = { r2: 'One address, no region', minio: 'A store of your own', generic: 'Any other, by its address' };

function regionsText(provider: S3Provider): string {
  const places = provider.regions.map((region) => region.place);
  const text = TEXTS[provider.id];
  if (text) return text;
  return places.length > 2 ? `${places[0] ?? ''} and ${places.length - 1} more` : places.join(', ');
}

function FolderCard({ form, onChange, hint }: { form: DestinationForm; onChange: Change; hint: string }) {
  const { path } = form.draft;
  const pick = useAction(async () => {
    const folder = await dialogs.pickFolder({ title: 'Where should backups lie?', ...(path ? { start: path } : {}) });
    if (folder !== null) changeDraft(onChange, { path: folder });
  });
  return (
    <Card padded>
      <div className="row" style={{ alignItems: 'flex-start' }}>
        <TextInput
          label="Folder"
          className="grow"
          classNames={{ input: 'mono' }}
          data-autofocus
          autoFocus
          placeholder="/mnt/nas/backups"
          description={hint}
          value={path}
          onChange={(event) => changeDraft(onChange, { path: event.currentTarget.value })}
        />
        <Button mt={20} loading={pick.busy} onClick={() => pick.run()}>Choose…</Button>
      </div>
    </Card>
  );
}
