/** The part of the store that commands call: a test can stand in for it with plain objects. */
import type {
  deltaVersions,
  diffLibraryFiles,
  fat,
  fileVersions,
  InitOptions,
  inspectAlone,
  layOutVersions,
  OpenOptions,
  RepairResult,
  Repository,
  shareImages,
  spacerDelta,
} from "../store/index.ts";

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
  | "inspectFile"
  | "inspect"
  | "debug"
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
  | "addLibrary"
  | "listLibraries"
  | "diffLibrary"
  | "layOutLibrary"
  | "deltaLibrary"
  | "close"
>;

export interface StoreModule {
  readonly Repository: {
    init(location: string, options?: InitOptions): Promise<OpenRepository>;
    open(location: string, options?: OpenOptions): Promise<OpenRepository>;
    repair(location: string, options?: OpenOptions): Promise<RepairResult>;
  };
  /** Operations on fat files, which need no repository. */
  readonly fat: typeof fat;
  /** A file on disk, which needs none either. */
  readonly inspectAlone: typeof inspectAlone;
  /** Versions of libraries on disk. */
  readonly diffLibraryFiles: typeof diffLibraryFiles;
  readonly fileVersions: typeof fileVersions;
  readonly layOutVersions: typeof layOutVersions;
  readonly deltaVersions: typeof deltaVersions;
  readonly spacerDelta: typeof spacerDelta;
  /** Pages of images on disk: no repository. */
  readonly shareImages: typeof shareImages;
}
