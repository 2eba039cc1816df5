import { useEffect, useState } from 'react';

/** Calls once the frame now drawn has been painted. Returns what calls it off. */
export function afterPaint(call: () => void): () => void {
  // A frame's callbacks run before it is painted: only the next frame's know that it was, and a task set by them leaves
  // that frame, and whatever was pressed meanwhile, its turn.
  let timer: ReturnType<typeof setTimeout> | undefined;
  let frame = requestAnimationFrame(() => {
    frame = requestAnimationFrame(() => {
      timer = setTimeout(call);
    });
  });
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

/**
 * Tells whether the first frame has been painted, for what is dear to draw: what the user came for goes first, what can
 * wait never holds it up.
 */
export function useAfterPaint(): boolean {
  const [painted, setPainted] = useState(false);
  useEffect(() => afterPaint(() => setPainted(true)), []);
  return painted;
}
