/** Ctrl-C: the first asks for a clean stop, the second ends the process at once. */

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** A signal that fires at the first SIGINT or SIGTERM; `onFirst` may tell the user that it was heard. */
export function listenForInterrupt(onFirst: () => void): AbortSignal {
  const controller = new AbortController();
  const listener = () => {
    // Without a listener the default action is back: the next signal kills.
    for (const name of SIGNALS) process.off(name, listener);
    controller.abort();
    onFirst();
  };
  for (const name of SIGNALS) process.on(name, listener);
  return controller.signal;
}
