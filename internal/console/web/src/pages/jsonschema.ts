// The part of JSON Schema that the connector's editor needs.
export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  maxLength?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
}

export type Path = (string | number)[];

/** The pointer's parts, unescaped: "/templates/0/subject" is ["templates", "0", "subject"]. */
export function pointerPath(pointer: string): string[] {
  return pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function pointerOf(path: Path): string {
  return path.map((part) => "/" + String(part).replaceAll("~", "~0").replaceAll("/", "~1")).join("");
}

/** Resolves the schema's reference. Keywords beside a reference take precedence. */
function followed(schema: Schema, root: Schema): Schema {
  if (!schema.$ref) return schema;
  const name = schema.$ref.replace("#/$defs/", "");
  return { ...followed(root.$defs?.[name] ?? {}, root), ...schema, $ref: undefined };
}

/** Returns the alternatives of a schema. */
function choices(schema: Schema, root: Schema): Schema[] {
  const whole = followed(schema, root);
  const parts = whole.oneOf ?? whole.anyOf;
  if (!parts) return [whole];
  return parts.flatMap((part) => choices(part, root)).map((part) => ({ description: whole.description, ...part }));
}

/** Returns the schemas for the value at a path, none if the path is unknown. */
export function schemasAt(root: Schema, path: Path): Schema[] {
  let schemas = choices(root, root);
  for (const part of path) {
    schemas = schemas.flatMap((schema) => {
      const child = childOf(schema, part);
      return child ? choices(child, root) : [];
    });
  }
  return schemas;
}

function childOf(schema: Schema, part: string | number): Schema | undefined {
  if (typeof part === "number") return schema.items;
  const named = Object.hasOwn(schema.properties ?? {}, part) ? schema.properties![part] : undefined;
  if (named) return named;
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

/** Returns the distinct values that the schemas list, without the empty one. */
export function valuesOf(schemas: Schema[]): unknown[] {
  const all = schemas.flatMap((s) => [
    ...(s.const === undefined ? [] : [s.const]), ...(s.default === undefined ? [] : [s.default]),
    ...(s.enum ?? []), ...(s.examples ?? []), ...(s.type === "boolean" ? [true, false] : []),
  ]);
  const seen = new Set<string>();
  return all.filter((value) => {
    const text = JSON.stringify(value);
    if (value === "" || seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

/** Parses a JSON object, or returns null. */
export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Returns the value with its keys in the schema's order, unknown ones last. */
export function inOrder(value: unknown, root: Schema, path: Path = []): unknown {
  if (Array.isArray(value)) return value.map((item, i) => inOrder(item, root, [...path, i]));
  if (typeof value !== "object" || value === null) return value;
  const known = schemasAt(root, path).flatMap((s) => Object.keys(s.properties ?? {}));
  const keys = Object.keys(value);
  const sorted = [...known.filter((key) => keys.includes(key)), ...keys.filter((key) => !known.includes(key))];
  const entries = sorted.map((key) => [key, inOrder((value as Record<string, unknown>)[key], root, [...path, key])]);
  return Object.fromEntries(entries);
}
