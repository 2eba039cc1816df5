import { Modal, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useId, useState, type KeyboardEvent } from 'react';
import { api, type IpcError, type PlanRow, type ServerRow } from '../ipc';
import { keys, useAction } from '../shared/query';
import { navigate } from '../shared/router';
import { matching, type Command } from './palette-rules';

const PAGES: [string, string][] = [
  ['Overview', '/overview'], ['Servers', '/servers'], ['Plans', '/plans'], ['Backups', '/backups'], ['Destinations', '/destinations'],
  ['Activity', '/activity'], ['Settings', '/settings'],
];
const ADD: [string, string][] = [
  ['Add a server', '/servers/new'], ['Make a plan', '/plans/new'], ['Add a destination', '/destinations/new'],
  ['Open existing backups', '/destinations/open'],
];

/** Ctrl or Cmd with K: go to a page, a server, a plan; back up now. */
export function CommandPalette() {
  const [opened, setOpened] = useState(false);
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        setOpened((was) => !was);
      }
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
  const close = () => setOpened(false);
  return (
    <Modal opened={opened} onClose={close} withCloseButton={false} centered={false} yOffset={96} size={560} padding="sm" title="Go to or do">
      {opened && <PaletteBody close={close} />}
    </Modal>
  );
}

function PaletteBody({ close }: { close: () => void }) {
  const [text, setText] = useState('');
  const [active, setActive] = useState(0);
  const id = useId();
  const shown = matching(useCommands(), text);
  const choose = (command: Command | undefined) => {
    if (!command) return;
    close();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setActive(Math.min(active + 1, shown.length - 1));
    else if (event.key === 'ArrowUp') setActive(Math.max(active - 1, 0));
    else if (event.key === 'Enter') choose(shown[active]);
    else return;
    event.preventDefault();
  };
  useEffect(() => {
    document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [id, active]);
  return (
    <>
      <TextInput
        data-autofocus
        role="combobox"
        aria-label="Go to or do"
        aria-expanded
        aria-controls={id}
        aria-activedescendant={shown[active] ? `${id}-${active}` : undefined}
        placeholder="Go to a page, a server, a plan, or back up now"
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul className="palette-list" role="listbox" id={id} aria-label="Results">
        {shown.map((command, i) => (
          <li
            key={`${command.group}:${command.title}`}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === active}
            className="palette-item"
            onMouseMove={() => setActive(i)}
            onClick={() => choose(command)}
          >
            <span className="clip">{command.title}</span>
            <span className="mute small">{command.group}</span>
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p className="mute" role="status">Nothing matches “{text}”</p>}
    </>
  );
}

function useCommands(): Command[] {
  const servers = useQuery<ServerRow[], IpcError>({ queryKey: keys.servers, queryFn: api.servers });
  const plans = useQuery<PlanRow[], IpcError>({ queryKey: keys.plans, queryFn: api.plans });
  const backUp = useAction(api.startBackup, { changes: ['runs'], onDone: (run) => navigate(`/activity/${run}`) });
  const quit = useAction<void>(api.quit);
  const go = (to: string) => () => navigate(to);
  return [
    ...PAGES.map(([title, to]) => ({ title, group: 'Page', run: go(to) })),
    ...ADD.map(([title, to]) => ({ title, group: 'New', run: go(to) })),
    ...(plans.data ?? []).map((plan) => ({ title: `Back up ${plan.name} now`, group: plan.server_name, run: () => backUp.run(plan.id) })),
    ...(servers.data ?? []).map((server) => ({ title: server.name, group: 'Server', run: go(`/servers/${server.id}`) })),
    ...(plans.data ?? []).map((plan) => ({ title: plan.name, group: 'Plan', run: go(`/plans/${plan.id}`) })),
    { title: 'Quit Backstay', group: 'Ctrl Q', run: () => quit.run() },
  ];
}
