import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { buildPart, compilerOf, LAUNCHERS, PART_NAMES, PARTS } from "../../scripts/build-launcher.ts";
import { COMPACT_IMAGES } from "./launcher/compact-images.ts";
import { LAUNCHER_IMAGES } from "./launcher/images.ts";
import { compactLauncherOf, LAUNCHER_ENTRY, launcherOf, restorerOf } from "./launcher/index.ts";
import { RESTORER_IMAGES } from "./launcher/restorer-images.ts";

const COMMITTED = {
  mapped: { images: LAUNCHER_IMAGES, decode: launcherOf },
  compact: { images: COMPACT_IMAGES, decode: compactLauncherOf },
  restorer: { images: RESTORER_IMAGES, decode: restorerOf },
};

for (const target of LAUNCHERS) {
  for (const part of PART_NAMES) {
    const { machine } = target;
    const { images, decode } = COMMITTED[part];
    const { compiler, sha256 } = images[machine];

    test(`${machine}, ${part}: the bytes are those of the digest, and not more than allowed`, () => {
      const bytes = decode(machine);
      assert.equal(createHash("sha256").update(bytes).digest("hex"), sha256);
      assert.ok(bytes.length <= PARTS[part].maxBytes);
      if (part === "restorer") assert.equal(bytes.length % 8, 0);
      else assert.ok(bytes.subarray(0, LAUNCHER_ENTRY).every((byte) => byte === 0));
    });

    const here = compilerOf(target);
    const skip = here !== compiler && `it was made by ${compiler}, and here is ${here ?? "none"}`;
    test(`${machine}, ${part}: the source gives these bytes`, { skip }, () => {
      assert.equal(createHash("sha256").update(buildPart(target, part)).digest("hex"), sha256);
    });
  }
}
