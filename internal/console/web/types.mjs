// Generates src/openapi.ts from the schemas of openapi.json, or with --check compares
// the two.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const file = new URL("src/openapi.ts", import.meta.url);
const { openapi, info, components } = JSON.parse(await readFile(new URL("../../httpapi/openapi.json", import.meta.url), "utf8"));
const types = await openapiTS({ openapi, info, paths: {}, components: { schemas: components.schemas } }, {
  enumValues: true, emptyObjectsUnknown: true, rootTypes: true, rootTypesNoSchemaPrefix: true, rootTypesKeepCasing: true,
});
const text = `// Generated from openapi.json by make console. Do not edit.\n${astToString(types)}`;
if (!process.argv.includes("--check")) await writeFile(file, text);
else if (text !== await readFile(file, "utf8")) {
  console.error("src/openapi.ts does not match openapi.json: run make console");
  process.exit(1);
}
