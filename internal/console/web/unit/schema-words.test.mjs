// What the schema says of a template's keys, in the reader's language.
import assert from "node:assert/strict";
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

test("a sentence without a translation stays English", () => assert.equal(schemaText("Nobody said this."), "Nobody said this."));
