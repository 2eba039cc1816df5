import type { DestinationRow } from '../../ipc';
import { listText, plural } from '../../shared/format';

const KINDS: Record<string, string> = { local: 'Folder', s3: 'S3', sftp: 'SFTP', ftp: 'FTP' };

/** What kind of place it is: the provider's name where there is one. */
export function kindText(row: Pick<DestinationRow, 'kind' | 'provider' | 'place'>): string {
  if (row.place.startsWith('ftps:')) return 'FTPS';
  return row.provider ?? KINDS[row.kind] ?? row.kind;
}

/** The state of a destination for its badge: what is damaged or lacking counts only where nothing worse is the matter. */
export function stateOf(row: Pick<DestinationRow, 'state' | 'missing' | 'damaged'>): { state: string; text: string | undefined } {
  if (row.state === 'ok' && row.damaged > 0) return { state: 'damaged', text: undefined };
  if (row.state === 'ok' && row.missing > 0) return { state: 'missing', text: `Lacks ${plural(row.missing, 'backup')}` };
  return { state: row.state, text: undefined };
}

/** What lies there, in words. */
export function layoutText(row: Pick<DestinationRow, 'vault' | 'copies_of'>): string {
  if (!row.vault) return 'No vault yet: holds archives, or becomes a copy when a plan says so';
  return row.copies_of.length > 0 ? `A copy of the vault that is at ${listText(row.copies_of)} too` : 'Vault: encrypted, deduplicated, readable by restic';
}
