// The modules that are made from the repository's other files: virtual:flows and
// virtual:schema.
import { readdir, readFile } from "node:fs/promises";

const repository = new URL("../../../", import.meta.url);

// The flows that a real Logto was recorded with: what each sends.
async function flows() {
  const folder = new URL("testdata/logto/", repository);
  const list = [];
  for (const name of (await readdir(folder)).sort()) {
    const recording = JSON.parse(await readFile(new URL(name, folder), "utf8"));
    for (const request of recording.requests.slice(0, 1)) {
      const { type, payload } = JSON.parse(request.body);
      list.push({ id: recording.flow, about: recording.about, type, payload });
    }
  }
  return list;
}

/** Gives them to esbuild. */
export const virtual = {
  name: "virtual",
  setup(b) {
    b.onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: "virtual" }));
    b.onLoad({ filter: /^virtual:flows$/, namespace: "virtual" }, async () => ({ contents: JSON.stringify(await flows()), loader: "json" }));
    b.onLoad({ filter: /^virtual:schema$/, namespace: "virtual" }, async () => ({
      contents: await readFile(new URL("config.schema.json", repository), "utf8"),
      loader: "json",
    }));
  },
};
