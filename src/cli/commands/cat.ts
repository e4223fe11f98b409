/** `tenon cat` */
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";

export const run: Handler<"cat"> = ({ operands: [spec], options }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const range = {
      ...(options.offset === undefined ? {} : { offset: options.offset }),
      ...(options.length === undefined ? {} : { length: options.length }),
    };
    for await (const bytes of repository.cat(spec!, {
      signal,
      onEvent,
      platform: options.platform,
      ...range,
    }))
      await output.bytes(bytes);
    return EXIT.ok;
  });
