// In what state a connector is, told from its newest messages.
import { get, type Connector, type Message, type MessagePage } from "../api";

export type State =
  | { kind: "working" | "refused" | "undecided"; message: Message }
  | { kind: "unused" | "idle" };

const refusals = ["provider_rejected", "quota_exhausted"];

/** What Aliyun said last counts. What was never asked of it, such as a limit of ours, says nothing. */
export function stateOf(messages: Message[]): State {
  for (const message of messages) {
    if (message.state === "sent") return { kind: "working", message };
    if (refusals.includes(message.code ?? "")) return { kind: "refused", message };
  }
  const [newest] = messages;
  return newest ? { kind: "undecided", message: newest } : { kind: "unused" };
}

export async function loadState(connector: Connector, signal: AbortSignal): Promise<State> {
  if (!connector.dmconnector.inForce) return { kind: "idle" };
  const page = await get<MessagePage>(`api/messages?connector=${encodeURIComponent(connector.id)}&limit=20`, signal);
  return stateOf(page.messages);
}
