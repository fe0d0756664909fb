// A connector's state, derived from its newest messages.
import { get, type Connector, type Message, type MessagePage } from "../api";

export type State =
  | { kind: "working" | "refused" | "undecided"; message: Message }
  | { kind: "unused" | "idle" };

const refusals = ["provider_rejected", "quota_exhausted"];

/** Aliyun's last answer decides. Messages that never reached it say nothing. */
export function stateOf(messages: Message[]): State {
  for (const message of messages) {
    if (message.state === "sent") return { kind: "working", message };
    if (refusals.includes(message.code ?? "")) return { kind: "refused", message };
  }
  const [newest] = messages;
  return newest ? { kind: "undecided", message: newest } : { kind: "unused" };
}

export async function loadState(connector: Connector, signal: AbortSignal): Promise<State> {
  if (!connector.dmconnector.active) return { kind: "idle" };
  const page = await get<MessagePage>(`api/messages?connector=${encodeURIComponent(connector.id)}&limit=20`, signal);
  return stateOf(page.messages);
}
