// The environment of the end-to-end tests: the real program with its sandbox, and a
// real Chromium.
import { spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { chromium } from "playwright-core";

export const adminToken = "admin-token-of-the-tests-5d0c9e27b1";
export const sendToken = "send-token-of-the-tests-5d0c9e27b1";

const program = process.env.DMCONNECTOR;
if (!program) throw new Error("DMCONNECTOR must name the program: run make e2e");

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Makes a request without keep-alive, as the program waits for idle connections when it stops. */
function ask(url, options = {}) {
  return fetch(url, { ...options, headers: { ...options.headers, Connection: "close" } });
}

/** Starts the program with its sandbox; flags come on top. */
export async function startService(...flags) {
  const [port, sandboxPort] = [await freePort(), await freePort()];
  const child = spawn(program, ["serve", "--sandbox", "--listen", `127.0.0.1:${port}`, "--sandbox-listen", `127.0.0.1:${sandboxPort}`,
    "--admin-token", adminToken, "--send-token", sendToken, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (data) => { log += data; });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const url = `http://127.0.0.1:${port}/`;
  for (const begun = Date.now(); ; await pause(50)) {
    if (child.exitCode !== null || Date.now() - begun > 20_000) throw new Error(`the program did not start: ${log}`);
    if (await ask(`${url}readyz`).then((r) => r.ok, () => false)) break;
  }
  return {
    url,
    sandbox: `http://127.0.0.1:${sandboxPort}/`,
    log: () => log,
    /** Calls the API as an admin does with a token. */
    async admin(method, path, body, headers = {}) {
      const response = await ask(url + path, {
        method, body: body && JSON.stringify(body), headers: { Authorization: `Bearer ${adminToken}`, "Content-Type": "application/json", ...headers },
      });
      const text = await response.text();
      return { status: response.status, data: text && JSON.parse(text) };
    },
    /** Sends a code as Logto does. */
    async send(to, type = "SignIn", payload = { code: "123456", locale: "en" }) {
      const response = await ask(`${url}api/send`, {
        method: "POST", body: JSON.stringify({ to, type, payload }), headers: { Authorization: `Bearer ${sendToken}`, "Content-Type": "application/json" },
      });
      return response.json();
    },
    /** Sends a code through one connector, as an admin does. */
    async sendThrough(connector, to, type = "SignIn", payload = { code: "123456", locale: "en" }) {
      const response = await ask(`${url}api/connectors/${connector}/send`, {
        method: "POST", body: JSON.stringify({ to, type, payload }), headers: { Authorization: `Bearer ${sendToken}`, "Content-Type": "application/json" },
      });
      return response.json();
    },
    /** Returns the newest mail for an address, waiting for the first one. */
    async latestMail(to) {
      const response = await ask(`http://127.0.0.1:${sandboxPort}/inbox/${to}/latest?wait=10s`);
      return response.json();
    },
    async faults(list) {
      const response = await ask(`http://127.0.0.1:${sandboxPort}/faults`, { method: "PUT", body: JSON.stringify(list), headers: { "Content-Type": "application/json" } });
      if (!response.ok) throw new Error(`faults: ${response.status} ${await response.text()}`);
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Waits between two looks at a condition; never instead of one. */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/**
 * Opens a page that fails the test if it asks anybody but the service, breaks the
 * content policy, or has a script error.
 */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ locale: "en-US", colorScheme: "light", viewport: { width: 1360, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`script error: ${error}`));
  page.on("console", (message) => {
    if (/Content.Security.Policy/i.test(message.text())) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob|about):/.test(request.url())) complaints.push(`asked ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    if (dialog.type() !== "alert") return;
    complaints.push(`an alert: ${dialog.message()}`);
    dialog.dismiss().catch(() => undefined); // otherwise the page blocks
  });
  await page.goto(url);
  return { page, context, complaints };
}

export async function signIn(page, token = adminToken) {
  await page.getByLabel("Admin token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Returns what axe-core finds serious or worse, in a form to read. */
export async function seriousFindings(page) {
  // It is put in by the browser's tools, which the page's policy does not bind.
  const client = await page.context().newCDPSession(page);
  await client.send("Runtime.evaluate", { expression: axe });
  const { result } = await client.send("Runtime.evaluate", {
    // Frames hold mails, which no script gets into: axe would wait for their answer.
    expression: "axe.run(document, { iframes: false, resultTypes: ['violations'] }).then((r) => JSON.stringify(r.violations))", awaitPromise: true,
  });
  await client.detach();
  return JSON.parse(result.value)
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 5).join("; ")}`);
}

const pictures = new URL("../../../../docs/screenshots/", import.meta.url);

/** Keeps a picture of the page for the docs, if the run is asked to. */
export async function picture(page, name) {
  if (!process.env.SCREENSHOTS) return;
  await mkdir(pictures, { recursive: true });
  await page.screenshot({ path: new URL(`${name}.png`, pictures).pathname, animations: "disabled" });
}
