// Calls a management API with Logto's own client, which asks for its token first.
// Standard input: one JSON object {baseUrl, clientId, clientSecret, calls}, a call
// being {method, path, params, body}. Standard output: for each call a line
// {status, data} or {status, error}.
import { createManagementApi } from '@logto/api/management';
import { readFileSync } from 'node:fs';

const { baseUrl, clientId, clientSecret, calls } = JSON.parse(readFileSync(0, 'utf8'));
const { apiClient } = createManagementApi('default', {
  clientId,
  clientSecret,
  baseUrl,
  apiIndicator: 'https://default.logto.app/api',
});

for (const { method, path, ...init } of calls) {
  const { response, data, error } = await apiClient[method](path, init);
  console.log(JSON.stringify({ status: response.status, data, error }));
}
