/** LineSplitter: a stream of bytes as lines, however they are cut; the last one may lack its line feed. */

/** @param input UTF-8 */
export async function* lineSplitter(input: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of input.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield line.replace(/\r$/, "");
  }
  if (rest !== "") yield rest;
}
