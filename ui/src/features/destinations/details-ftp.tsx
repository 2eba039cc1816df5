import { Button, Checkbox, Collapse, NumberInput, PasswordInput, Select, TextInput } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useId, useState } from 'react';
import { Card, Note } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { AcceptedCertificate } from './certificate';
import type { DetailProps } from './details-s3';
import { placeWarning } from './form';

/** A folder over FTP, with or without TLS. */
export function FtpDetails({ form, shown, onChange, onLeave }: DetailProps) {
  const { ftp, id } = form.draft;
  const set = (part: Partial<typeof ftp>) => onChange((old) => ({ ...old, draft: { ...old.draft, ftp: { ...old.draft.ftp, ...part } } }));
  const stored = id !== null;
  const warning = placeWarning(form.draft);
  return (
    <>
      <Choices
        label="Encryption on the way"
        value={ftp.tls || 'explicit'}
        onChange={(tls) => set({ tls })}
        options={[
          { value: 'explicit', title: 'FTPS, explicit', text: 'Begins on the ordinary port and turns TLS on. What most servers offer.' },
          { value: 'implicit', title: 'FTPS, implicit', text: 'TLS from the first byte, on port 990.' },
          { value: 'none', title: 'FTP without encryption', text: 'Only where nothing else is offered.' },
        ]}
      />
      {warning && <Note tone="warn">{warning}</Note>}
      <Card padded>
        <div className="stack" style={{ gap: 16 }}>
          <div className="pairs">
            <TextInput label="Host" placeholder="ftp.example.org" disabled={stored} value={ftp.host} error={shown.host} onChange={(event) => set({ host: event.currentTarget.value, pinned_certificate: null })} onBlur={() => onLeave('host')} />
            <NumberInput
              label="Port" placeholder={ftp.tls === 'implicit' ? '990' : '21'} min={0} max={65535} hideControls allowDecimal={false} allowNegative={false} disabled={stored}
              value={ftp.port === 0 ? '' : ftp.port} error={shown.port} onChange={(value) => set({ port: Number(value) || 0 })}
            />
            <TextInput label="User" value={ftp.user} error={shown.user} onChange={(event) => set({ user: event.currentTarget.value })} onBlur={() => onLeave('user')} />
            <PasswordInput label="Password" description={stored ? 'Empty keeps the stored one' : undefined} value={ftp.password ?? ''} error={shown.password} onChange={(event) => set({ password: event.currentTarget.value || null })} onBlur={() => onLeave('password')} />
          </div>
          <TextInput label="Folder" description="Empty is the log-in folder; it is made if it is not there" classNames={{ input: 'mono' }} placeholder="backups" disabled={stored} value={ftp.path} error={shown.path} onChange={(event) => set({ path: event.currentTarget.value })} />
        </div>
      </Card>
      <FtpAdvanced ftp={ftp} set={set} problem={shown.connections} />
    </>
  );
}

type Ftp = DetailProps['form']['draft']['ftp'];

function FtpAdvanced({ ftp, set, problem }: { ftp: Ftp; set: (part: Partial<Ftp>) => void; problem: string | undefined }) {
  const [open, setOpen] = useState(false);
  const unfolded = open || problem !== undefined;
  const id = useId();
  return (
    <Card>
      <div className="row card-pad fold-head">
        <Button variant="subtle" leftSection={unfolded ? <IconChevronDown size={16} /> : <IconChevronRight size={16} />} aria-expanded={unfolded} aria-controls={id} onClick={() => setOpen(!unfolded)}>Advanced</Button>
        {!unfolded && <span className="mute small grow">{ftp.connections || 4} connections at once{ftp.passive === 'epsv' || ftp.passive === 'pasv' ? `, ${ftp.passive.toUpperCase()}` : ''}{ftp.ignore_pasv_address ? ', data to the same address' : ''}{ftp.pinned_certificate ? ', certificate pinned' : ''}</span>}
      </div>
      <Collapse expanded={unfolded} transitionDuration={0} id={id}>
        <div className="card-pad stack" style={{ gap: 16, paddingTop: 0 }}>
          <Select
            label="Data connections" description="Set it only if the test cannot make one, or takes long to" maw={420} allowDeselect={false}
            data={[
              { value: 'auto', label: 'Automatic: EPSV, and PASV where that does not work' },
              { value: 'epsv', label: 'EPSV only' },
              { value: 'pasv', label: 'PASV only' },
            ]}
            value={ftp.passive || 'auto'} onChange={(passive) => set({ passive: passive ?? 'auto' })}
          />
          <Checkbox
            label="Send data to the same address as the log-in" description="For a server behind a router that answers PASV with an address only it can reach"
            checked={ftp.ignore_pasv_address} onChange={(event) => set({ ignore_pasv_address: event.currentTarget.checked })}
          />
          <NumberInput
            label="Connections at once" description="Servers cap them; fewer if log-ins are refused with 421" placeholder="4" min={0} max={16} maw={220} allowDecimal={false} value={ftp.connections === 0 ? '' : ftp.connections} error={problem}
            onChange={(value) => set({ connections: Number(value) || 0 })}
          />
          <AcceptedCertificate sha256={ftp.pinned_certificate} onForget={() => set({ pinned_certificate: null })} />
        </div>
      </Collapse>
    </Card>
  );
}
