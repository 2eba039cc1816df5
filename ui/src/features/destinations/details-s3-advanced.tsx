import { Button, Collapse, NumberInput, SegmentedControl, Select, TextInput, Textarea } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useId, useState } from 'react';
import type { S3Draft, S3Provider } from '../../ipc';
import { Card } from '../../shared/ui';
import { AcceptedCertificate } from './certificate';
import { endpointOf, takesAnyClass, type DestinationForm, type Problems } from './form';

type Props = { form: DestinationForm; shown: Problems; provider: S3Provider; set: (part: Partial<S3Draft>) => void; onLeave: (field: string) => void };

const CLASSES: Record<string, string> = {
  STANDARD: 'Standard: read at any time', STANDARD_IA: 'Infrequent access: cheaper to keep, reading is billed', ONEZONE_IA: 'One zone: cheaper, in one data centre only', INTELLIGENT_TIERING: 'Intelligent tiering: the provider moves what is not read',
  GLACIER_IR: 'Glacier instant: cheap to keep, dear to read', GLACIER: 'Glacier: brought back within hours before it can be read', DEEP_ARCHIVE: 'Deep archive: brought back within 12 to 48 hours',
};

const tri = (value: boolean | null) => (value === null ? 'auto' : value ? 'yes' : 'no');
const bool = (value: string) => (value === 'auto' ? null : value === 'yes');

/** What is filled in already and seldom changed, folded away; a line says what it is. */
export function S3Advanced({ form, shown, provider, set, onLeave }: Props) {
  const { s3 } = form.draft;
  const wrong = ['ca_pem', 'lock_days', 'storage_class', ...(provider.endpoint ? ['endpoint'] : [])].some((field) => shown[field] !== undefined);
  const [open, setOpen] = useState(false);
  const unfolded = open || wrong;
  const id = useId();
  return (
    <Card>
      <div className="row card-pad fold-head">
        <Button variant="subtle" leftSection={unfolded ? <IconChevronDown size={16} /> : <IconChevronRight size={16} />} aria-expanded={unfolded} aria-controls={id} onClick={() => setOpen(!unfolded)}>Advanced</Button>
        {!unfolded && <span className="mute small grow">{summary(s3, provider)}</span>}
      </div>
      <Collapse expanded={unfolded} transitionDuration={0} id={id}>
        <div className="card-pad stack" style={{ gap: 16, paddingTop: 0 }}>
          <Addressing s3={s3} provider={provider} set={set} shown={shown} onLeave={onLeave} stored={form.draft.id !== null} />
          <Keeping s3={s3} provider={provider} set={set} shown={shown} onLeave={onLeave} />
          <Textarea
            label="Own certificate authority" description="PEM text, for a store whose certificate your own authority signed" autosize minRows={2} maxRows={6} classNames={{ input: 'mono' }} placeholder="-----BEGIN CERTIFICATE-----"
            value={s3.ca_pem ?? ''} error={shown.ca_pem} onChange={(event) => set({ ca_pem: event.currentTarget.value || null })} onBlur={() => onLeave('ca_pem')}
          />
          <AcceptedCertificate sha256={s3.pinned_certificate} onForget={() => set({ pinned_certificate: null })} />
        </div>
      </Collapse>
    </Card>
  );
}

type PartProps = Omit<Props, 'form'> & { s3: S3Draft };

