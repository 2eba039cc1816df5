import { CloseButton, Kbd, TextInput } from '@mantine/core';
import { useRef } from 'react';
import { useShortcut } from './shortcuts';

/** The filter of a list: `/` leads to it, Esc empties it and leaves. */
export function FilterBox({ value, onChange, label = 'Filter', width = 200 }: { value: string; onChange: (text: string) => void; label?: string; width?: number }) {
  const ref = useRef<HTMLInputElement>(null);
  useShortcut('/', () => ref.current?.focus());
  return (
    <TextInput
      ref={ref}
      w={width}
      aria-label={label}
      placeholder={label}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        onChange('');
        event.currentTarget.blur();
      }}
      rightSection={value ? <CloseButton size="sm" aria-label="Clear filter" onClick={() => onChange('')} /> : <Kbd size="xs" aria-hidden>/</Kbd>}
    />
  );
}
