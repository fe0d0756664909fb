// Sends messages with Logto's own Aliyun Direct Mail connector, whose calls end
// here instead of at Aliyun. Standard input: a JSON object {config,
// emailTemplates, fallbackLanguage, type, payload} a line. Standard output: for
// each a line {"form": what Aliyun would have been sent}, or {"error": its code}.
import { createServer, request } from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';

let form;
const aliyun = createServer(async (req, res) => {
  let body = '';
  for await (const chunk of req) body += chunk;
  form = Object.fromEntries(new URLSearchParams(body));
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify({ EnvId: 'env', RequestId: 'request' }));
});
await new Promise((resolve) => aliyun.listen(0, '127.0.0.1', resolve));
const { port } = aliyun.address();
https.request = (_url, options, callback) =>
  request(`http://127.0.0.1:${port}/`, { method: options.method, headers: options.headers }, callback);

const { default: createConnector } = await import('@logto/connector-aliyun-dm');

// This is in Logto's core, which is in no package: the rule is written down again.
const emailTemplate = (list, fallbackLanguage) => async (type, languageTag) => {
  const find = (type, tag) => list.find((t) => t.templateType === type && t.languageTag === tag)?.details;
  return (
    (languageTag ? find(type, languageTag) : undefined) ?? find(type, fallbackLanguage) ?? find('Generic', fallbackLanguage)
  );
};

for await (const line of createInterface({ input: process.stdin })) {
  const { config, emailTemplates, fallbackLanguage, type, payload } = JSON.parse(line);
  form = undefined;
  try {
    const connector = await createConnector({
      getConfig: async () => config,
      getI18nEmailTemplate: emailTemplate(emailTemplates, fallbackLanguage),
    });
    await connector.sendMessage({ to: 'user@example.com', type, payload });
    console.log(JSON.stringify({ form }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.code ?? error.name) }));
  }
}
aliyun.close();
aliyun.closeAllConnections();
