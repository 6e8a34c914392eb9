/** Runs the program, with a promise that is rejected unheard whenever SIGUSR2 comes: a fault of ours, anywhere. */

Deno.addSignalListener("SIGUSR2", () => void Promise.reject(new TypeError("provoked")));

await import("../../main.ts");
