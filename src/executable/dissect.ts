/** Taking a file apart. */
import {
  type Elf,
  EM_AARCH64,
  ET_EXEC,
  functionStarts,
  parseElf,
  readEhFrames,
  readGoFunctions,
} from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import { equalBytes } from "../bytes/index.ts";
import { applyDerived } from "./derived-tables.ts";
import { readCode } from "./dissect-code.ts";
import { type DataNotes, noteFixedWords, noteRelocations, noteSymbols, noteTables } from "./dissect-data.ts";
import { cutFunctions, cutObject, cutPointedGaps } from "./dissect-functions.ts";
import { Marks } from "./dissect-marks.ts";
import { buildPieces, buildSites, splitLarge, tile } from "./dissect-pieces.ts";
import { blankImplied, blankNoted, labelBases, nameTargets } from "./dissect-references.ts";
import { findRegions } from "./dissect-regions.ts";
import { noteUnwind } from "./dissect-unwind.ts";
import { findGoLayout } from "./go-layout.ts";
import { noteGoFunctions } from "./go-functions.ts";
import { noteGoTypes } from "./go-types.ts";
import { join } from "./join.ts";
import { loadMap, MAX_FILE_BYTES, placePieces } from "./join-layout.ts";
import { noBases } from "./references-fields.ts";
import { codeFields } from "./references-code.ts";
import { findReferences } from "./references-sites.ts";
import { type Dissection, type JoinInput, RULE_ABSOLUTE32 } from "./types.ts";

export interface DissectOptions {
  /** Join at once and compare, so that what is returned is right; on unless the caller does the same. */
  readonly prove?: boolean;
}

/**
 * Takes an ELF file apart. Memory: about six times the file. Errors, all meaning that the file is to be kept in
 * another way: `invalid` and `unsupported` of `parseElf`; `limit` for more than 2 GiB or too many segments;
 * `unsupported` when what comes back isn't the file.
 */
export function dissect(file: Uint8Array, options: DissectOptions = {}): Dissection {
  if (file.length > MAX_FILE_BYTES) {
    throw new TenonError("limit", `${file.length} bytes, executables are taken apart up to ${MAX_FILE_BYTES}`);
  }
  const dissection = takeApart(parseElf(file));
  if ((options.prove ?? true) && !equalBytes(join(joinInput(dissection)), file)) {
    throw new TenonError("unsupported", "joining the pieces doesn't give the file back");
  }
  return dissection;
}

/** What `join` needs of a dissection. */
export function joinInput(dissection: Dissection): JoinInput {
  const { machine, rules, blanked, sites, pieces, references, bases } = dissection;
  const { kind, length } = pieces;
  const { target, targetOffset } = references;
  return { machine, rules, kind, length, blanked, sites, target, targetOffset, bases };
}

function takeApart(elf: Elf): Dissection {
  const file = elf.bytes;
  const machine = elf.header.e_machine;
  const map = loadMap(elf.addresses);
  const marks = new Marks(file.length, map);
  const frames = readEhFrames(elf);
  const go = readGoFunctions(elf);
  const functions = functionStarts(elf, { ehFrames: frames, goFunctions: go });
  const regions = findRegions(elf, map, functions);
  const cuts = cutFunctions(file, functions, regions, marks, { machine, isGo: go !== undefined });
  cutObject(elf, functions, marks);
  const nameBases = noteSymbols(elf, regions, marks);
  const absolute = machine !== EM_AARCH64 && elf.header.e_type === ET_EXEC && go === undefined;
  const candidates = readCode(elf, regions, marks, cuts.gaps, absolute);
  const notes: DataNotes = { values: new Uint8Array(file), derived: new Map(), tables: new Map() };
  noteUnwind(elf, frames, regions, marks, notes);
  noteRelocations(elf, regions, marks, notes);
  noteTables(elf, candidates, regions, marks, notes);
  const values = new DataView(notes.values.buffer);
  const layout = findGoLayout(elf, go, regions, map, values);
  if (layout !== undefined) {
    noteGoFunctions(elf.view, layout, regions, marks, notes);
    noteGoTypes(elf.view, layout, regions, marks);
  }
  noteFixedWords(elf, regions, marks, go !== undefined);
  cutPointedGaps(file, cuts.gaps, marks, machine);
  // What is derived is one piece: labels inside are distances from its start.
  for (const [offset, { end }] of notes.derived) marks.clear(offset + 1, end);
  const whole = buildPieces(tile(regions, map, file.length), marks, cuts, notes.derived);
  const blanked = new Uint8Array(file);
  const fileBytes = file.length;
  blankNoted(blanked, placePieces(map, { ...whole, fileBytes }), marks, notes.tables);
  const columns = splitLarge(whole, blanked, marks);
  const pieces = placePieces(map, { ...columns, fileBytes });
  const fields = codeFields(blanked, pieces, { machine, absolute });
  const implied = blankImplied(blanked, pieces, fields, marks);
  const sites = buildSites(pieces, marks, notes.derived);
  const rules = absolute ? RULE_ABSOLUTE32 : 0;
  const found = findReferences({ machine, rules, ...columns, blanked, sites }, pieces);
  const bases = layout?.bases ?? noBases();
  for (const [kind, base] of nameBases) bases[kind] = base;
  const { addresses, ...references } = nameTargets(notes.values, pieces, found, implied, marks, {
    tables: notes.tables,
    bases,
  });
  applyDerived(blanked, { machine, pieces, sites, references: found, targets: addresses, bases });
  const baseTable = labelBases(bases, pieces, map, file.length);
  return { machine, fileBytes: file.length, rules, blanked, pieces, sites, references, bases: baseTable };
}
