// Renders templates with Logto's connector-kit. Standard input: a JSON object
// {template, payload} a line. Standard output: the rendered text as a JSON string
// a line.
import { replaceSendMessageHandlebars } from '@logto/connector-kit';
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: process.stdin })) {
  const { template, payload } = JSON.parse(line);
  console.log(JSON.stringify(replaceSendMessageHandlebars(template, payload)));
}
