/** window8-v1: the first place at or after min where the hash of eight bytes is above a threshold. */
import { cutKernel, findWindow8 } from "../kernels/index.ts";
import { type Algorithm, firstHitMeanProblem } from "./algorithm.ts";

export const window8: Algorithm = {
  name: "window8-v1",
  meanProblem: firstHitMeanProblem,
  kernel: () => cutKernel("window8"),
  twin: findWindow8,
};
