// Places in a JSON text, and what its schema says of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./modules.mjs";

const { EditorState, json, firstFault, placeAt, repeatedNames, spanOf, pointerOf, pointerPath, schemasAt, valuesOf, inOrder, schema } = await load(`
  export { EditorState } from "@codemirror/state";
  export { json } from "@codemirror/lang-json";
  export * from "./src/pages/json-place.ts";
  export * from "./src/pages/jsonschema.ts";
  export { schema } from "./src/pages/json-assist.ts";
`);

const stateOf = (doc) => EditorState.create({ doc, extensions: json() });
const cut = (doc, span) => doc.slice(span.from, span.to);

const config = '{\n  "accountName": "a@b.example",\n  "limits": {"ip": "off"},\n  "templates": [{"usageType": "SignIn"}, {"subject": "S"}],\n  "a": 1,\n  "a": 2\n}';
for (const [path, want] of [
  [["accountName"], '"a@b.example"'],
  [["limits"], '"limits"'], // not all of its lines
  [["limits", "ip"], '"off"'],
  [["templates", "1", "subject"], '"S"'],
  [["templates", "1"], "{"],
  [["templates", "1", "content"], "{"], // not there: what it would be in
  [["templates", "7"], '"templates"'],
  [["fromAlias"], "{"],
  [["a"], "2"], // the last one counts
]) {
  test(`${pointerOf(path)} is at ${want}`, () => assert.equal(cut(config, spanOf(stateOf(config), path)), want));
}

// The bar is where the cursor is.
for (const [text, want] of [
  ['{"acc|"}', { kind: "key", path: [], hasValue: false }],
  ['{"acc|": 1}', { kind: "key", path: [], hasValue: true }],
  ['{"regionId": |}', { kind: "value", path: ["regionId"] }],
  ['{"regionId": "cn|"}', { kind: "value", path: ["regionId"] }],
  ['{"a": 1, |}', { kind: "key", path: [] }],
  ['{"templates": [{}, {"usageType": "Si|"}]}', { kind: "value", path: ["templates", 1, "usageType"] }],
  ['{"templates": [{"u|"}]}', { kind: "key", path: ["templates", 0], hasValue: false }],
  ['{"a": 1}|', null],
]) {
  test(`the place in ${text}`, () => {
    const place = placeAt(stateOf(text.replace("|", "")), text.indexOf("|"));
    if (want === null) return assert.equal(place, null);
    const got = Object.fromEntries(Object.keys(want).map((key) => [key, place[key]]));
    assert.deepEqual(got, want);
  });
}

test("the first fault is told, and none in what is right", () => {
  assert.equal(firstFault(stateOf('{"a": [1, {"b": null}]}')), null);
  const fault = firstFault(stateOf('{"a": oops, "b": ]}'));
  assert.equal(fault.from, 6);
});

test("a name that comes again is told, in its own object only", () => {
  const text = '{"a": 1, "b": {"a": 2}, "a": 3, "\\u0061": 4}';
  assert.deepEqual(repeatedNames(stateOf(text)).map(({ from }) => from), [1, text.indexOf('"a": 3')]);
});

for (const pointer of ["", "/a", "/a/0/b", "/a~1b/c~0d", "/~01"]) {
  test(`the pointer ${JSON.stringify(pointer)} is what its path makes`, () => assert.equal(pointerOf(pointerPath(pointer)), pointer));
}

test("the schema knows a config's places, and no others", () => {
  assert.ok(schemasAt(schema, ["templates", 0, "usageType"]).length > 0);
  assert.ok(schemasAt(schema, ["limits", "ip"]).length > 0);
  assert.deepEqual(schemasAt(schema, ["toString"]), []);
  assert.deepEqual(schemasAt(schema, ["limits", "constructor"]), []);
  assert.ok(valuesOf(schemasAt(schema, ["regionId"])).includes("ap-southeast-1"));
  assert.ok(valuesOf(schemasAt(schema, ["templates"])).includes("builtin"));
});

test("values are told once, without the empty one", () => {
  assert.deepEqual(valuesOf([{ default: "a", enum: ["a", "", "b"] }, { const: "b" }, { type: "boolean" }]), ["a", "b", true, false]);
});

test("order touches neither values nor unknown keys", () => {
  const value = { z: [3, 1], accountName: "a", accessKeyId: null };
  const sorted = inOrder(value, schema);
  assert.deepEqual(sorted, value);
  assert.deepEqual(Object.keys(sorted), ["accessKeyId", "accountName", "z"]);
});