function Addressing({ s3, provider, set, shown, onLeave, stored }: PartProps & { stored: boolean }) {
  const style = useId();
  const sums = useId();
  return (
    <>
      {provider.endpoint !== '' && (
        <TextInput
          label="Address" description="Empty takes the provider's own" classNames={{ input: 'mono' }} placeholder={endpointOf(provider, s3.region) || provider.endpoint} disabled={stored}
          value={s3.endpoint} error={shown.endpoint} onChange={(event) => set({ endpoint: event.currentTarget.value })} onBlur={() => onLeave('endpoint')}
        />
      )}
      <div>
        <div className="field-label" id={style}>Where the address names the bucket</div>
        <SegmentedControl
          aria-labelledby={style} value={tri(s3.path_style)} onChange={(value) => set({ path_style: bool(value) })}
          data={[{ value: 'auto', label: 'automatic' }, { value: 'no', label: 'in the host name' }, { value: 'yes', label: 'in the path' }]}
        />
        <p className="mute small field-hint">The test finds out what works. Providers call it virtual-hosted style and path style.</p>
      </div>
      <div>
        <div className="field-label" id={sums}>Newer S3 checksums</div>
        <SegmentedControl
          aria-labelledby={sums} value={tri(s3.checksums)} onChange={(value) => set({ checksums: bool(value) })}
          data={[{ value: 'auto', label: 'automatic' }, { value: 'yes', label: 'always' }, { value: 'no', label: 'only where required' }]}
        />
        <p className="mute small field-hint">Many stores other than Amazon refuse them. Backstay keeps hashes of its own either way.</p>
      </div>
    </>
  );
}

function Keeping({ s3, provider, set, shown, onLeave }: PartProps) {
  return (
    <div className="pairs">
      {provider.storage_classes.length > 0 && (
        <Select
          label="Storage class of archives" description="A vault is always in the standard class" data={provider.storage_classes.map((value) => ({ value, label: CLASSES[value] ?? value }))}
          value={s3.storage_class ?? provider.storage_classes[0] ?? null} onChange={(value) => set({ storage_class: value === provider.storage_classes[0] ? null : value })}
        />
      )}
      {takesAnyClass(provider) && (
        <TextInput
          label="Storage class of archives" description="As the store names it; empty takes its own. A vault is always in the standard class" classNames={{ input: 'mono' }} placeholder="STANDARD"
          value={s3.storage_class ?? ''} error={shown.storage_class} onChange={(event) => set({ storage_class: event.currentTarget.value || null })} onBlur={() => onLeave('storage_class')}
        />
      )}
      <Select
        label="Encryption at rest" description="By the provider, on top of Backstay's own" data={[{ value: '', label: 'As the bucket does it' }, { value: 'AES256', label: "With the provider's key (SSE-S3)" }, { value: 'aws:kms', label: 'With a key of yours in KMS' }]}
        value={s3.encryption ?? ''} onChange={(value) => set({ encryption: value || null })}
      />
      {s3.encryption === 'aws:kms' && <TextInput label="KMS key" description="Its id or ARN; empty takes the account's" classNames={{ input: 'mono' }} value={s3.kms_key ?? ''} onChange={(event) => set({ kms_key: event.currentTarget.value || null })} />}
      <NumberInput
        label="Lock archives against deletion" description="For so many days; empty is no lock. The bucket must allow it" suffix=" days" min={1} max={36_500} allowDecimal={false} hideControls placeholder="not locked"
        value={s3.lock_days ?? ''} error={shown.lock_days} onChange={(value) => set({ lock_days: typeof value === 'number' ? value : null })} onBlur={() => onLeave('lock_days')}
      />
      {s3.lock_days !== null && (
        <Select
          label="Who may lift the lock" data={[{ value: 'GOVERNANCE', label: 'Governance: whoever may do that' }, { value: 'COMPLIANCE', label: 'Compliance: nobody, not even you' }]}
          value={s3.lock_mode ?? 'GOVERNANCE'} onChange={(lock_mode) => set({ lock_mode })}
        />
      )}
    </div>
  );
}

function summary(s3: S3Draft, provider: S3Provider): string {
  const address = s3.endpoint.trim() || endpointOf(provider, s3.region);
  return [
    address, s3.path_style ?? provider.path_style ? 'bucket in the path' : 'bucket in the host name',
    s3.checksums ?? provider.checksums ? 'checksums' : 'checksums only where required',
    s3.storage_class ? s3.storage_class.toLowerCase().replaceAll('_', ' ') : '', s3.lock_days ? `locked for ${s3.lock_days} days` : '', s3.pinned_certificate ? 'certificate pinned' : '',
  ].filter(Boolean).join(', ');
}
