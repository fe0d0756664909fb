// The service's sentences, in the reader's language.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

globalThis.localStorage = { getItem: () => "ja" };
const { load } = await import("./modules.mjs");
const { sentences, translated, words } = await load(`
  export { words } from "./src/pages/doctor-words.ts";
  export * from "./src/pages/sentences.ts";
`);

const repository = new URL("../../../../", import.meta.url).pathname;

/** The Go sources of the packages. */
async function sources(...folders) {
  const texts = [];
  for (const folder of folders) {
    for (const name of await readdir(join(repository, folder))) {
      if (name.endsWith(".go") && !name.endsWith("_test.go")) texts.push(await readFile(join(repository, folder, name), "utf8"));
    }
  }
  return texts.join("\n");
}

/** These come from the operating system. */
const ofTheSystem = ["^connection refused$", "^connection reset by peer$", "^no route to host$", "^network is unreachable$"];

// When the service rewords a sentence, its translation must follow.
test("the sources have every sentence that is translated", async () => {
  const said = (await sources("connector", "templates", "aliyundm", "internal/httpapi", "internal/registry", "internal/delivery")).toLowerCase();
  const unsaid = sentences.map(([pattern]) => pattern.source).filter((source) => {
    const literals = source.replace(/\\[Sdw][+*]|\([^()]*\)\??/g, "\0").replace(/\\(.)/g, "$1").split(/[\0^$*+?|,;"]|\.(?=[*+$]|$)/);
    return !said.includes(literals.sort((a, b) => b.length - a.length)[0].toLowerCase());
  });
  assert.deepEqual(unsaid, ofTheSystem);
});

test("every finding of the doctor is translated", async () => {
  const untranslated = ["config_errors", "config_warnings", "needs_config"]; // of the command line alone
  const findings = Object.keys(JSON.parse(await readFile(join(repository, "internal/doctor/findings.json"), "utf8")));
  assert.deepEqual(findings.filter((finding) => !untranslated.includes(finding)).sort(), Object.keys(words).sort());
});

test("values are kept, and a sentence without a translation stays English", () => {
  assert.equal(translated("Shorten it to 15 characters: it has 16"), "15 文字以内に短縮してください（現在 16 文字）");
  assert.equal(translated("Nobody said this."), "Nobody said this.");
});
