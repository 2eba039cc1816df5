type Named = { id: string; name: string };

/** The servers, plans and destinations that are set up, to lead from a name to where it is changed. */
export type Known = { servers: Named[]; plans: Named[]; destinations: Named[] };

const KINDS = [['Server', 'servers'], ['Plan', 'plans'], ['Destination', 'destinations']] as const;

/** Says where what a line on a missing secret names is given, "Server web-1: log-in password"; as long as the name is not known, in which list. */
export function missingSecretPlace(line: string, known: Known): string | null {
  const kind = KINDS.find(([word]) => line.startsWith(`${word} `));
  if (!kind) return null;
  const [word, place] = kind;
  // The longest name that fits: a name may itself hold a colon.
  const row = known[place].filter((each) => line.startsWith(`${word} ${each.name}: `)).sort((a, b) => b.name.length - a.name.length)[0];
  return row ? `/${place}/${row.id}/edit` : `/${place}`;
}
