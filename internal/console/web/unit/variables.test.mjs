// What a template names, and what a flow sends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";

const { documented, flowsFor, look, placeholders, plainFlow, sketch, typed, unsent, withValue, usageTypeValues } = await load(`
  export * from "./src/pages/variables.ts";
  export { usageTypeValues } from "./src/api.ts";
`);

const payload = { code: "123456", application: { name: "Shop", logo: null }, uiLocales: ["fr", "en"], empty: "" };

for (const [name, want] of [
  ["code", { state: "sent", value: "123456" }],
  ["application.name", { state: "sent", value: "Shop" }],
  ["application.logo", { state: "sent", value: null }],
  ["application.nmae", { state: "partly", sent: "application" }],
  ["application.name.first", { state: "partly", sent: "application" }],
  ["uiLocales.1", { state: "sent", value: "en" }],
  ["uiLocales.length", { state: "sent", value: 2 }],
  ["code.length", { state: "sent", value: 6 }],
  ["user.name", { state: "unsent" }],
  ["constructor", { state: "unsent" }],
  ["__proto__.polluted", { state: "unsent" }],
]) {
  test(`${name} is ${want.state}`, () => assert.deepEqual(look(payload, name), want));
}

test("placeholders are found at their positions, including Logto's old one", () => {
  const text = "{{ code }} <<code>> {{#user.name}}{{user.name}}{{/user.name}} {{no way}} {{user.id}}";
  const found = placeholders(text);
  assert.deepEqual(found.map((p) => [text.slice(p.from, p.to), p.kind, p.name, p.guarded]), [
    ["{{ code }}", "", "code", false], ["<<code>>", "", "code", false],
    ["{{#user.name}}", "#", "user.name", false], ["{{user.name}}", "", "user.name", true], ["{{/user.name}}", "/", "user.name", true],
    ["{{user.id}}", "", "user.id", false],
  ]);
});

test("unsent variables are told once, those in a section for them not at all", () => {
  const template = { usageType: "SignIn", subject: "{{link}} {{code}}", content: "{{link}} {{#user.name}}{{user.name}}{{/user.name}} {{application.nmae}}", text: "{{inviter.name}}" };
  assert.deepEqual(unsent(template, payload), ["link", "inviter.name"]);
});

for (const [line, want] of [
  ["Code {{code}}", "Code 123456"],
  ["Code {{link}}", "Code {{link}}"],
  ["{{#application.name}}[{{application.name}}] {{/application.name}}Code", "[Shop] Code"],
  ["{{#user.name}}{{user.name}}: {{/user.name}}{{^user.name}}You: {{/user.name}}Code", "You: Code"],
  ["{{#empty}}never{{/empty}}{{application.logo}}.", "."],
]) {
  test(`${line} is sketched`, () => assert.equal(sketch(line, payload), want));
}

test("a sketch puts in what a value says, not what it would mean to a replacement", () => {
  assert.equal(sketch("{{#code}}<{{code}}>{{/code}}", { code: "$&$1" }), "<$&$1>");
  assert.equal(sketch("{{#code}}$& $1 {{/code}}x", { code: "1" }), "$& $1 x");
});

test("a value is changed in place, in a copy", () => {
  assert.deepEqual(withValue(payload, "application.name", "X"), { ...payload, application: { name: "X", logo: null } });
  assert.deepEqual(withValue(payload, "uiLocales.0", "ja"), { ...payload, uiLocales: ["ja", "en"] });
  assert.equal(payload.application.name, "Shop");
});

for (const [text, before, want] of [["12", "ab", "12"], ["12", 7, 12], ["", null, null], ["x", null, "x"], ["false", true, false], ['{"a":1}', 7, '{"a":1}']]) {
  test(`${JSON.stringify(text)} typed for ${JSON.stringify(before)}`, () => assert.deepEqual(typed(text, before), want));
}

test("what the recorded flows of a usage type send is documented for it", () => {
  for (const type of usageTypeValues) {
    assert.equal(plainFlow(type).type, type);
    const roots = new Set(documented(type).map((name) => name.split(".")[0]));
    const sent = flowsFor(type).fitting.flatMap(({ payload }) => Object.keys(payload));
    const own = ["custom", "count", "nothing", "flag"]; // a program puts these into its invitation
    assert.deepEqual(sent.filter((name) => !roots.has(name) && !own.includes(name)), [], type);
  }
});
