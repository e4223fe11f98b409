/**
 * deflate-tokens: any deflate stream as its content and corrections, and the same stream again from both.
 *
 * Analysis takes compressed bytes and gives corrections; synthesis takes content and corrections and gives compressed
 * bytes. Both describe a block by the same calls, block by block: its facts, its symbols against their guesses, then
 * its codes. Memory is that of one block, of at most 2^20 symbols and 2^24 bytes of content.
 */
import { output } from "./shared/buffers";
import {
  finishWriting,
  isOverrun,
  position,
  setInput,
  setPosition,
  startReading,
  startWriting,
} from "./shared/range-coder";
import * as blocks from "./shared/token-blocks";
import * as predictor from "./shared/token-predictor";
import * as reader from "./shared/token-reader";
import {
  alignWith,
  codeOfDistance,
  distanceExtra,
  distanceTree,
  fixedDistances,
  fixedLiterals,
  leastOfDistance,
  leastOfLength,
  literalExtra,
  literalTree,
  outputEnd,
  send,
  sendCode,
  setOutput,
  symbolOfLength,
  trees,
} from "./shared/trees";

export { outputAddress, outputBytes, takeOutput } from "./shared/buffers";

/** Corrections as they are written or read. */
const CORRECTIONS_BYTES: usize = 1 << 20;
const corrections: usize = memory.data(1 << 20, 16);
/** A symbol is at most 48 bits, the beginning of a block and stored content more. */
const OUTPUT_LIMIT: usize = (1 << 20) - (1 << 17);
/** What a symbol, or the beginning or codes of a block, may write or read. */
const STEP_BYTES: usize = 1 << 14;
/** How much content a guess looks at. */
const LOOKAHEAD: i32 = predictor.MAX_MATCH + 16;

/** What a call came to. */
const enum Status {
  needsInput = 0,
  hasOutput = 1,
  done = 2,
  failed = 3,
  needsCorrections = 4,
}

const enum Phase {
  block = 0,
  symbols = 1,
  codes = 2,
  closing = 3,
  done = 4,
  writing = 5,
  starting = 6,
  opening = 7,
}

let phase: Phase = Phase.block;
let token: i32 = 0;
let tokenCount: i32 = 0;
let contentEnd: i32 = 0;
let isLastContent: bool = false;
let correctionsEnd: usize = 0;
let isLastCorrections: bool = false;

export function contentAddress(): usize {
  return predictor.content + contentEnd;
}

/** How much content may be put there. */
export function contentRoom(): i32 {
  return predictor.CONTENT_BYTES - contentEnd;
}

export function inputAddress(): usize {
  return reader.input + reader.compactInput();
}

export function inputRoom(): usize {
  return reader.INPUT_BYTES - reader.compactInput();
}

export function correctionsAddress(): usize {
  return corrections;
}

/** Analysis: corrections that were written. */
export function correctionsBytes(): u32 {
  return <u32>(position() - corrections);
}

export function takeCorrections(): void {
  setPosition(corrections);
}

/** Why it failed: a `Problem` of the reader, or 16 for corrections that don't fit the content. */
export function failure(): u32 {
  return reader.problem != reader.Problem.none ? <u32>reader.problem : 16;
}

/** Bytes of input that are not part of the stream. */
export function unusedInput(): usize {
  return reader.unusedInput();
}

export function configure(
  hashBytes: u32,
  lazyMatching: bool,
  good: i32,
  lazy: i32,
  nice: i32,
  chain: u32,
  insertUpTo: i32,
  tooFar: i32,
  maxDistance: i32,
): void {
  predictor.configurePredictor(hashBytes, lazyMatching, good, lazy, nice, chain, insertUpTo, tooFar, maxDistance);
  blocks.resetBlockCoder();
  reader.startReader(predictor.HISTORY);
  trees(0, false);
  setOutput(output);
  contentEnd = predictor.HISTORY;
  isLastContent = false;
  correctionsEnd = corrections;
  isLastCorrections = false;
}

