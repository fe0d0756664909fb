// The page's own modules, for tests outside of a browser.
import { build } from "esbuild";
import { virtual } from "../virtual.mjs";

// The texts ask for the reader's languages as soon as they are loaded.
globalThis.localStorage ??= { getItem: () => null };
globalThis.navigator ??= { languages: ["en"] };

/** Loads what the source exports, bundled in memory: `export * from "./src/…"`. */
export async function load(source) {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: new URL("..", import.meta.url).pathname, loader: "ts" },
    bundle: true, write: false, format: "esm", platform: "node", target: "es2022", jsx: "automatic", jsxImportSource: "preact", plugins: [virtual], logLevel: "error",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
