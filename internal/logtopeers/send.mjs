// Sends messages with Logto's HTTP email connector. Standard input: one JSON
// object {config, messages}. Standard output: for each message a line, {"ok":true}
// or {"error": what Logto would show its caller}.
import createConnector from '@logto/connector-http-email';
import { text } from 'node:stream/consumers';

const { config, messages } = JSON.parse(await text(process.stdin));
const connector = await createConnector({ getConfig: async () => config });

for (const message of messages) {
  try {
    await connector.sendMessage(message);
    console.log(JSON.stringify({ ok: true }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.data?.message ?? error.data ?? error) }));
  }
}
