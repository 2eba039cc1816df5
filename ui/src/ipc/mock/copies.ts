import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { one } from './backups';
import { DAY, GIB, MIN, type World } from './data';

const thawing = new Set<string>();

/** The copies of a backup. Archives older than 60 days lie in a cold storage class. */
export function copiesOf(w: World, row: T.BackupRow): T.CopyView[] {
  const archive = row.layout !== 'vault';
  const cold = archive && w.now - row.started > 60 * DAY;
  return [...row.destinations, ...row.missing_at].map((name) => {
    const place = w.destinations.find((d) => d.name === name);
    const state = row.missing_at.includes(name) ? 'missing' : thawing.has(row.id) ? 'thawing' : cold ? 'frozen' : 'there';
    return {
      destination: place?.id ?? '', destination_name: name, state,
      file: archive ? `shop-archives_${new Date(row.started).toISOString().slice(0, 10).replaceAll('-', '')}_020000.tar.zst.sealed` : null,
      file_bytes: archive ? Math.round(row.bytes * 0.61) : null, links: archive && place?.kind === 's3' && state === 'there',
      cost_note: place?.provider === 'Wasabi' && w.now - row.started < 90 * DAY ? 'Billed for 90 days in all: Wasabi keeps charging for it after it is deleted' : null,
      locked_until: archive && place?.kind === 's3' && state === 'there' ? row.started + 30 * DAY : null,
    };
  });
}

/** Commands about the copies of backups. */
export const copies = {
  delete_preview: (w: World, { backup, destinations }: { backup: string; destinations: string[] }): T.DeletePreview => {
    const row = one(w, backup);
    const of = w.backups.filter((b) => b.plan === row.plan);
    const all = copiesOf(w, row).filter((copy) => copy.state !== 'missing' && (destinations.length === 0 || destinations.includes(copy.destination)));
    const archive = row.layout !== 'vault';
    return {
      backup, title: `${row.plan_name}, ${new Date(row.started).toISOString().slice(0, 16).replace('T', ' ')}`, copies: all,
      newest: of.every((b) => b.started <= row.started), only: of.length === 1,
      notes: [
        archive ? `${(row.bytes * 0.61 / GIB).toFixed(1)} GiB are freed at once.` : 'What other backups share stays. Its own part, about 88 MiB, is freed when the vault is cleaned up.',
        ...all.flatMap((copy) => (copy.cost_note ? [copy.cost_note] : [])),
      ],
    };
  },
  delete_backup: (w: World, { backup, destinations }: { backup: string; destinations: string[] }): T.DeleteReport => {
    const row = one(w, backup);
    const gone = copiesOf(w, row).filter((copy) => copy.state !== 'missing' && (destinations.length === 0 || destinations.includes(copy.destination)));
    const failed = gone.filter((copy) => copy.destination_name === 'usb disk');
    const removed = gone.filter((copy) => !failed.includes(copy)).map((copy) => copy.destination_name);
    const left = row.destinations.filter((name) => !removed.includes(name));
    w.backups = left.length === 0 ? w.backups.filter((b) => b.id !== backup) : w.backups.map((b) => (b.id === backup ? { ...b, destinations: left } : b));
    w.emit({ type: 'changed', what: 'backups' });
    return {
      freed_bytes: row.layout === 'vault' ? 0 : Math.round(row.bytes * 0.61), removed,
      failed: failed.map((copy) => ({ destination: copy.destination_name, error: ipcError('offline', `Cannot delete the copy on ${copy.destination_name}: the disk is not mounted`, 'Plug it in, then delete it again.') })),
      prune_hint: row.layout === 'vault' ? 'About 88 MiB are freed when the vault is cleaned up' : '',
    };
  },
  make_link: (w: World, { backup, destination, minutes }: { backup: string; destination: string; minutes: number }): T.LinkView => {
    const row = one(w, backup);
    const copy = copiesOf(w, row).find((each) => each.destination === destination);
    if (!copy?.links) throw ipcError('invalid', 'Cannot make a link: this copy has no address of its own', 'Links are for archives in S3.');
    return { url: `https://acme-archives.s3.eu-central-1.wasabisys.com/archives/shop/${copy.file}?X-Amz-Expires=${minutes * 60}&X-Amz-Signature=${'5f0c'.repeat(16)}`, expires: Date.now() + minutes * MIN, file: copy.file ?? '', sealed: row.sealed };
  },
  thaw_backup: (w: World, { backup, destination }: { backup: string; destination: string; days: number }): T.CopyView => {
    thawing.add(backup);
    w.emit({ type: 'changed', what: 'backups' });
    const copy = copiesOf(w, one(w, backup)).find((each) => each.destination === destination);
    if (!copy) throw ipcError('missing', 'Cannot bring the copy back: it is not there any more');
    return copy;
  },
};
