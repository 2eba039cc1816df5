import { describe, expect, it } from 'vitest';
import { excludeMeaning, excludeProblem, presetState, togglePreset, PRESETS } from './excludes';

describe('excludes', () => {
  it('says what a pattern means', () => {
    expect(excludeMeaning('/var/log')).toBe('/var/log and all in it');
    expect(excludeMeaning('*.log')).toBe('Every file and folder with a name like *.log');
    expect(excludeMeaning('node_modules')).toBe('Every file and folder named node_modules');
    expect(excludeMeaning('cache/*.php')).toBe('Every path that looks like cache/*.php');
  });

  it('refuses what cannot be meant', () => {
    expect(excludeProblem(' ', [])).not.toBeNull();
    expect(excludeProblem('/', [])).toContain('everything');
    expect(excludeProblem('[ab', [])).toContain(']');
    expect(excludeProblem('*.log', ['*.log'])).toContain('already');
    expect(excludeProblem('[ab].log', [])).toBeNull();
  });

  it('puts a preset in and takes it out whole', () => {
    const logs = PRESETS.find((preset) => preset.title === 'Logs')!;
    expect(presetState(['*.log'], logs)).toBe('some');
    const added = togglePreset(['*.log', '/srv/x'], logs);
    expect(presetState(added, logs)).toBe('all');
    expect(togglePreset(added, logs)).toEqual(['/srv/x']);
  });
});
