/** `oci:DIR[:TAG]`, `docker-archive:FILE`, `dir:DIR`: how images are named that are not stored yet. */
import { basename } from "node:path";
import { TenonError } from "../errors/index.ts";

/** What an image operand names. */
export interface ImageOperand {
  readonly transport: "oci" | "docker-archive" | "dir";
  readonly path: string;
  readonly tag?: string;
}

const TRANSPORT = /^(oci|docker-archive|dir):(.+)$/s;

/** Undefined for what is no image operand: `./oci:x` is a file. */
export function parseImageOperand(text: string): ImageOperand | undefined {
  const found = TRANSPORT.exec(text);
  if (found === null) return undefined;
  const transport = found[1] as ImageOperand["transport"];
  const rest = found[2]!;
  const colon = rest.lastIndexOf(":");
  const tag = rest.slice(colon + 1);
  if (transport !== "oci" || colon <= 0 || tag === "" || tag.includes("/")) return { transport, path: rest };
  return { transport, path: rest.slice(0, colon), tag };
}

/** A file name for an image that was given no ref. */
export function imageName({ path }: ImageOperand): string {
  return basename(path).replace(/\.tar$/, "");
}

/** The same where it must be one. Errors: `usage`. */
export function needImageOperand(text: string): ImageOperand {
  const operand = parseImageOperand(text);
  if (operand !== undefined) return operand;
  throw new TenonError("usage", `${text} names no image: oci:DIR[:TAG], docker-archive:FILE or dir:DIR`);
}
