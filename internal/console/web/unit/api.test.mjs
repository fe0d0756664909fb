// Requests of a page that nobody uses.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { load } from "./modules.mjs";

test("requests are marked while nobody uses the page", async () => {
  const touched = {};
  globalThis.addEventListener = (kind, act) => { touched[kind] = act; };
  const sent = [];
  globalThis.fetch = async (_, { headers }) => { sent.push(headers["Dmconnector-Background"]); return new Response("{}"); };
  mock.timers.enable({ apis: ["Date"] });
  const api = await load(`export * from "./src/api.ts"`);
  const ask = () => api.send("POST", "api/x", {}, { "If-Match": '"1"' });

  await ask();
  mock.timers.tick(61_000);
  await ask();
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
    touched[kind]();
    await ask();
    mock.timers.tick(61_000);
  }
  await ask();
  assert.deepEqual(sent, [undefined, "1", undefined, undefined, undefined, undefined, "1"]);
});
