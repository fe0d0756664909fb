// One config behind a form, a JSON text and templates.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";

const draft = await load(`export * from "./src/pages/draft.ts"`);

test("a text that cannot be read is kept, with the last config that could", () => {
  const first = draft.draftOf({ fromAlias: "A" });
  for (const text of ["{", "[]", "null", '"x"', '{"fromAlias": }']) {
    assert.deepEqual(draft.withText(first, text), { text, config: { fromAlias: "A" }, broken: true }, text);
  }
  const broken = draft.withText(first, "{");
  assert.deepEqual(draft.withText(broken, '{"fromAlias":"B"}'), { text: '{"fromAlias":"B"}', config: { fromAlias: "B" }, broken: false });
});

test("a draft has the schema's order, unknown keys last", () => {
  const { text } = draft.draftOf({ mine: 1, templates: [{ content: "c", subject: "s", usageType: "SignIn" }], accountName: "a", accessKeyId: "k" });
  assert.deepEqual(Object.keys(JSON.parse(text)), ["accessKeyId", "accountName", "templates", "mine"]);
  assert.deepEqual(Object.keys(JSON.parse(text).templates[0]), ["usageType", "subject", "content"]);
});

for (const [name, config, path, value, want] of [
  ["sets", {}, ["fromAlias"], "A", { fromAlias: "A" }],
  ["replaces", { fromAlias: "A", x: 1 }, ["fromAlias"], "B", { fromAlias: "B", x: 1 }],
  ["removes what is empty", { fromAlias: "A", x: 1 }, ["fromAlias"], "", { x: 1 }],
  ["sets in a group", {}, ["limits", "ip"], "off", { limits: { ip: "off" } }],
  ["keeps the group's others", { limits: { ip: "off", recipient: "1/1m" } }, ["limits", "ip"], "", { limits: { recipient: "1/1m" } }],
  ["removes an emptied group", { limits: { ip: "off" } }, ["limits", "ip"], undefined, {}],
  ["replaces what is no group", { limits: [1] }, ["limits", "ip"], "off", { limits: { ip: "off" } }],
]) {
  test(`a value in a config: ${name}`, () => {
    const before = structuredClone(config);
    assert.deepEqual(draft.withValue(config, path, value), want);
    assert.deepEqual(config, before); // it is not changed itself
  });
}

for (const [a, b, same] of [
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
  [{ a: 1, b: "" }, { a: 1 }, true],
  [{ a: 1, b: null }, { a: 1 }, true],
  [{ a: { c: "", d: 1 } }, { a: { d: 1 } }, true],
  [{ a: 1 }, { a: "1" }, false],
  [{ a: [1, 2] }, { a: [2, 1] }, false],
  [{ a: 0 }, {}, false],
  [{ a: false }, {}, false],
]) {
  test(`${JSON.stringify(a)} means ${same ? "" : "not "}the same as ${JSON.stringify(b)}`, () => assert.equal(draft.sameMeaning(a, b), same));
}

for (const [name, mine, base, newer, want] of [
  ["different keys", { a: "mine", b: "old" }, { a: "old", b: "old" }, { a: "old", b: "theirs" }, { config: { a: "mine", b: "theirs" }, contested: [] }],
  ["the same key", { a: "mine" }, { a: "old" }, { a: "theirs" }, { config: { a: "mine" }, contested: ["a"] }],
  ["the same change", { a: "new" }, { a: "old" }, { a: "new" }, { config: { a: "new" }, contested: [] }],
  ["mine removed", {}, { a: "old" }, { a: "old", b: "theirs" }, { config: { b: "theirs" }, contested: [] }],
  ["theirs removed", { a: "mine" }, { a: "old" }, {}, { config: { a: "mine" }, contested: ["a"] }],
  ["mine added", { a: "old", c: "mine" }, { a: "old" }, { a: "theirs" }, { config: { a: "theirs", c: "mine" }, contested: [] }],
]) {
  test(`changes are laid over a newer version: ${name}`, () => assert.deepEqual(draft.rebased(mine, base, newer), want));
}

test("secrets are not shown, misspelt ones neither", () => {
  const shown = draft.withSecretsHidden({ accessKeySecret: "s3cret", securityToken: "***", accesKeySecrt: "typo", accessKeySecrets: "s3cret", password: "", accessKeyId: "LTAI" }, "(hidden)");
  assert.deepEqual(shown, { accessKeySecret: "(hidden)", securityToken: "***", accesKeySecrt: "typo", accessKeySecrets: "(hidden)", password: "", accessKeyId: "LTAI" });
});

test("a copy has no masks, and asks for its secret", () => {
  assert.deepEqual(draft.withoutMasks({ accessKeyId: "LTAI", accessKeySecret: "***", securityToken: "***", fromAlias: "***" }), { accessKeySecret: "", accessKeyId: "LTAI", fromAlias: "***" });
});
