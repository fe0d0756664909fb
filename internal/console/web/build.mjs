// Builds the console into ../dist, reproducibly, so that CI can compare the committed
// files with their sources.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { virtual } from "./virtual.mjs";

const dist = process.env.DIST ? pathToFileURL(process.env.DIST) : new URL("../dist/", import.meta.url);

const result = await build({
  entryPoints: { console: "src/main.tsx" },
  absWorkingDir: new URL(".", import.meta.url).pathname,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  legalComments: "none",
  outdir: "out",
  write: false,
  plugins: [virtual],
  logLevel: "warning",
});

await rm(dist, { recursive: true, force: true });
await mkdir(new URL("assets/", dist), { recursive: true });

const names = {};
for (const file of result.outputFiles) {
  const [, stem, extension] = /([^/]+)\.(js|css)$/.exec(file.path);
  const hash = createHash("sha256").update(file.contents).digest("hex").slice(0, 10);
  const name = `assets/${stem}-${hash}.${extension}`;
  names[extension] = name;
  await writeFile(new URL(name, dist), file.contents);
  const packed = gzipSync(file.contents, { level: 9 });
  await writeFile(new URL(`${name}.gz`, dist), packed);
  console.log(`${name}: ${file.contents.length} bytes, ${packed.length} compressed`);
}
const page = await readFile(new URL("src/index.html", import.meta.url), "utf8");
await writeFile(new URL("index.html", dist), page.replace("{script}", names.js).replace("{style}", names.css));
