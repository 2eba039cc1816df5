type Named = { id: string; name: string };

/** The servers, plans and destinations that are set up, to lead from a name to where it is changed. */
export type Known = { servers: Named[]; plans: Named[]; destinations: Named[] };

/** Reads a line on a missing secret, "Server web-1: log-in password", and says where it is given. */
export function missingSecret(line: string, known: Known): { text: string; to: string | null } {
  const find = (word: string, rows: Named[], place: string) => {
    // The longest name that fits: a name may itself hold a colon.
    const row = rows.filter((each) => line.startsWith(`${word} ${each.name}: `)).sort((a, b) => b.name.length - a.name.length)[0];
    return row ? `/${place}/${row.id}/edit` : null;
  };
  return { text: line, to: find('Server', known.servers, 'servers') ?? find('Plan', known.plans, 'plans') ?? find('Destination', known.destinations, 'destinations') };
}