export function startAnalysis(): void {
  startWriting(corrections);
  phase = Phase.block;
}

export function startSynthesis(): void {
  setInput(corrections, corrections);
  phase = Phase.starting;
}

/** Analyses the next `bytes` bytes of the input buffer. */
export function analyse(bytes: usize, last: bool): Status {
  reader.addInput(bytes, last);
  while (true) {
    if (position() - corrections > CORRECTIONS_BYTES - STEP_BYTES) return Status.hasOutput;
    if (phase == Phase.block) {
      if (reader.isBetweenBlocks() && reader.contentEnd > predictor.SLIDE_BYTES) {
        reader.setContentEnd(reader.contentEnd - predictor.slideContent(reader.contentEnd));
      }
      if (!reader.readBlock()) return reader.problem == reader.Problem.none ? Status.needsInput : Status.failed;
      const contentBytes = reader.contentEnd - predictor.at;
      blocks.codeBlock(reader.blockType, reader.isFinal, reader.storedPadding, <u32>contentBytes);
      predictor.beginBlock(reader.contentEnd);
      tokenCount = reader.tokenCount;
      token = 0;
      if (reader.blockType == 0) {
        predictor.skipContent(contentBytes);
        phase = reader.isFinal != 0 ? Phase.closing : Phase.block;
      } else phase = Phase.symbols;
    } else if (phase == Phase.symbols) {
      if (token == tokenCount) phase = Phase.codes;
      else {
        const symbol = load<u32>(reader.tokens + (token++ << 2));
        blocks.countToken(symbol, load<u8>(predictor.content + predictor.at));
        predictor.codeToken(symbol, false);
      }
    } else if (phase == Phase.codes) {
      if (reader.blockType == 2) blocks.codeCodes(false);
      phase = reader.isFinal != 0 ? Phase.closing : Phase.block;
    } else if (phase == Phase.closing) {
      blocks.codeClosing(reader.closingBits());
      finishWriting();
      phase = Phase.done;
    } else return Status.done;
  }
}

/** Ends an analysis before the end of the stream, as an estimate of the rate: codes the symbols of the open block. */
export function breakOff(): u32 {
  if (phase != Phase.block) return correctionsBytes();
  if (reader.tokenCount > 0) {
    predictor.beginBlock(reader.contentEnd);
    for (let i = 0; i < reader.tokenCount; i++) {
      if (position() - corrections > CORRECTIONS_BYTES - STEP_BYTES) break;
      predictor.codeToken(load<u32>(reader.tokens + (i << 2)), false);
    }
  }
  return correctionsBytes();
}

/** Content that was put at `contentAddress`. Makes room again when there is little. */
export function addContent(bytes: i32, last: bool): void {
  contentEnd += bytes;
  isLastContent = last;
}

/** Where corrections can be put: those that are left are moved to the front. */
export function correctionsRoom(): usize {
  const left = correctionsEnd - position();
  memory.copy(corrections, position(), left);
  correctionsEnd = corrections + left;
  setInput(corrections, correctionsEnd);
  return CORRECTIONS_BYTES - left;
}

/** Where new corrections are put. */
export function correctionsInput(): usize {
  return correctionsEnd;
}

export function addCorrections(bytes: usize, last: bool): void {
  correctionsEnd += bytes;
  isLastCorrections = last;
  setInput(position(), correctionsEnd);
}

// @ts-ignore: decorator
@inline
function sendToken(symbol: u32): void {
  const isFixed = blocks.type == 1;
  const literals = isFixed ? fixedLiterals : literalTree;
  const distance = symbol >> 16;
  if (distance == 0) {
    sendCode(literals, symbol & 0xff);
    return;
  }
  const length = symbol & 0xffff;
  const code = symbolOfLength(length);
  sendCode(literals, code);
  send(length - leastOfLength(code), load<u8>(literalExtra + code - 257));
  const far = codeOfDistance(distance - 1);
  sendCode(isFixed ? fixedDistances : distanceTree, far);
  send(distance - leastOfDistance(far), load<u8>(distanceExtra + far));
}

