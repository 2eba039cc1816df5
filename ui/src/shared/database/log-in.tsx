import { NumberInput, PasswordInput, TextInput } from '@mantine/core';

/** How a database server is logged in to, as seen from the server it runs on. */
export type LogInValue = { user: string; host: string; socket: string; port: number };

type Props = {
  kind: 'mysql' | 'postgres';
  value: LogInValue;
  password: string;
  /** Where the password is kept, or what an empty one means. */
  passwordHint: string;
  onChange: (part: Partial<LogInValue>) => void;
  onPassword: (password: string) => void;
};

/** The fields of a log-in to MySQL, MariaDB or PostgreSQL. */
export function DatabaseLogIn({ kind, value, password, passwordHint, onChange, onPassword }: Props) {
  const byDefault = kind === 'mysql'
    ? 'Empty: as the log-in user of the server, by its own option files (~/.my.cnf) or the socket'
    : 'Empty: as postgres over the local socket';
  return (
    <div className="fields2" role="group" aria-label={`Log-in to ${kind === 'mysql' ? 'MySQL or MariaDB' : 'PostgreSQL'}`}>
      <TextInput
        label="User"
        description={byDefault}
        value={value.user}
        onChange={(event) => onChange({ user: event.currentTarget.value })}
      />
      <PasswordInput
        label="Password"
        description={passwordHint}
        value={password}
        onChange={(event) => onPassword(event.currentTarget.value)}
      />
      {kind === 'mysql' && (
        <TextInput
          label="Socket on the server"
          placeholder="/run/mysqld/mysqld.sock"
          classNames={{ input: 'mono' }}
          value={value.socket}
          onChange={(event) => onChange({ socket: event.currentTarget.value })}
        />
      )}
      <TextInput
        label={kind === 'mysql' ? 'Host, as the server sees it' : 'Host or socket folder, as the server sees it'}
        placeholder="127.0.0.1"
        classNames={{ input: 'mono' }}
        value={value.host}
        onChange={(event) => onChange({ host: event.currentTarget.value })}
      />
      <NumberInput
        label="Port"
        placeholder="default"
        min={0}
        max={65535}
        allowDecimal={false}
        hideControls
        value={value.port === 0 ? '' : value.port}
        onChange={(port) => onChange({ port: typeof port === 'number' ? port : 0 })}
      />
    </div>
  );
}
