/** Where the repository is when nobody says: the XDG data directory. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** `$XDG_DATA_HOME/tenon`, else `~/.local/share/tenon`. A relative XDG_DATA_HOME counts as unset, as its specification says. */
export function defaultLocation(env: NodeJS.ProcessEnv): string {
  const data = env.XDG_DATA_HOME;
  return data && isAbsolute(data)
    ? join(data, "tenon")
    : join(env.HOME || homedir(), ".local", "share", "tenon");
}
