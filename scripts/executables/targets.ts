/** Targets: the machines that executables are made for. */

/** One kind of machine. */
export interface Target {
  /** As `deno compile --target` has it. */
  readonly triple: string;
  /** Of the executable, without what Windows wants at its end. */
  readonly name: string;
  /** npm's package of its Deno. */
  readonly npm: string;
}

/** All of them. */
export const targets: readonly Target[] = [
  { triple: "x86_64-unknown-linux-gnu", name: "chat-linux-x86_64", npm: "@deno/linux-x64-glibc" },
  { triple: "aarch64-unknown-linux-gnu", name: "chat-linux-arm64", npm: "@deno/linux-arm64-glibc" },
  { triple: "x86_64-apple-darwin", name: "chat-macos-x86_64", npm: "@deno/darwin-x64" },
  { triple: "aarch64-apple-darwin", name: "chat-macos-arm64", npm: "@deno/darwin-arm64" },
  { triple: "x86_64-pc-windows-msvc", name: "chat-windows-x86_64", npm: "@deno/win32-x64" },
  { triple: "aarch64-pc-windows-msvc", name: "chat-windows-arm64", npm: "@deno/win32-arm64" },
];

/** This machine. */
export const own: Target = targets.find(({ triple }) => triple === Deno.build.target) ?? targets[0];

/** Whether it is Windows. */
export function isWindows({ triple }: Target): boolean {
  return triple.includes("windows");
}
