import { Autocomplete, Button, Modal, PasswordInput, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, type S3Provider } from '../../ipc';
import { useAction } from '../../shared/query';
import { Card, DialogFoot, ErrorNote, Note, TestSteps } from '../../shared/ui';
import { S3Advanced } from './details-s3-advanced';
import { changedBucket, endpointOf, placeWarning, toDraft, type DestinationForm, type Problems } from './form';
import { Mark, type Change } from './step-where';

export type DetailProps = {
  form: DestinationForm;
  /** What is wrong, of the fields that were left or asked about. */
  shown: Problems;
  onChange: Change;
  onLeave: (field: string) => void;
};

const ENDPOINTS: Record<string, string> = { r2: 'https://ACCOUNT.r2.cloudflarestorage.com', minio: 'https://minio.example.org:9000' };

/** A bucket: region, keys, bucket, folder; the rest is filled in and folded away. */
export function S3Details({ form, shown, onChange, onLeave, provider }: DetailProps & { provider: S3Provider }) {
  const { s3, id } = form.draft;
  const set = (part: Partial<typeof s3>) => onChange((old) => ({ ...old, draft: { ...old.draft, s3: changedBucket(old.draft.s3, part) } }));
  const stored = id !== null;
  const warning = placeWarning(form.draft);
  return (
    <>
      <Card title={<span className="row"><Mark id={provider.id} name={provider.name} /> {provider.name}</span>} padded>
        <div className="stack" style={{ gap: 16 }}>
          {provider.notes.length > 0 && <ul className="plain-notes">{provider.notes.map((note) => <li key={note}>{note}</li>)}</ul>}
          <div className="fields2">
            <Region provider={provider} value={s3.region} problem={shown.region} disabled={stored} onChange={(region) => set({ region })} />
            {provider.endpoint === '' && (
              <TextInput
                label="Address" description={provider.id === 'r2' ? 'On the page where the keys are made' : 'Of the S3 service, with its port'} placeholder={ENDPOINTS[provider.id] ?? 'https://s3.example.org'} classNames={{ input: 'mono' }} disabled={stored}
                value={s3.endpoint} error={shown.endpoint} onChange={(event) => set({ endpoint: event.currentTarget.value })} onBlur={() => onLeave('endpoint')}
              />
            )}
          </div>
          {warning && <Note tone="warn">{warning}</Note>}
          <div className="fields2">
            <TextInput label="Access key" classNames={{ input: 'mono' }} value={s3.access_key} error={shown.access_key} onChange={(event) => set({ access_key: event.currentTarget.value })} onBlur={() => onLeave('access_key')} />
            <PasswordInput
              label="Secret key" description={stored ? 'Empty keeps the stored one' : undefined} value={s3.secret_key ?? ''} error={shown.secret_key}
              onChange={(event) => set({ secret_key: event.currentTarget.value || null })} onBlur={() => onLeave('secret_key')}
            />
          </div>
          {provider.keys_hint && <p className="mute small">Where keys are made: {provider.keys_hint}. One that may list, read, write and delete in this bucket is enough.</p>}
          <div className="fields2">
            <TextInput
              label="Bucket" classNames={{ input: 'mono' }} placeholder="acme-backups" disabled={stored} value={s3.bucket} error={shown.bucket}
              onChange={(event) => set({ bucket: event.currentTarget.value })} onBlur={() => onLeave('bucket')}
            />
            <TextInput
              label="Folder in the bucket" description="Empty takes the whole bucket" classNames={{ input: 'mono' }}
              placeholder="backstay" disabled={stored} value={s3.prefix} error={shown.prefix}
              onChange={(event) => set({ prefix: event.currentTarget.value })} onBlur={() => onLeave('prefix')}
            />
          </div>
          {!stored && <MakeBucket form={form} provider={provider} />}
        </div>
      </Card>
      <S3Advanced form={form} shown={shown} provider={provider} set={set} onLeave={onLeave} />
    </>
  );
}

type RegionProps = { provider: S3Provider; value: string; problem: string | undefined; disabled: boolean; onChange: (region: string) => void };

function Region({ provider, value, problem, disabled, onChange }: RegionProps) {
  const place = new Map(provider.regions.map((region) => [region.id, region.place]));
  if (provider.regions.length === 0 || provider.free_region) {
    return (
      <Autocomplete
        label="Region" description={place.get(value) ?? (provider.regions.length === 0 ? 'Empty if it has none' : 'Pick one, or type one that is not listed')} disabled={disabled}
        data={provider.regions.map((region) => region.id)}
        renderOption={({ option }) => <span>{place.get(option.value)} <span className="mute">{option.value}</span></span>}
        filter={({ options, search }) => options.filter((option) => 'value' in option && `${option.value} ${place.get(option.value) ?? ''}`.toLowerCase().includes(search.toLowerCase()))}
        value={value} error={problem} onChange={onChange}
      />
    );
  }
  return (
    <Select
      label="Region" placeholder="Choose where the bucket is" disabled={disabled} searchable={provider.regions.length > 8}
      data={provider.regions.map((region) => ({ value: region.id, label: `${region.place} (${region.id})` }))}
      value={value || null} error={problem} onChange={(region) => onChange(region ?? '')}
    />
  );
}

/** Has the bucket made as it should be for backups. */
function MakeBucket({ form, provider }: { form: DestinationForm; provider: S3Provider }) {
  const { s3 } = form.draft;
  const [opened, setOpened] = useState(false);
  const make = useAction(() => api.makeBucket(toDraft(form, 'empty')), { inline: true });
  const ready = s3.bucket.trim() !== '' && s3.access_key.trim() !== '' && Boolean(s3.secret_key) && (s3.endpoint !== '' || endpointOf(provider, s3.region) !== '');
  const made = make.result;
  // Trying again would find it there, and leave it as it is.
  const halfMade = made && !made.ok && made.steps[0]?.state === 'ok';
  return (
    <div className="row" style={{ flexWrap: 'wrap' }}>
      <Button disabled={!ready} onClick={() => setOpened(true)}>Make a private bucket for me…</Button>
      <span className="mute small grow">{ready ? 'If there is none yet: closed to the public, versioned, encrypted' : 'If there is none yet. Needs region, keys and a name first'}</span>
      <Modal opened={opened} onClose={() => { setOpened(false); make.reset(); }} title={`Make the bucket ${s3.bucket.trim()}`} size="md">
        <div className="stack">
          {!made && <p>Backstay makes {s3.bucket.trim()} at {provider.name}: nobody but these keys can read it, old versions are kept, files are encrypted at rest, and uploads that were broken off are cleaned up. What the provider cannot do is named. A bucket that is there already is left as it is.</p>}
          {(make.busy || made) && <TestSteps label="Making the bucket" steps={made?.steps ?? []} running={make.busy ? 'Making it…' : undefined} />}
          {make.error && <ErrorNote error={make.error} />}
          {made?.ok && <Note tone="good">The bucket is ready. Go on with the test.</Note>}
          {halfMade && <Note tone="warn">The bucket is made, but not all of it is set up: set the rest in the console of {provider.name}.</Note>}
          <DialogFoot>
            <Button onClick={() => { setOpened(false); make.reset(); }}>{made ? 'Close' : 'Cancel'}</Button>
            {!made?.ok && !halfMade && <Button variant="filled" loading={make.busy} onClick={() => make.run()}>{made || make.error ? 'Try again' : 'Make the bucket'}</Button>}
          </DialogFoot>
        </div>
      </Modal>
    </div>
  );
}
