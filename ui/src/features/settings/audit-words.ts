/** What the audit log calls its actions, in words. */
const ACTIONS: Record<string, string> = {
  'audit.export': 'Audit log exported',
  'backup.delete': 'Backup deleted',
  'backup.link': 'Temporary link made',
  'backup.thaw': 'Archive asked back from cold storage',
  'bucket.make': 'Bucket made',
  'certificate.accept': 'Certificate accepted',
  'configuration.adopt': 'Servers and plans taken over',
  'destination.add': 'Destination added',
  'destination.change': 'Destination changed',
  'destination.cleanup_rule': 'Clean-up rule set',
  'destination.copy': 'Destination made a copy',
  'destination.open': 'Destination opened',
  'destination.remove': 'Destination removed',
  'host_key.accept': 'Host key accepted',
  'kit.confirm': 'Recovery kit confirmed',
  'kit.save': 'Recovery kit saved',
  'kit.show': 'Recovery kit shown',
  'limits.change': 'Speed limits changed',
  'plan.add': 'Plan made',
  'plan.change': 'Plan changed',
  'plan.exclude': 'Paths left out of a plan',
  'plan.remove': 'Plan removed',
  'restore.confirm': 'Restore confirmed',
  'run.cancel': 'Run cancelled',
  'secrets.create_file': 'File for secrets made',
  'secrets.try_keyring': 'Keyring tried',
  'secrets.unlock': 'Secrets unlocked',
  'server.add': 'Server added',
  'server.change': 'Server changed',
  'server.remove': 'Server removed',
  'settings.change': 'Settings changed',
};

const RUNS: Record<string, string> = { backup: 'Backup', restore: 'Restore', download: 'Download', verify: 'Check', sync: 'Sync', prune: 'Clean-up' };

const OUTCOMES: Record<string, string> = { ok: 'done', wrong_word: 'the word was not the kit’s', closed: 'it stays closed', wrong_key: 'wrong passphrase or key' };

const plain = (code: string) => code.replaceAll(/[._]/g, ' ');

/** An action of the audit log in words; one that is not known here as it is written, without its dots. */
export function actionText(action: string): string {
  const [kind = '', act = ''] = action.split('.', 2);
  const run = RUNS[kind];
  if (run !== undefined && act === 'start') return `${run} started`;
  if (run !== undefined && act === 'end') return `${run} ended`;
  return ACTIONS[action] ?? plain(action);
}

/** How an action ended, in words. */
export function outcomeText(outcome: string): string {
  return OUTCOMES[outcome] ?? plain(outcome);
}
