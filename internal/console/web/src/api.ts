// The admin API as the page uses it: docs/api.md describes it.
import type { Connector, Fault, Problem as ProblemDetails, ProblemCode, Validation } from "./openapi";

export * from "./openapi";

/** A failed request. The code is "" if a proxy in between answered. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: ProblemCode | "unreachable" | "",
    message: string,
    readonly errors: Fault[] = [],
  ) {
    super(message);
  }
}

export interface Answer<T> {
  data: T;
  etag: string | null;
}

type Listener = () => void;
const signedOut = new Set<Listener>();

/** Calls the listener when the session has ended. */
export function onSignedOut(listener: Listener): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

/** Tells all listeners that the session has ended. */
export function reportSignedOut(): void {
  for (const listener of signedOut) listener();
}

// A page that was left open must not keep its session from ending, so requests without
// a person are marked.
const presence = 60_000;
let used = Date.now();
for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  globalThis.addEventListener?.(kind, () => { used = Date.now(); }, { capture: true, passive: true });
}

export async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  if (Date.now() - used > presence) headers = { ...headers, "Dmconnector-Background": "1" };
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Problem(0, "unreachable", "the service does not answer");
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "api/session") reportSignedOut();
  const ours = response.headers.get("Content-Type") === "application/problem+json";
  const { code, message, title, errors }: Partial<ProblemDetails> = ours ? await response.json() : {};
  throw new Problem(response.status, code ?? "", message ?? title ?? (response.statusText || String(response.status)), errors);
}

export async function send<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal): Promise<Answer<T>> {
  const response = await call(method, path, body, headers, signal);
  const text = await response.text();
  return { data: (text ? JSON.parse(text) : undefined) as T, etag: response.headers.get("ETag") };
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await send<T>("GET", path, undefined, undefined, signal)).data;
}

/** Reads server-sent events from the response to a POST, which EventSource cannot. */
export async function* events(method: string, path: string, body: unknown, signal?: AbortSignal): AsyncGenerator<{ event: string; data: unknown }> {
  const response = await call(method, path, body, { Accept: "text/event-stream" }, signal);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (waiting + value).split("\n\n");
    waiting = blocks.pop()!;
    for (const block of blocks) {
      const lines = block.split("\n");
      const event = lines.find((l) => l.startsWith("event:"))?.slice(6).trim();
      const data = lines.filter((l) => l.startsWith("data:")).map((l) => l.slice(5)).join("\n");
      if (event && data) yield { event, data: JSON.parse(data) };
    }
  }
}

/** A connector's JSON. A draft may be invalid: check a value's type before use. */
export type Config = Connector["config"];

/** What the service finds wrong with a config. */
export type Faults = Pick<Validation, "errors" | "warnings">;

export const factory = "aliyun-direct-mail";
