import { Button } from '@mantine/core';
import { CopyText, Dialog, DialogFoot, Note } from '../../shared/ui';

type Props = { host: string; sha256: string; text: string; onAccept: () => void; onClose: () => void };

/** A certificate that is not trusted by itself: compared by eye, then pinned. */
export function CertificateDialog({ host, sha256, text, onAccept, onClose }: Props) {
  const groups = sha256.toUpperCase().match(/.{1,4}/g) ?? [];
  return (
    <Dialog onClose={onClose} title={`Certificate of ${host}`} size="lg">
      <div className="stack">
        {/* The fingerprint stands below, in groups that can be compared. */}
        {text && <p>{text.replace(`, SHA-256 ${sha256}`, '')}</p>}
        <div>
          <div className="field-label">Its SHA-256 fingerprint</div>
          <div className="fingerprint mono certificate" role="img" aria-label={`Fingerprint: ${sha256}`}>
            {groups.map((group, i) => <span key={i} aria-hidden>{group}</span>)}
          </div>
        </div>
        <p>Compare it with the one that the owner of the server tells you: on the phone, in the administration of the NAS, or by <span className="mono">openssl x509 -noout -fingerprint -sha256 -in FILE</span> where the certificate lies.</p>
        <Note tone="warn">Only if they are equal are you talking to {host} and to nobody in between. Once accepted it is pinned: if the certificate changes, Backstay stops and says so.</Note>
        <DialogFoot>
          <CopyText value={sha256} label="Copy the fingerprint" />
          <span className="grow" />
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="filled" onClick={onAccept}>They are equal: accept</Button>
        </DialogFoot>
      </div>
    </Dialog>
  );
}

/** The certificate that was accepted for a place, or nothing. */
export function AcceptedCertificate({ sha256, onForget }: { sha256: string | null; onForget: () => void }) {
  if (!sha256) return null;
  return (
    <div>
      <div className="field-label">Accepted certificate (SHA-256)</div>
      <span className="mono path-wrap">{sha256}</span>
      <div><Button size="compact-sm" mt={6} onClick={onForget}>Forget it</Button></div>
    </div>
  );
}
