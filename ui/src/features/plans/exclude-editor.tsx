import { ActionIcon, Button, Chip, TextInput, Tooltip } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { PRESETS, excludeMeaning, excludeProblem, presetState, togglePreset } from './excludes';

/** What is left out: typed patterns with their meaning, and sets that people usually leave out. */
export function ExcludeEditor({ excludes, onChange }: { excludes: string[]; onChange: (excludes: string[]) => void }) {
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const add = () => {
    const wrong = excludeProblem(typed, excludes);
    setProblem(wrong);
    if (wrong !== null) return;
    onChange([...excludes, typed.trim()]);
    setTyped('');
  };
  return (
    <div className="stack" style={{ gap: 8 }} role="group" aria-label="Leave out">
      <b>Leave out</b>
      <div className="presets">
        {PRESETS.map((preset) => (
          <Tooltip key={preset.title} label={`${preset.note}: ${preset.patterns.join(', ')}`} multiline maw={320}>
            <div>
              <Chip size="xs" checked={presetState(excludes, preset) === 'all'} onChange={() => onChange(togglePreset(excludes, preset))}>
                {preset.title}
              </Chip>
            </div>
          </Tooltip>
        ))}
      </div>
      {excludes.length > 0 && (
        <ul className="excludes" aria-label="Left out" tabIndex={0}>
          {excludes.map((pattern) => (
            <li key={pattern}>
              <span className="mono">{pattern}</span>
              <span className="mute grow clip">{excludeMeaning(pattern)}</span>
              <ActionIcon size="sm" variant="subtle" color="gray" aria-label={`Do not leave out ${pattern}`} onClick={() => onChange(excludes.filter((one) => one !== pattern))}>
                <IconX size={14} />
              </ActionIcon>
            </li>
          ))}
        </ul>
      )}
      <div className="row" style={{ alignItems: 'flex-start' }}>
        <TextInput
          className="grow"
          classNames={{ input: 'mono' }}
          aria-label="Leave out a path or pattern"
          placeholder="*.log, node_modules, /srv/www/cache"
          description={typed.trim() !== '' && problem === null ? `Leaves out: ${excludeMeaning(typed.trim())}` : undefined}
          value={typed}
          error={problem}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            setProblem(null);
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            event.preventDefault();
            add();
          }}
        />
        <Button onClick={add}>Leave out</Button>
      </div>
    </div>
  );
}
