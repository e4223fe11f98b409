/** The algorithms that this release knows, by their stored names. Names are added, never changed. */
import type { Algorithm } from "./algorithm.ts";
import { gear32 } from "./gear32.ts";
import { mincdc4 } from "./mincdc4.ts";
import { window8 } from "./window8.ts";

export const algorithms: ReadonlyMap<string, Algorithm> = new Map(
  [mincdc4, window8, gear32].map((algorithm) => [algorithm.name, algorithm]),
);
