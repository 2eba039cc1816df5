// Where a wizard was left for another one, so that this one leads back.
let way: string | null = null;

/** Keeps the place to come back to. */
export function keepWayBack(to: string): void {
  way = to;
}

/** Returns the place to come back to, if any. */
export function wayBack(): string | null {
  return way;
}

/** Forgets it: it was taken. */
export function forgetWayBack(): void {
  way = null;
}
