// The admin API as the page uses it: docs/api.md describes it.

export interface FieldProblem {
  /** JSON pointer into the request. */
  pointer: string;
  detail: string;
  /** Line in the text that the pointer names, counted from 1. */
  line?: number;
}

/** An answer that is not what was asked for. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly errors: FieldProblem[] = [],
    readonly incident = "",
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

/** Calls the listener when an answer says that the session has ended. */
export function onSignedOut(listener: Listener): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

/** Tells all listeners that the session has ended. */
export function reportSignedOut(): void {
  for (const listener of signedOut) listener();
}

export async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
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
  const problem = await problemOf(response);
  if (response.status === 401 && path !== "api/session") reportSignedOut();
  throw problem;
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = await response.json();
  } catch {
    // Not every proxy in between speaks JSON.
  }
  const text = (key: string) => (typeof body[key] === "string" ? (body[key] as string) : "");
  return new Problem(
    response.status,
    text("code") || String(response.status),
    text("message") || text("title") || response.statusText,
    Array.isArray(body.errors) ? (body.errors as FieldProblem[]) : [],
    text("incident"),
  );
}

export async function send<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal): Promise<Answer<T>> {
  const response = await call(method, path, body, headers, signal);
  const text = await response.text();
  return { data: (text ? JSON.parse(text) : undefined) as T, etag: response.headers.get("ETag") };
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await send<T>("GET", path, undefined, undefined, signal)).data;
}

/** Reads server-sent events from the answer of a POST, which EventSource cannot. */
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

export interface Session {
  actor: string;
  expiresAt: string;
  sandbox: boolean;
  version: string;
  state: string;
}

export const usageTypes = [
  "SignIn", "Register", "ForgotPassword", "Generic", "OrganizationInvitation",
  "UserPermissionValidation", "BindNewIdentifier", "MfaVerification", "BindMfa",
] as const;

export interface Template {
  usageType: string;
  languageTag?: string;
  subject: string;
  content: string;
  contentType?: string;
  text?: string;
  replyTo?: string;
  sendFrom?: string;
  escape?: string;
}

export interface Config {
  accessKeyId?: string;
  accessKeySecret?: string;
  accountName?: string;
  fromAlias?: string;
  regionId?: string;
  endpoint?: string;
  templates?: Template[] | "builtin";
  [key: string]: unknown;
}

export interface ConnectorStatus {
  source: "file" | "state";
  readOnly: boolean;
  inForce: boolean;
  version?: number;
  problems?: FieldProblem[];
  warnings?: FieldProblem[];
}

export interface Connector {
  id: string;
  connectorId: string;
  config: Config;
  metadata: Record<string, unknown>;
  dmconnector: ConnectorStatus;
}

export interface EmailTemplate {
  id: string;
  languageTag: string;
  templateType: string;
  details: { subject: string; content: string; contentType?: string; text?: string; replyTo?: string; sendFrom?: string };
  createdAt?: number;
}

export interface TemplateTrace {
  template: number;
  emailTemplate?: string;
  usageType: string;
  languageTag?: string;
  choice?: string[];
  missing?: string[];
  notes?: string[];
}

export interface Attempt {
  at: string;
  milliseconds?: number;
  pending?: boolean;
  error?: string;
}

export interface Report {
  id: string;
  outcome: string;
  recipient: string;
  detail?: string;
  limits?: { limit: string; rate: string; usedUp?: boolean }[];
  template?: TemplateTrace;
  attempts?: Attempt[];
  receipt?: { envId: string; requestId: string };
  error?: { code: string; message?: string; status?: number; title?: string; errors?: FieldProblem[] };
}

export interface Message {
  id: string;
  connector: string;
  type: string;
  mode: string;
  state: string;
  code?: string;
  recipient: string;
  attempts: number;
  createdAt: string;
  updatedAt: string;
  expiresAt: string;
  dueAt?: string;
  retryable: boolean;
  report?: Report;
}

export interface MessagePage {
  messages: Message[];
  next?: string;
}

export interface Preview {
  to: string;
  accountName: string;
  fromAlias?: string;
  replyAddress?: string;
  tagName?: string;
  subject: string;
  html?: string;
  text?: string;
  template: TemplateTrace;
}

export interface Statistics {
  since: string;
  until: string;
  step: number;
  complete: boolean;
  /** Where not complete: from when on all are counted. */
  covered?: { since: string };
  series: { connector: string; type: string; state: string; counts: number[] }[];
  latency: ({ p50: number; p95: number; max: number } | null)[];
}

export interface Mail {
  id: string;
  receivedAt: string;
  to: string;
  from: string;
  fromAlias: string;
  replyAddress: string;
  tagName: string;
  subject: string;
  html: string;
  text: string;
  code: string;
  envId: string;
}

export const factory = "aliyun-direct-mail";
