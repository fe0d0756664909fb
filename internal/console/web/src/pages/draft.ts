// The draft of a connector's config, shared by the form, the JSON editor and the
// templates.
import { useEffect, useState } from "preact/hooks";
import { factory, send, type Config, type Faults, type Validation } from "../api";
import { schema } from "./json-assist";
import { inOrder, parseObject } from "./jsonschema";

export const mask = "***";

/** The config of a new connector. */
export const blank: Config = { accessKeyId: "", accessKeySecret: "", regionId: "cn-hangzhou", accountName: "", fromAlias: "", templates: "builtin" };

export interface Draft {
  /** The JSON editor's text. */
  text: string;
  /** The last valid JSON. */
  config: Config;
  /** The text is not a JSON object. */
  broken: boolean;
}

export function draftOf(config: Config): Draft {
  const ordered = inOrder(config, schema) as Config;
  return { config: ordered, text: textOf(ordered), broken: false };
}

export function textOf(config: Config): string {
  return JSON.stringify(config, null, 2);
}

/** Returns the draft with another text, which may be invalid. */
export function withText(draft: Draft, text: string): Draft {
  const config = parseObject(text);
  return config ? { text, config, broken: false } : { ...draft, text, broken: true };
}

/** Sets the value at a path; undefined and "" remove it, and a group left empty. */
export function withValue(config: Config, path: [string] | [string, string], value: unknown): Config {
  const [key, inner] = path;
  if (inner === undefined) return put(config, key, value);
  const group = put(objectAt(config, key), inner, value);
  return put(config, key, Object.keys(group).length ? group : undefined);
}

function put(object: Record<string, unknown>, key: string, value: unknown): Record<string, unknown> {
  const rest = { ...object };
  if (value === undefined || value === "") delete rest[key];
  else rest[key] = value;
  return rest;
}

export function objectAt(config: Config, key: string): Record<string, unknown> {
  const value = config[key];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function textAt(object: Record<string, unknown>, key: string): string {
  const value = object[key];
  return typeof value === "string" ? value : "";
}

/** A canonical text: the order of keys and empty values do not matter. */
function meaning(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => {
    if (typeof v !== "object" || v === null || Array.isArray(v)) return v;
    return Object.fromEntries(Object.entries(v).filter(([, child]) => child !== "" && child !== null).sort(([a], [b]) => (a < b ? -1 : 1)));
  }) ?? "";
}

export function sameMeaning(a: unknown, b: unknown): boolean {
  return meaning(a) === meaning(b);
}

export function changedKeys(from: Config, to: Config): string[] {
  const keys = Object.keys(inOrder({ ...from, ...to }, schema) as Config);
  return keys.filter((key) => !sameMeaning(from[key] ?? "", to[key] ?? ""));
}

/** Applies the draft's changes to a newer config, and returns the keys changed differently on both sides. */
export function rebased(draft: Config, base: Config, newer: Config): { config: Config; contested: string[] } {
  const mine = changedKeys(base, draft);
  let config: Config = { ...newer };
  for (const key of mine) config = put(config, key, draft[key]);
  const contested = changedKeys(base, newer).filter((key) => mine.includes(key) && !sameMeaning(draft[key] ?? "", newer[key] ?? ""));
  return { config, contested };
}

/** Misspelt secrets count as well, as in the service. */
export function isSecret(key: string): boolean {
  return /secret|token|password/i.test(key);
}

/** Removes masks, for a copy that has no secrets yet. */
export function withoutMasks(config: Config): Config {
  const kept = Object.entries(config).filter(([key, value]) => !(isSecret(key) && value === mask));
  return { accessKeySecret: "", ...Object.fromEntries(kept) };
}

/** Replaces secrets by a placeholder for display. */
export function withSecretsHidden(config: Config, words: string): Config {
  const shown = Object.entries(config).map(([key, value]) => [key, isSecret(key) && value !== mask && value !== "" ? words : value]);
  return inOrder(Object.fromEntries(shown), schema) as Config;
}

export async function check(config: Config, id: string | undefined, signal?: AbortSignal): Promise<Faults> {
  return (await send<Validation>("POST", `api/connector-factories/${factory}/validate`, id ? { config, id } : { config }, undefined, signal)).data;
}

export interface Checked {
  report: Faults;
  /** Why the draft could not be validated. */
  failed?: unknown;
}

/** Validates the config when editing pauses. */
export function useChecks(config: Config, id: string | undefined, skip: boolean, first: Faults): [Checked, (report: Faults) => void] {
  const [checked, setChecked] = useState<Checked>({ report: first });
  useEffect(() => {
    if (skip) return;
    const gone = new AbortController();
    const wait = setTimeout(() => {
      check(config, id, gone.signal).then(
        (report) => gone.signal.aborted || setChecked({ report }),
        (failed) => gone.signal.aborted || setChecked((old) => ({ ...old, failed })),
      );
    }, 400);
    return () => {
      clearTimeout(wait);
      gone.abort();
    };
  }, [config, id, skip]);
  return [checked, (report) => setChecked({ report })];
}
