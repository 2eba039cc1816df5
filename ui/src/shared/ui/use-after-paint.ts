import { useEffect, useState } from 'react';

/**
 * Tells whether the first frame has been painted, for what is dear to draw: what the user came for goes first, what can
 * wait never holds it up.
 */
export function useAfterPaint(): boolean {
  const [painted, setPainted] = useState(false);
  useEffect(() => {
    // A frame's callbacks run before it is painted: only the next frame's know that it was, and a task set by them leaves
    // that frame, and whatever was pressed meanwhile, its turn.
    let timer: ReturnType<typeof setTimeout> | undefined;
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => {
        timer = setTimeout(() => setPainted(true));
      });
    });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }, []);
  return painted;
}
