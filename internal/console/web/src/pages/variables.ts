// The variables of a template, and what a recorded flow of Logto sends.
import flows, { type Flow } from "virtual:flows";
import { type Template, type UsageType, usageTypeValues } from "../api";

export type Payload = Record<string, unknown>;

export function flowsFor(usageType: string): { fitting: Flow[]; others: Flow[] } {
  const type = usageType === "Test" ? "Generic" : usageType;
  return { fitting: flows.filter((f) => f.type === type), others: flows.filter((f) => f.type !== type) };
}

/** The plainest flow of a type has the shortest name. */
export function plainFlow(usageType: string): Flow {
  const { fitting, others } = flowsFor(usageType);
  return [...fitting].sort((a, b) => a.id.length - b.id.length)[0] ?? others[0]!;
}

export function flowById(id: string): Flow | undefined {
  return flows.find((f) => f.id === id);
}

/** All leaf values by their dotted path. */
export function flatten(value: unknown, path = ""): [string, unknown][] {
  if (value === null || typeof value !== "object") return path ? [[path, value]] : [];
  return Object.entries(value).flatMap(([key, inner]) => flatten(inner, path ? `${path}.${key}` : key));
}

/** A copy of the payload with another value at the path. */
export function withValue(payload: Payload, path: string, value: unknown): Payload {
  const [first, ...rest] = path.split(".");
  if (first === undefined) return payload;
  if (rest.length === 0) return { ...payload, [first]: value };
  const inner = payload[first];
  if (Array.isArray(inner)) {
    return { ...payload, [first]: inner.map((v, i) => (String(i) !== rest[0] ? v : rest.length > 1 ? withValue(v as Payload, rest.slice(1).join("."), value) : value)) };
  }
  return { ...payload, [first]: withValue((inner ?? {}) as Payload, rest.join("."), value) };
}

/** Parses typed text to the type that the value had. */
export function typed(text: string, before: unknown): unknown {
  if (typeof before === "string") return text;
  if (before === null && text === "") return null;
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" ? text : value;
  } catch {
    return text;
  }
}

/** A value as the mail would show it, for tooltips and lists. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export type Found = { state: "sent"; value: unknown } | { state: "unsent" } | { state: "partly"; sent: string };

/** Looks up a variable in the payload, by the service's rules. */
export function look(payload: Payload, name: string): Found {
  const [first = "", ...rest] = name.split(".");
  if (!Object.hasOwn(payload, first)) return { state: "unsent" };
  let value = payload[first];
  for (const key of rest) {
    const text = typeof value === "string" || Array.isArray(value);
    if (text && key === "length") {
      value = (value as string | unknown[]).length;
      continue;
    }
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) return { state: "partly", sent: first };
    value = (value as Payload)[key];
  }
  return { state: "sent", value };
}

export interface Placeholder {
  name: string;
  kind: "" | "#" | "^" | "/";
  from: number;
  to: number;
  /** Inside a section that is left out if the variable is missing. */
  guarded: boolean;
}

const written = /\{\{\s*([#^/]?)\s*([A-Za-z0-9_.]+)\s*\}\}|<<code>>/g;

export function placeholders(text: string): Placeholder[] {
  const open: { name: string; kind: string }[] = [];
  return Array.from(text.matchAll(written), (m) => {
    const kind = (m[1] ?? "") as Placeholder["kind"];
    const name = m[2] ?? "code";
    const root = name.split(".")[0];
    const guarded = open.some((s) => s.kind === "#" && s.name.split(".")[0] === root);
    if (kind === "#" || kind === "^") open.push({ name, kind });
    if (kind === "/" && open.at(-1)?.name === name) open.pop();
    return { name, kind, from: m.index, to: m.index + m[0].length, guarded };
  });
}

/** The distinct variables of the template that the payload lacks. */
export function unsent(template: Template, payload: Payload): string[] {
  const fields = [template.subject, template.content, template.text, template.sendFrom, template.replyTo];
  const names = fields.flatMap((f) => placeholders(f ?? ""))
    .filter((p) => p.kind === "" && !p.guarded && look(payload, p.name).state === "unsent")
    .map((p) => p.name);
  return [...new Set(names)];
}

const section = /\{\{\s*([#^])\s*([A-Za-z0-9_.]+)\s*\}\}((?:(?!\{\{\s*[#^/])[^])*)\{\{\s*\/\s*\2\s*\}\}/;

function present(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/**
 * A line roughly as recipients see it, for lists. The exact preview comes from the
 * service.
 */
export function sketch(line: string, payload: Payload): string {
  const valueOf = (name: string) => {
    const found = look(payload, name);
    return found.state === "sent" ? found.value : undefined;
  };
  let text = line;
  for (let m = section.exec(text); m; m = section.exec(text)) {
    const [whole, kind, name, inner] = m as unknown as [string, string, string, string];
    text = text.replace(whole, () => (present(valueOf(name)) === (kind === "#") ? inner : ""));
  }
  return text.replace(written, (whole, kind: string, name = "code") => {
    if (kind) return whole;
    const found = look(payload, name);
    return found.state === "unsent" ? whole : found.state === "partly" ? "" : shown(found.value);
  }).trim();
}

const person = ["id", "name", "username", "primaryEmail", "primaryPhone", "avatar", "profile.givenName", "profile.familyName", "profile.nickname", "profile.locale"];
const branding = ["branding.logoUrl", "branding.darkLogoUrl", "branding.favicon", "branding.darkFavicon"];
const below = (root: string, names: string[]) => names.map((name) => `${root}.${name}`);
const application = below("application", ["id", "name", "displayName", ...branding]);
const organization = below("organization", ["id", "name", ...branding]);

const signing = ["code", "locale", "uiLocales", ...application, ...organization];
const documentedFor: Record<UsageType, string[]> = {
  SignIn: signing,
  Register: signing,
  ForgotPassword: signing,
  MfaVerification: ["code", "locale", ...application],
  BindMfa: ["code", "locale", "uiLocales", ...application, ...below("user", person)],
  UserPermissionValidation: ["code", "locale", ...application, ...below("user", person)],
  BindNewIdentifier: ["code", "locale", ...application, ...below("user", person)],
  OrganizationInvitation: [...organization, ...below("inviter", person), "link", "code", "locale"],
  // Used for every type without a template.
  Generic: [...signing, ...below("user", person), ...below("inviter", person), "link"],
};

/** The variables that docs/templates.md lists for a usage type. */
export function documented(usageType: string): string[] {
  return documentedFor[usageTypeValues.find((type) => type === usageType) ?? "Generic"];
}
