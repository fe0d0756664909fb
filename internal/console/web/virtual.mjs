// The modules virtual:flows and virtual:schema, made from other files of the
// repository.
import { readdir, readFile } from "node:fs/promises";

const repository = new URL("../../../", import.meta.url);

// What a real Logto sent in each recorded flow.
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

/** The esbuild plugin that provides them. */
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
