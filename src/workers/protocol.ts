/** What the main thread and a worker say to each other: one request, one answer. */
import { type ErrorCode, type ErrorData, isTenonError, TenonError } from "../errors/index.ts";

export interface Request {
  readonly task: string;
  readonly input: unknown;
  readonly lent: readonly LentValue[];
}

export interface LentValue {
  readonly value: unknown;
  /** It was moved and is to be sent back, not a copy. */
  readonly moved: boolean;
}

/** The first thing that a worker says: that it is there. */
export const READY = "ready";

export interface Answer {
  readonly result?: unknown;
  readonly error?: SentError;
  /** Those that were moved, in order. */
  readonly lent: readonly unknown[];
}

/** An error of ours with all that it carries; of others what `postMessage` clones: kind, message, stack. */
export type SentError =
  | {
      readonly code: ErrorCode;
      readonly message: string;
      readonly data: ErrorData;
      readonly stack: string | undefined;
      readonly cause: SentError | undefined;
    }
  | { readonly error: unknown };

/** Causes of causes that go along. */
const MAX_CAUSES = 4;

export function sentError(error: unknown, causes = MAX_CAUSES): SentError {
  if (!isTenonError(error)) return { error: error instanceof Error ? error : new Error(String(error)) };
  const { code, message, data, stack, cause } = error;
  return {
    ...{ code, message, data, stack },
    cause: cause === undefined || causes === 0 ? undefined : sentError(cause, causes - 1),
  };
}

export function receivedError(sent: SentError): unknown {
  if ("error" in sent) return sent.error;
  const { code, message, data, stack, cause } = sent;
  const error = new TenonError(
    code,
    message,
    data,
    cause === undefined ? undefined : { cause: receivedError(cause) },
  );
  if (stack !== undefined) error.stack = stack;
  return error;
}
