/** Deltas of a library: a base and, for each later version, an object with what is new or changed in it. */
import { TenonError } from "../errors/index.ts";
import { planDelta } from "./delta-plan.ts";
import { type EmittedPiece, emitPiece } from "./emit-delta.ts";
import type { VersionInput } from "./model.ts";
import { resolveVersion } from "./resolve.ts";

export interface DeltaOptions {
  /** False: functions that changed are bound directly, without a branch in between. */
  readonly trampolines?: boolean;
}

export interface DeltaChainPiece extends EmittedPiece {
  readonly label: string;
  readonly units: number;
  readonly unitBytes: number;
  /** Functions that lead to a body of an older piece. */
  readonly reverted: readonly string[];
}

/**
 * The objects of a base (the first version) and its deltas, in that order; linked with the newest first they are
 * the last version. Errors: `usage` for fewer than two versions, for labels that repeat, for different machines.
 */
export function deltaChain(
  inputs: readonly VersionInput[],
  { trampolines = true }: DeltaOptions = {},
): DeltaChainPiece[] {
  if (inputs.length < 2) throw new TenonError("usage", "a delta needs at least two versions");
  const [{ version: base }] = inputs as readonly [VersionInput];
  for (const { label, version } of inputs)
    if (version.machine !== base.machine)
      throw new TenonError(
        "usage",
        `${label} is for ${version.machine}, ${inputs[0]!.label} for ${base.machine}`,
      );
  if (new Set(inputs.map(({ label }) => label)).size < inputs.length)
    throw new TenonError("usage", "a version is named twice in the chain");
  const plan = planDelta(inputs.map(({ label, version }) => resolveVersion(label, version)));
  return plan.pieces.map(({ bundles, reverts }, piece) => {
    const { label, version } = inputs[piece]!;
    const units = bundles.flatMap((bundle) => bundle.units.map((index) => version.units[index]!));
    return {
      ...emitPiece(plan, piece, trampolines),
      label,
      units: units.length,
      unitBytes: units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      reverted: reverts.map(({ bundle }) => bundle.name),
    };
  });
}
