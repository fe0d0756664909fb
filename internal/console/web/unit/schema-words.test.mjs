// What the schema says of a template's keys, in the reader's language.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

globalThis.localStorage = { getItem: () => "ja" };
const { load } = await import("./modules.mjs");
const { schema, schemaText, schemasAt } = await load(`
  export { schema } from "./src/pages/json-assist.ts";
  export { schemaText } from "./src/pages/config-words.ts";
  export { schemasAt } from "./src/pages/jsonschema.ts";
`);

for (const key of Object.keys(schema.$defs.template.properties)) {
  test(`${key} is explained in Japanese`, () => {
    const [{ description }] = schemasAt(schema, ["templates", 0, key]);
    assert.match(schemaText(description), /[ぁ-ん]/);
  });
}

test("each sentence of a template's keys is translated into both languages, and no other is", async () => {
  const words = JSON.parse(await readFile(new URL("../src/pages/schema-words.json", import.meta.url)));
  const sentences = Object.keys(schema.$defs.template.properties).flatMap((key) => schemasAt(schema, ["templates", 0, key])[0].description);
  assert.deepEqual(Object.keys(words).sort(), sentences.sort());
  for (const translations of Object.values(words)) assert.deepEqual(Object.keys(translations).sort(), ["ja", "zh-CN"]);
});

test("a sentence without a translation stays English", () => assert.equal(schemaText("Nobody said this."), "Nobody said this."));
