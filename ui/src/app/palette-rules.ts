/** Something the palette can do. */
export type Command = { title: string; group: string; run: () => void };

/** Ranks a command against what is typed: lower is better, `null` is no match. Every word must be in the title or group. */
export function rank(command: Pick<Command, 'title' | 'group'>, text: string): number | null {
  const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const title = command.title.toLowerCase();
  const whole = `${title} ${command.group.toLowerCase()}`;
  let score = 0;
  for (const word of words) {
    if (!whole.includes(word)) return null;
    if (title.startsWith(word)) score += 0;
    else if (title.includes(` ${word}`)) score += 1;
    else score += title.includes(word) ? 2 : 3;
  }
  return score;
}

/** The commands that match, best first; at most `limit`. */
export function matching(commands: Command[], text: string, limit = 50): Command[] {
  return commands
    .flatMap((command, i) => {
      const score = rank(command, text);
      return score === null ? [] : [{ command, score, i }];
    })
    .sort((a, b) => a.score - b.score || a.i - b.i)
    .slice(0, limit)
    .map((each) => each.command);
}
