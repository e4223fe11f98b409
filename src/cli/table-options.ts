/** Options and operands that several commands have. */
import { choice, duration, flag, type Operand, text, value } from "./shape.ts";

export const LEVELS = ["none", "fast", "default", "max"] as const;

export const compression = value(
  choice("LEVEL", LEVELS),
  "How hard to compress: `none`, `fast`, `default` or `max`.",
  {
    default: "what the repository was made with",
  },
);
export const message = value(text("TEXT"), "Why, kept in the ref's history.", { short: "m" });
export const grace = value(
  duration,
  "How long the lease of a writer on another machine counts without being renewed: `90s`, `15m`, `2h`.",
);
export const dryRun = flag("Say what would be done, change nothing.", { short: "n" });

export const platform = value(
  text("PLATFORM"),
  "Which file system of an image for several platforms: `linux/amd64`, `linux/arm/v7`.",
  { default: "this machine's, else the image's first" },
);

export const SPEC_HELP =
  "`NAME` or `NAME:TAG` (the tag is `latest` if none is given), an earlier state of it as `REF@N` (the Nth) or `REF~N` (N states ago), a file or directory in it as `REF:/PATH`, or a digest, of which a unique beginning of four digits or more is enough.";
export const spec: Operand = { name: "SPEC", completion: "ref", help: SPEC_HELP };
