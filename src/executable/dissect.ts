/** Taking a file apart. */

import { equalBytes } from "../bytes/index.ts";
import {
  type Elf,
  EM_AARCH64,
  ET_EXEC,
  functionStarts,
  parseElf,
  readEhFrames,
  readGoFunctions,
} from "../elf/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { applyDerived } from "./derived-tables.ts";
import { readCode } from "./dissect-code.ts";
import {
  Addends,
  type DataNotes,
  noteFixedWords,
  noteRelocations,
  noteSymbols,
  noteTables,
} from "./dissect-data.ts";
import { cutFunctions, cutObject, cutPointedGaps, type FunctionCuts } from "./dissect-functions.ts";
import { Marks } from "./dissect-marks.ts";
import { buildPieces, buildSites, splitLarge, tile } from "./dissect-pieces.ts";
import { blankImplied, blankNoted, labelBases, nameTargets } from "./dissect-references.ts";
import { findRegions, type Region } from "./dissect-regions.ts";
import { noteUnwind } from "./dissect-unwind.ts";
import { noteGoFunctions } from "./go-functions.ts";
import { findGoLayout, type GoLayout } from "./go-layout.ts";
import { noteGoTypes } from "./go-types.ts";
import { join } from "./join.ts";
import { loadMap, MAX_FILE_BYTES, placePieces } from "./join-layout.ts";
import { codeFields, type SeenFields } from "./references-code.ts";
import { type Bases, noBases } from "./references-fields.ts";
import { mergeSites } from "./references-sites.ts";
import { release } from "./release.ts";
import { type Dissection, type JoinInput, RULE_ABSOLUTE32 } from "./types.ts";

export interface DissectOptions {
  /** Join at once and compare, so that what is returned is right; on unless the caller does the same. */
  readonly prove?: boolean;
}

/**
 * Takes an ELF file apart. If the result can't be joined, once more without what is only guessed at: 32-bit addresses,
 * pointers in files without relocations, tables of distances, Go's tables. Memory: about five times the file.
 * Errors, all meaning that the file is to be kept in another way: `invalid` and `unsupported` of `parseElf`; `limit`
 * for more than 2 GiB or too many segments; `unsupported` when what comes back isn't the file.
 */
export function dissect(file: Uint8Array, options: DissectOptions = {}): Dissection {
  if (file.length > MAX_FILE_BYTES) {
    throw new TenonError(
      "limit",
      `${file.length} bytes, executables are taken apart up to ${MAX_FILE_BYTES}`,
    );
  }
  const elf = parseElf(file);
  const prove = options.prove ?? true;
  let why: unknown;
  for (const guess of [true, false]) {
    try {
      const dissection = takeApart(elf, guess);
      if (!prove || equalBytes(join(joinInput(dissection)), file)) return dissection;
    } catch (error) {
      if (!isTenonError(error) || error.code === "limit") throw error;
      why = error;
    }
  }
  throw new TenonError("unsupported", "joining the pieces doesn't give the file back", {}, { cause: why });
}

/** What `join` needs of a dissection. */
export function joinInput(dissection: Dissection): JoinInput {
  const { machine, rules, blanked, sites, pieces, references, bases } = dissection;
  const { kind, length } = pieces;
  const { target, targetOffset } = references;
  return { machine, rules, kind, length, blanked, sites, target, targetOffset, bases };
}

/** What is known of a file before its pieces are. */
interface Noted {
  readonly notes: DataNotes;
  readonly cuts: FunctionCuts;
  readonly regions: readonly Region[];
  readonly bases: Bases;
  /** Whether 32-bit values in code may be addresses. */
  readonly absolute: boolean;
  readonly seen: SeenFields;
}

/** Notes all cuts, labels and references that stand outside of code, and the labels that code refers to. */
function note(elf: Elf, marks: Marks, guess: boolean): Noted {
  const machine = elf.header.e_machine;
  const frames = readEhFrames(elf);
  const go = readGoFunctions(elf);
  const functions = functionStarts(elf, { ehFrames: frames, goFunctions: go });
  const regions = findRegions(elf, marks.map, functions);
  const cuts = cutFunctions(elf.bytes, functions, regions, marks, { machine, isGo: go !== undefined });
  cutObject(elf, functions, marks);
  const names = noteSymbols(elf, regions, marks);
  const absolute = guess && machine !== EM_AARCH64 && elf.header.e_type === ET_EXEC && go === undefined;
  const { candidates, seen } = readCode(elf, regions, marks, cuts.gaps, absolute);
  const notes: DataNotes = { addends: new Addends(), derived: new Map(), tables: new Map() };
  noteUnwind(elf, frames, regions, marks, notes);
  noteRelocations(elf, regions, marks, notes);
  let layout: GoLayout | undefined;
  if (guess) {
    noteTables(elf, candidates, regions, marks, notes);
    layout = go && findGoLayout(elf, go, regions, marks.map, notes.addends.within(elf.bytes));
    if (layout !== undefined) {
      noteGoFunctions(elf.view, layout, regions, marks, notes);
      noteGoTypes(elf.view, layout, regions, marks);
    }
    noteFixedWords(elf, regions, marks, go !== undefined);
    cutPointedGaps(elf.bytes, cuts.gaps, marks, machine);
  }
  // Records are cut where they begin: a label inside is a number that looked like an address.
  if (layout !== undefined) marks.clearLabels(layout.table.functionsOffset, layout.recordsEnd);
  // What is derived is one piece: labels inside are distances from its start.
  for (const [offset, { end }] of notes.derived) marks.clear(offset + 1, end);
  const bases = layout?.bases ?? noBases();
  for (const [kind, base] of names) bases[kind] = base;
  return { notes, cuts, regions, bases, absolute, seen };
}

function takeApart(elf: Elf, guess: boolean): Dissection {
  const file = elf.bytes;
  const fileBytes = file.length;
  const machine = elf.header.e_machine;
  const map = loadMap(elf.addresses);
  const marks = new Marks(fileBytes, map);
  const { notes, cuts, regions, bases, absolute, seen } = note(elf, marks, guess);
  const whole = buildPieces(tile(regions, map, fileBytes), marks, cuts, notes.derived);
  const blanked = new Uint8Array(file);
  const inCode = blankNoted(blanked, placePieces(map, { ...whole, fileBytes }), marks, notes.tables);
  const columns = splitLarge(whole, blanked, marks);
  const pieces = placePieces(map, { ...columns, fileBytes });
  // Where nothing was noted in code its bytes are still those of the file, and so are its fields.
  const fields = codeFields(blanked, pieces, { machine, absolute, ...(!inCode && { seen }) });
  const implied = blankImplied(blanked, pieces, fields, marks, inCode);
  const sites = buildSites(pieces, marks, notes.derived);
  // The fields found before are the ones that `join` will find: the decoder doesn't look at what was blanked.
  const found = mergeSites(blanked, pieces, sites, fields, machine);
  release(fields.offset, fields.kind, fields.shape, fields.page);
  for (const part of seen.parts) release(part.bounds, part.fieldOffsets, part.fieldShapes);
  const { addresses, ...references } = nameTargets(file, pieces, found, implied, marks, {
    tables: notes.tables,
    addends: notes.addends,
    bases,
  });
  marks.release();
  release(implied);
  applyDerived(blanked, { machine, pieces, sites, references: found, targets: addresses, bases });
  release(addresses);
  return {
    machine,
    fileBytes,
    rules: absolute ? RULE_ABSOLUTE32 : 0,
    blanked,
    pieces,
    sites,
    references,
    bases: labelBases(bases, pieces, map, fileBytes),
  };
}
