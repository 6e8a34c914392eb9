/** Script: a script of ours, run to its end: what fails is told in a sentence, and its work folder is gone afterwards. */

/** Runs it, and ends the process with its code. */
export async function runScript(main: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}

/** Gives a folder that lasts as long as `act`, also when that is interrupted. @param within made if need be */
export async function inWorkFolder(within: string, act: (work: string) => Promise<void>): Promise<void> {
  await Deno.mkdir(within, { recursive: true });
  const work = await Deno.makeTempDir({ dir: within, prefix: ".work-" });
  const interrupted = () => {
    Deno.removeSync(work, { recursive: true });
    Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", interrupted);
  try {
    await act(work);
  } finally {
    Deno.removeSignalListener("SIGINT", interrupted);
    await Deno.remove(work, { recursive: true });
  }
}
