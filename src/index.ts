/** The library: `import { Repository } from "tenon"`. */
export { TenonError } from "./errors/index.ts";
export * from "./store/index.ts";
