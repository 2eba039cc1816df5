import { Channel, invoke } from '@tauri-apps/api/core';
import { open, save } from '@tauri-apps/plugin-dialog';
import type { Transport } from './transport';
import type { Event } from './generated/bindings';

/** Talks to the engine in this process over Tauri's IPC. */
export const tauriTransport: Transport = {
  call: (command, args) => invoke(command, args),
  async subscribe(onEvent) {
    const channel = new Channel<Event>();
    channel.onmessage = onEvent;
    await invoke('subscribe', { channel });
  },
  pickFolder: ({ title, start }) => open({ title, directory: true, multiple: false, ...(start ? { defaultPath: start } : {}) }),
  pickFile: ({ title, start }) => open({ title, directory: false, multiple: false, ...(start ? { defaultPath: start } : {}) }),
  saveFile: ({ title, start, name, extension }) =>
    save({
      title,
      defaultPath: start ? `${start.replace(/[/\\]$/, '')}/${name}` : name,
      filters: [{ name: extension.toUpperCase(), extensions: [extension] }],
    }),
};
