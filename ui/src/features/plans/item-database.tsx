import { Checkbox, Select, TagsInput } from '@mantine/core';
import type { FoundView, ItemDraft, ItemSettings } from '../../ipc';
import { DatabaseLogIn } from '../../shared/database';
import { Card, Note } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { useState } from 'react';
import { itemProblem } from './form';
import { RemoveItem } from './item-files';
import { KIND_WORDS, sameSource } from './items';

type Database = Extract<ItemSettings, { kind: 'mysql' | 'postgres' }>;
type Props = {
  item: ItemDraft & { settings: Database };
  found: FoundView[];
  /** The plan exists already: a password may be stored. */
  stored: boolean;
  onChange: (item: ItemDraft) => void;
  onRemove: () => void;
};

/** The databases of one database server: which ones, and how to log in. */
export function DatabaseCard({ item, found, stored, onChange, onRemove }: Props) {
  const { settings } = item;
  const [some, setSome] = useState(settings.databases.length > 0);
  const only = some || settings.databases.length > 0;
  const set = (part: Partial<Database>) => onChange({ ...item, settings: { ...settings, ...part } as Database });
  const known = found
    .map((one) => one.item.settings)
    .filter((one): one is Database => (one.kind === 'mysql' || one.kind === 'postgres') && sameSource(one, settings))
    .flatMap((one) => one.databases);
  const problem = itemProblem(item);
  const title = KIND_WORDS[settings.kind];
  return (
    <Card title={title} aside={<RemoveItem name={title} onRemove={onRemove} />} padded>
      <div className="stack" style={{ gap: 14 }}>
        <Choices
          label={`Databases of ${title}`}
          value={only ? 'some' : 'all'}
          onChange={(choice) => {
            setSome(choice === 'some');
            set({ databases: choice === 'all' ? [] : [...new Set(known)] });
          }}
          options={[
            { value: 'all', title: 'All databases', text: 'New ones too. The system\'s own are left out.' },
            { value: 'some', title: 'Only these', text: 'New ones are not backed up until you add them here.' },
          ]}
        />
        {only && (
          <TagsInput
            label="Databases"
            placeholder={settings.databases.length === 0 ? 'Type a name and press Enter' : ''}
            data={[...new Set(known)]}
            value={settings.databases}
            onChange={(databases) => set({ databases })}
          />
        )}
        <DatabaseLogIn
          kind={settings.kind}
          value={{ socket: '', ...settings }}
          password={item.password ?? ''}
          passwordHint={stored ? 'Empty: the stored one stays' : 'Kept with the secrets of this computer, never in the plan'}
          onChange={({ socket, ...part }) => set(settings.kind === 'mysql' && socket !== undefined ? { ...part, socket } : part)}
          onPassword={(password) => onChange({ ...item, password })}
        />
        {settings.kind === 'postgres' && (
          <div className="fields2">
            <Select
              label="Dump format"
              data={[
                { value: 'custom', label: 'Custom: compressed, restores in parts' },
                { value: 'plain', label: 'Plain SQL: readable, opens everywhere' },
              ]}
              value={settings.format}
              onChange={(format) => format && set({ format })}
            />
            <Checkbox
              mt={26}
              label="Roles and tablespaces too"
              checked={settings.globals}
              onChange={(event) => set({ globals: event.currentTarget.checked })}
            />
          </div>
        )}
        {problem && <Note tone="warn">{problem}</Note>}
      </div>
    </Card>
  );
}
