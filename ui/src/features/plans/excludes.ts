// What is left out of a files item: what a pattern means, and what people usually leave out.

/** A set of patterns offered together. */
export interface ExcludePreset {
  title: string;
  note: string;
  patterns: readonly string[];
}

export const PRESETS: readonly ExcludePreset[] = [
  {
    title: 'Caches and temporary files',
    note: 'They are made again when needed',
    patterns: ['.cache', '__pycache__', '*.tmp', '/tmp', '/var/tmp', '/var/cache'],
  },
  { title: 'Logs', note: 'Keep them if you may have to look back', patterns: ['*.log', '*.log.*', '/var/log'] },
  {
    title: 'Packages that can be fetched again',
    note: 'Node.js and Python packages beside their projects',
    patterns: ['node_modules', '.venv'],
  },
  {
    title: "The system's own file systems",
    note: 'Needed when / is ticked: what is there is not on any disk',
    patterns: ['/proc', '/sys', '/dev', '/run'],
  },
  {
    title: 'Container images and layers',
    note: 'Docker fetches images again; volumes stay in',
    patterns: ['/var/lib/docker/overlay2', '/var/lib/docker/image', '/var/lib/containerd'],
  },
];

/** Tells whether a preset is in whole, in part or not at all. */
export function presetState(excludes: readonly string[], preset: ExcludePreset): 'all' | 'some' | 'none' {
  const held = preset.patterns.filter((pattern) => excludes.includes(pattern)).length;
  if (held === preset.patterns.length) return 'all';
  return held > 0 ? 'some' : 'none';
}

/** Adds a preset's patterns, or takes them out when they are all in. */
export function togglePreset(excludes: readonly string[], preset: ExcludePreset): string[] {
  if (presetState(excludes, preset) === 'all') return excludes.filter((one) => !preset.patterns.includes(one));
  return [...new Set([...excludes, ...preset.patterns])];
}

/** Says what a pattern leaves out. */
export function excludeMeaning(pattern: string): string {
  const wild = /[*?[]/.test(pattern);
  if (pattern.startsWith('/')) {
    return wild ? `Every path that looks like ${pattern}` : `${pattern} and all in it`;
  }
  if (pattern.replace(/\/$/, '').includes('/')) return `Every path that looks like ${pattern}`;
  return wild ? `Every file and folder with a name like ${pattern}` : `Every file and folder named ${pattern}`;
}

/** Says what is wrong with a pattern, or nothing. */
export function excludeProblem(typed: string, excludes: readonly string[]): string | null {
  const pattern = typed.trim();
  if (pattern === '') return 'Type a path or a pattern';
  if (pattern === '/' || pattern === '*') return 'This would leave out everything';
  if (excludes.includes(pattern)) return 'This is left out already';
  const opened = pattern.replace(/\\./g, '').split('[').length;
  const closed = pattern.replace(/\\./g, '').split(']').length;
  if (opened > closed) return 'A [ needs its ]';
  if (pattern.split('/').includes('..')) return 'Write it without ".."';
  return null;
}