/** Makes the stream again as far as content and corrections go. */
export function synthesize(): Status {
  while (true) {
    if (phase == Phase.done) return Status.done;
    if (phase != Phase.writing && !isLastCorrections && correctionsEnd - position() < STEP_BYTES) {
      return Status.needsCorrections;
    }
    if (phase == Phase.starting) {
      startReading();
      phase = Phase.block;
    } else if (phase == Phase.block) {
      if (outputEnd() - output > OUTPUT_LIMIT) return Status.hasOutput;
      if (contentEnd > predictor.SLIDE_BYTES) contentEnd -= predictor.slideContent(contentEnd);
      blocks.codeBlock(0, 0, 0, 0);
      if (isOverrun || blocks.contentBytes > <u32>predictor.MAX_BLOCK_CONTENT || blocks.type == 3) return Status.failed;
      phase = Phase.opening;
    } else if (phase == Phase.opening) {
      // What the end of the block before is entered with stands in this one.
      const bytes = <i32>blocks.contentBytes;
      if (predictor.at + min(bytes, LOOKAHEAD) > contentEnd) return isLastContent ? Status.failed : Status.needsInput;
      predictor.beginBlock(predictor.at + bytes);
      token = 0;
      tokenCount = 0;
      phase = Phase.symbols;
    } else if (phase == Phase.symbols) {
      const status = blocks.type == 0 ? synthesizeStored() : synthesizeSymbols();
      if (status != Status.done) return status;
    } else if (phase == Phase.codes) {
      send(blocks.final | (blocks.type << 1), 3);
      if (blocks.type == 2) {
        if (!blocks.codeCodes(true)) return Status.failed;
        blocks.sendCodes();
      }
      token = 0;
      phase = Phase.writing;
    } else if (phase == Phase.writing) {
      while (token < tokenCount) {
        if (outputEnd() - output > OUTPUT_LIMIT) return Status.hasOutput;
        sendToken(load<u32>(reader.tokens + (token++ << 2)));
      }
      if (blocks.type == 1) sendCode(fixedLiterals, 256);
      else sendCode(literalTree, 256);
      phase = blocks.final != 0 ? Phase.closing : Phase.block;
    } else {
      if (predictor.at != contentEnd) return Status.failed;
      if (!isLastContent) return Status.needsInput;
      alignWith(blocks.codeClosing(0));
      phase = Phase.done;
    }
  }
}

/** The block's content is a match or literals as the corrections say. */
function synthesizeSymbols(): Status {
  const end = predictor.endOfBlock();
  while (predictor.at < end) {
    if (predictor.at + LOOKAHEAD > contentEnd && contentEnd < end) return isLastContent ? Status.failed : Status.needsInput;
    if (!isLastCorrections && correctionsEnd - position() < STEP_BYTES) return Status.needsCorrections;
    if (tokenCount == reader.MAX_TOKENS) return Status.failed;
    const literal: u32 = load<u8>(predictor.content + predictor.at);
    const symbol = predictor.codeToken(0, true);
    if (symbol == 0) return Status.failed;
    blocks.countToken(symbol, literal);
    store<u32>(reader.tokens + (tokenCount++ << 2), symbol >> 16 == 0 ? literal : symbol);
  }
  phase = Phase.codes;
  return Status.done;
}

function synthesizeStored(): Status {
  const bytes = <i32>blocks.contentBytes;
  if (bytes > 0xffff) return Status.failed;
  if (predictor.at + bytes > contentEnd) return isLastContent ? Status.failed : Status.needsInput;
  send(blocks.final, 3);
  alignWith(blocks.padding);
  store<u16>(outputEnd(), <u16>bytes);
  store<u16>(outputEnd(), <u16>~bytes, 2);
  memory.copy(outputEnd() + 4, predictor.content + predictor.at, bytes);
  setOutput(outputEnd() + 4 + bytes);
  predictor.skipContent(bytes);
  phase = blocks.final != 0 ? Phase.closing : Phase.block;
  return Status.done;
}
