/**
 * The longest match that zlib or Go would find by walking its chain for a limited number of steps, found sooner: longer
 * matches by the second chain, those of six bytes and more by the third, from the first six of the match or its last six,
 * whichever leads further back. Ordinals tell whether the encoder would have come so far before giving up.
 */
import {
  chain,
  good,
  inserted,
  isLong,
  MAX_MATCH,
  MIN_LOOKAHEAD,
  maxDistance,
  minMatch,
  nice,
  nodeOf,
  ORDINAL,
  older,
  Rules,
  rules,
  SECOND,
  THIRD,
  THIRD_BYTES,
  THIRD_MASK,
  TOO_FAR,
  thirdSlot,
  window,
} from "./hash-chains";
import { matchLength } from "./match-length";

/** Where `longestMatch` found one. */
export let matchStart: u32 = 0;

/** Length of the match at `here` that the encoder would find, longer than `longest`; else at most that. */
// @ts-ignore: decorator
@inline
export function longestMatch(isGo: bool, here: u32, head: u32, lookahead: u32, longest: u32): u32 {
  // zlib takes the first of a chain from one byte further away than the others.
  return isLong && lookahead >= MIN_LOOKAHEAD && here - head < maxDistance(isGo)
    ? longestSooner(isGo, here, head, longest)
    : longestByChain(isGo, here, head, lookahead, longest);
}

/** As the encoder does it. */
// @ts-ignore: decorator
@inline
function longestByChain(isGo: bool, here: u32, head: u32, lookahead: u32, longest: u32): u32 {
  let current = head;
  let left = longest >= good ? chain >> 2 : chain;
  const scan = window + here;
  let best = longest;
  const enough = rules == Rules.gnu ? nice : min(nice, lookahead);
  const limit: u32 = here > maxDistance(isGo) ? here - maxDistance(isGo) : 0;
  // zlib compares what stands behind the end as well, which GNU gzip's choice depends on; Go must not count it.
  const most: i32 = isGo ? min(MAX_MATCH, lookahead) : MAX_MATCH;
  let end: u32 = load<u16>(scan + best - 1);
  const start: u32 = load<u16>(scan);
  do {
    const match = window + current;
    current = older(current);
    if (load<u16>(match + best - 1) != end || load<u16>(match) != start) continue;
    const length: u32 = matchLength(scan, match, 2, most);
    if (length > best) {
      // zlib's caller forgets a match that is too short for its distance, Go goes on.
      if (length == 4 && isGo && scan - match > TOO_FAR) continue;
      matchStart = <u32>(match - window);
      best = length;
      if (length >= enough) break;
      end = load<u16>(scan + best - 1);
    }
  } while (current > limit && --left != 0);
  return min(best, lookahead);
}

/** The same by the longer chains. The longest match must be complete in the window, and `here` be entered. */
// @ts-ignore: decorator
@inline
function longestSooner(isGo: bool, here: u32, head: u32, longest: u32): u32 {
  let best = longest;
  const reach = best >= good ? chain >> 2 : chain;
  const scan = window + here;
  const limit: u32 = here > maxDistance(isGo) ? here - maxDistance(isGo) : 0;
  const newest = <u32>load<u16>(nodeOf(here), ORDINAL) - 1;
  const bytes = load<u64>(scan);
  let current: u32 = 0;
  let third: u32 = load<u16>(nodeOf(here), THIRD);
  if (best < THIRD_BYTES - 1) {
    let end: u32 = load<u16>(scan + best - 1);
    for (current = load<u16>(nodeOf(here), SECOND); current > limit; current = load<u16>(nodeOf(current), SECOND)) {
      const match = window + current;
      if ((load<u64>(match) ^ bytes) << (56 - 8 * <u64>minMatch(isGo)) != 0) continue;
      if (((newest - <u32>load<u16>(nodeOf(current), ORDINAL)) & 0xffff) >= reach) break;
      if (load<u16>(match + best - 1) != end) continue;
      const length: u32 = matchLength(scan, match, minMatch(isGo) + 1, MAX_MATCH);
      if (length > best) {
        matchStart = current;
        best = length;
        if (length >= nice) return best;
        if (best >= THIRD_BYTES - 1) break;
        end = load<u16>(scan + best - 1);
      }
    }
    if (best >= THIRD_BYTES) third = load<u16>(nodeOf(current), THIRD);
    else if (best == THIRD_BYTES - 1) while (third >= current) third = load<u16>(nodeOf(third), THIRD);
  }
  if (best >= THIRD_BYTES - 1) return longestBeyond(isGo, here, best, third, reach, newest, limit);
  if (best >= minMatch(isGo)) return best;
  // The shortest matches count only when they are near.
  const near: u32 = max(limit, here > TOO_FAR ? here - TOO_FAR - 1 : 0);
  current = head;
  for (let left = reach; left != 0 && current > near; left--) {
    if ((load<u64>(window + current) ^ bytes) << (64 - 8 * <u64>minMatch(isGo)) == 0) {
      matchStart = current;
      return minMatch(isGo);
    }
    current = load<u16>(nodeOf(current));
  }
  return best;
}

/** The same for six bytes and more, longer than `longest`, from `first` of the third chain on. */
// @ts-ignore: decorator
@inline
function longestBeyond(isGo: bool, here: u32, longest: u32, first: u32, reach: u32, newest: u32, limit: u32): u32 {
  const scan = window + here;
  const bytes = load<u64>(scan) & THIRD_MASK;
  let best = longest;
  let end: u32 = load<u16>(scan + best - 1);
  let at = first;
  // Of the six bytes whose chain is followed, from the beginning of the match.
  let offset: u32 = 0;
  let isNew = true;
  while (at > limit + offset) {
    if (isNew) {
      isNew = false;
      const last = best + 1 - THIRD_BYTES;
      if (last > 0 && at + last < inserted) {
        const other: u32 =
          here + last < inserted ? load<u16>(nodeOf(here + last), THIRD) : load<u16>(thirdSlot(load<u64>(scan + last)));
        if (other < at + last) {
          at = other;
          offset = last;
          continue;
        }
      }
    }
    const current = at - offset;
    const match = window + current;
    at = load<u16>(nodeOf(at), THIRD);
    if ((load<u64>(match) & THIRD_MASK) != bytes) continue;
    if (((newest - <u32>load<u16>(nodeOf(current), ORDINAL)) & 0xffff) >= reach) break;
    if (load<u16>(match + best - 1) != end) continue;
    const length: u32 = matchLength(scan, match, THIRD_BYTES, MAX_MATCH);
    if (length > best) {
      matchStart = current;
      best = length;
      if (length >= nice) return best;
      end = load<u16>(scan + best - 1);
      at = load<u16>(nodeOf(current), THIRD);
      offset = 0;
      isNew = true;
    }
  }
  return best;
}
