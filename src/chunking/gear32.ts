/** gear32-v1, the reference: the first place at or after min where the gear hash is below a threshold. */
import { cutKernel, findGear32 } from "../kernels/index.ts";
import { type Algorithm, firstHitMeanProblem } from "./algorithm.ts";

export const gear32: Algorithm = {
  name: "gear32-v1",
  meanProblem: firstHitMeanProblem,
  kernel: () => cutKernel("gear"),
  twin: findGear32,
};
