import type { BackupDetail } from '../../ipc';
import { formatBytes, plural } from '../../shared/format';
import { BackupTree } from '../../shared/paths';
import { Card } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import type { RestoreForm } from './form';

type Props = { detail: BackupDetail; form: RestoreForm; onChange: (part: Partial<RestoreForm>) => void };

/** The whole backup, or parts of it ticked in its tree. */
export function WhatStep({ detail, form, onChange }: Props) {
  const { row } = detail;
  return (
    <>
      <Choices
        label="What to restore"
        layout="grid"
        value={form.whole ? 'whole' : 'parts'}
        onChange={(choice) => onChange({ whole: choice === 'whole' })}
        options={[
          { value: 'whole', title: 'The whole backup', text: `${plural(row.files, 'file')}, ${formatBytes(row.bytes)}` },
          { value: 'parts', title: 'Parts of it', text: 'Tick files, folders and databases below' },
        ]}
      />
      <Card className="tree-box">
        {form.whole ? (
          <BackupTree key="whole" backup={row.id} name={row.plan_name} items={detail.items} height="fill" />
        ) : (
          <BackupTree key="parts" backup={row.id} name={row.plan_name} items={detail.items} picked={form.paths} onPick={(paths) => onChange({ paths })} height="fill" />
        )}
      </Card>
    </>
  );
}
