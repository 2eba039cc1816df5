import { Select, Switch } from '@mantine/core';
import type { BackupItem, ServerRow } from '../../ipc';
import { DatabaseLogIn } from '../../shared/database';
import { FolderChooser } from '../../shared/paths';
import { Card, Note } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { MODES, databaseItems, emptyLogin, modeNote, serverNote, type Mode, type RestoreForm } from './form';

type Props = {
  form: RestoreForm;
  /** The server the backup was made of, if it is still known. */
  origin: string | null;
  originName: string;
  items: BackupItem[];
  servers: ServerRow[];
  onChange: (part: Partial<RestoreForm>) => void;
};

/** Which server, which place on it, and what happens to what is there. */
export function WhereStep({ form, origin, originName, items, servers, onChange }: Props) {
  const chosen = servers.find((server) => server.id === form.server);
  const gone = !servers.some((server) => server.id === origin);
  const other = serverNote(form, origin);
  const deletes = modeNote(form);
  return (
    <>
      {gone && <Note tone="warn">{originName}, where this backup was made, is not among your servers. Choose another one, or add it first.</Note>}
      <Card padded>
        <Select
          label="To which server"
          placeholder="Choose a server"
          data={servers.map((server) => ({
            value: server.id,
            label: `${server.name}${server.id === origin ? ', where it came from' : ''}${server.local ? '' : ` (${server.address})`}`,
          }))}
          value={form.server || null}
          onChange={(server) => server && onChange({ server })}
          searchable={servers.length > 8}
        />
      </Card>
      {other && <Note tone="warn">{other}</Note>}
      <Choices<RestoreForm['place']>
        titled
        label="To which place"
        value={form.place}
        onChange={(place) => onChange({ place })}
        options={[
          { value: 'original', title: 'To its original places', text: 'Every file goes where it was; databases are loaded under their own names.' },
          { value: 'folder', title: 'Into another folder', text: 'Files keep their folders below it. Good for looking first, or for picking by hand.' },
        ]}
      />
      {form.place === 'folder' && chosen && (
        <FolderChooser key={chosen.id} server={chosen.id} serverName={chosen.name} value={form.folder} onChange={(folder) => onChange({ folder })} />
      )}
      <Choices<Mode>
        titled
        label="What happens to what is there"
        value={form.mode}
        onChange={(mode) => onChange({ mode })}
        options={MODES.map((one) => ({ value: one.mode, title: one.title, text: one.text }))}
      />
      {deletes && <Note tone="warn">{deletes}</Note>}
      {chosen && <Logins form={form} items={items} server={chosen.name} onChange={onChange} />}
    </>
  );
}

/** How the databases there are logged in to, where that is not as the plan does it. */
function Logins({ form, items, server, onChange }: Pick<Props, 'form' | 'items' | 'onChange'> & { server: string }) {
  const databases = databaseItems(items);
  if (databases.length === 0) return null;
  return (
    <Card title={`Log-in to the databases on ${server}`} padded>
      <div className="stack">
        {databases.map((item) => {
          const { [item.name]: login, ...others } = form.logins;
          const set = (part: object) => onChange({ logins: { ...form.logins, [item.name]: { ...emptyLogin(item.name), ...login, ...part } } });
          return (
            <div className="stack" key={item.name}>
              <Switch
                label={`Log in another way than the plan does, for ${item.text}`}
                checked={login !== undefined}
                onChange={(event) => (event.currentTarget.checked ? set({}) : onChange({ logins: others }))}
              />
              {login && (
                <DatabaseLogIn
                  kind={item.kind}
                  value={login}
                  password={login.password ?? ''}
                  passwordHint="Used for this restore only, stored nowhere"
                  onChange={set}
                  onPassword={(password) => set({ password })}
                />
              )}
            </div>
          );
        })}
      </div>
    </Card>
  );
}
