/** Who moves a ref, and why: what its history keeps. */
import { hostname, userInfo } from "node:os";

function userName(env: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username;
  } catch {
    // A user number without an entry in the password file, as in containers.
    return env.USER || `user ${process.getuid?.() ?? "unknown"}`;
  }
}

/** `user@host`, or TENON_WHO, and the message if there is one. */
export function author(
  env: NodeJS.ProcessEnv,
  message: string | undefined,
): { who: string; message?: string } {
  const who = env.TENON_WHO || `${userName(env)}@${hostname()}`;
  return message === undefined ? { who } : { who, message };
}
