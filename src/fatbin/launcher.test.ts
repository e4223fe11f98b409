import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { buildLauncher, compilerOf, LAUNCHERS } from "../../scripts/build-launcher.ts";
import { LAUNCHER_IMAGES } from "./launcher/images.ts";
import { LAUNCHER_ENTRY, launcherOf } from "./launcher/index.ts";

for (const target of LAUNCHERS) {
  const { machine } = target;
  const { compiler, sha256 } = LAUNCHER_IMAGES[machine];

  test(`${machine}: the launcher's bytes are those of its digest, below 6 KiB`, () => {
    const bytes = launcherOf(machine);
    assert.equal(createHash("sha256").update(bytes).digest("hex"), sha256);
    assert.ok(bytes.length < 6 * 1024);
    assert.ok(bytes.subarray(0, LAUNCHER_ENTRY).every((byte) => byte === 0));
  });

  const here = compilerOf(target);
  const skip = here !== compiler && `it was made by ${compiler}, and here is ${here ?? "none"}`;
  test(`${machine}: the source gives these bytes`, { skip }, () => {
    assert.equal(createHash("sha256").update(buildLauncher(target)).digest("hex"), sha256);
  });
}
