/** The part of the store that commands call: a test can stand in for it with plain objects. */
import type { fat, InitOptions, OperationOptions, RepairResult, Repository } from "../store/index.ts";

/** An open repository. */
export type OpenRepository = Pick<
  Repository,
  | "location"
  | "add"
  | "get"
  | "cat"
  | "list"
  | "log"
  | "diff"
  | "tag"
  | "remove"
  | "stats"
  | "check"
  | "gc"
  | "compact"
  | "read"
  | "addFat"
  | "getFat"
  | "getFlavour"
  | "close"
>;

export interface StoreModule {
  readonly Repository: {
    init(location: string, options?: InitOptions): Promise<OpenRepository>;
    open(location: string, options?: OperationOptions): Promise<OpenRepository>;
    repair(location: string, options?: OperationOptions): Promise<RepairResult>;
  };
  /** Operations on fat files, which need no repository. */
  readonly fat: typeof fat;
}
