/** Programs of a few instructions, composed byte by byte: they need no compiler and never change. */
import { ByteWriter } from "../../bytes/index.ts";
import {
  DF_1_PIE,
  DT_FLAGS_1,
  EM_AARCH64,
  EM_X86_64,
  type Machine,
  PF_R,
  PF_X,
  PT_DYNAMIC,
  PT_GNU_STACK,
  PT_LOAD,
} from "../../elf/index.ts";

export interface TinyOptions {
  readonly machine?: Machine;
  /** Status that it ends with. */
  readonly status: number;
  /** Runs at 4 MiB only, or anywhere. */
  readonly isFixed?: boolean;
  readonly stackIsExecutable?: boolean;
  /** Zeros after the code, in the segment. */
  readonly ballastBytes?: number;
}

/** exit_group(status) */
function code({ machine = "x86-64", status }: TinyOptions): Uint8Array {
  const writer = new ByteWriter(16);
  // x86-64: mov edi, status; mov eax, 231; syscall. AArch64: movz x0, status; movz x8, 94; svc 0.
  if (machine === "x86-64") return writer.u8(0xbf).u32(status).u8(0xb8).u32(231).u8(0x0f).u8(0x05).finish();
  return writer
    .u32(0xd2800000 | (status << 5))
    .u32(0xd2800008 | (94 << 5))
    .u32(0xd4000001)
    .finish();
}

/** A static program with one segment. */
export function tinyProgram(options: TinyOptions): Uint8Array {
  const { machine = "x86-64", isFixed = true, stackIsExecutable = false, ballastBytes = 0 } = options;
  const body = code(options);
  // What may be placed anywhere says so in its dynamic table: DT_FLAGS_1 with DF_1_PIE, then DT_NULL.
  const dynamic = new ByteWriter(32);
  if (!isFixed) dynamic.u64(DT_FLAGS_1).u64(DF_1_PIE).u64(0).u64(0);
  const segments = isFixed ? 2 : 3;
  const dynamicAt = 64 + segments * 56;
  const headBytes = dynamicAt + dynamic.length;
  const bytes = headBytes + body.length + ballastBytes;
  const base = isFixed ? 0x400000 : 0;
  const writer = new ByteWriter(bytes);
  writer.raw(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  writer.u16(isFixed ? 2 : 3).u16(machine === "aarch64" ? EM_AARCH64 : EM_X86_64);
  writer
    .u32(1)
    .u64(base + headBytes)
    .u64(64)
    .u64(0);
  writer.u32(0).u16(64).u16(56).u16(segments).u16(64).u16(0).u16(0);
  const align = machine === "aarch64" ? 65_536 : 4096;
  writer
    .u32(PT_LOAD)
    .u32(PF_R | PF_X)
    .u64(0)
    .u64(base)
    .u64(base)
    .u64(bytes)
    .u64(bytes)
    .u64(align);
  writer
    .u32(PT_GNU_STACK)
    .u32(6 | (stackIsExecutable ? PF_X : 0))
    .u64(0)
    .u64(0)
    .u64(0)
    .u64(0)
    .u64(0)
    .u64(16);
  if (!isFixed) {
    const { length } = dynamic;
    writer
      .u32(PT_DYNAMIC)
      .u32(PF_R)
      .u64(dynamicAt)
      .u64(dynamicAt)
      .u64(dynamicAt)
      .u64(length)
      .u64(length)
      .u64(8);
  }
  return writer.raw(dynamic.view()).raw(body).raw(new Uint8Array(ballastBytes)).finish();
}
