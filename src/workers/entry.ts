/** The program of a worker thread: takes requests one by one and answers each. */
import { parentPort } from "node:worker_threads";
import { packed } from "./packing.ts";
import { type Answer, READY, type Request, sentError } from "./protocol.ts";
import { taskOf } from "./tasks.ts";

const port = parentPort;
if (port === null) throw new Error("this is the program of a worker thread");

port.on("message", ({ task, input, lent }: Request) => {
  const values = lent.map(({ value }) => value);
  const back = () => lent.flatMap(({ moved }, i) => (moved ? [values[i]] : []));
  let answer: Answer;
  try {
    answer = { result: taskOf(task)(input, ...values), lent: back() };
  } catch (error) {
    answer = { error: sentError(error), lent: back() };
  }
  const { value, transfer } = packed(answer.error === undefined ? answer : { lent: answer.lent });
  port.postMessage(answer.error === undefined ? value : { ...value, error: answer.error }, transfer);
});
port.postMessage(READY);
