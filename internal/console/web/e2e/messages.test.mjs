// Test mails, what became of messages, and the sandbox's inbox.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { adminToken, openPage, picture, sendToken, seriousFindings, signIn, startBrowser, startService } from "./setup.mjs";

let folder, service, browser;
before(async () => {
  // Only a state that lasts queues messages.
  folder = await mkdtemp(join(tmpdir(), "dmconnector-e2e-"));
  service = await startService("--data", folder, "--state", `sqlite:${folder}/state.db`);
  const made = await service.admin("POST", "api/connectors", {
    id: "shop", connectorId: "aliyun-direct-mail",
    config: { accessKeyId: "shop-key", accessKeySecret: "shop-secret", accountName: "no-reply@shop.example.com", fromAlias: "Example Shop", templates: "builtin" },
  });
  assert.equal(made.status, 200);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await service?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Opens a page of the console, signed in. */
async function open(hash, options) {
  const opened = await openPage(browser, service.url, options);
  await opened.page.locator("input[type=password]").fill(adminToken);
  await opened.page.locator("input[type=password]").press("Enter");
  await opened.page.locator("#main h1").waitFor();
  await opened.page.goto(service.url + hash);
  return opened;
}

/** Closes what open opened, if there was nothing to complain of. */
async function close({ context, complaints }) {
  assert.deepEqual(complaints, []);
  await context.close();
}

/** Sends as Logto does, through a connector, and returns the answer. */
async function deliver(connector, to, { type = "SignIn", payload = { code: "123456", locale: "en" }, headers = {} } = {}) {
  const response = await fetch(`${service.url}api/connectors/${connector}/send`, {
    method: "POST", body: JSON.stringify({ to, type, payload }), headers: { Authorization: `Bearer ${sendToken}`, "Content-Type": "application/json", ...headers },
  });
  const { id, incident } = await response.json();
  return { status: response.status, id: id ?? incident };
}

/** Asks for a message until it is in the state. */
async function reaches(id, state) {
  for (const begun = Date.now(); ;) {
    const { data } = await service.admin("GET", `api/messages/${id}`);
    if (data.state === state) return data;
    assert.ok(Date.now() - begun < 10_000, `message ${id} is ${data.state}, not ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function noFaults() {
  await fetch(`${service.sandbox}faults`, { method: "DELETE" });
}

/** Waits until colours have faded into each other. */
function animationsEnded(page) {
  return page.evaluate(async () => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const ending = document.getAnimations().filter((a) => a.effect?.getTiming().iterations !== Infinity);
    await Promise.allSettled(ending.map((a) => a.finished));
  });
}

/** Nothing serious for axe-core and nothing wider than the screen, in every look. */
async function looksRight(page, shot) {
  const size = page.viewportSize();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await animationsEnded(page);
    if (shot) await picture(page, `${shot}-${colorScheme}`);
    assert.deepEqual(await seriousFindings(page), [], colorScheme);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  assert.deepEqual(await seriousFindings(page), [], "360 px");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360, "the page scrolls sideways at 360 px");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
}

/** Fills in the form of a test mail and sends it. */
async function sendTest(page, to, { type = "SignIn", language = "en" } = {}) {
  await page.getByLabel("Send to").fill(to);
  await page.getByLabel("Usage type").selectOption(type);
  await page.getByLabel("Recipient's language").selectOption(language);
  await page.getByRole("button", { name: "Send test mail" }).click();
}

const rows = (page) => page.locator("table.message-list tbody tr");

test("an empty inbox says how to fill it", async () => {
  const opened = await open("#/inbox", { permissions: ["clipboard-read", "clipboard-write"] });
  const { page } = opened;
  await page.getByRole("heading", { name: "No mail yet" }).waitFor();
  await looksRight(page);
  await page.getByRole("button", { name: "Copy the command" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(command.includes(`-X POST ${service.url}api/send `), command);
  await close(opened);
});

test("a test mail shows its steps as they happen, and is in the inbox and in the messages", async () => {
  const opened = await open("#/connectors/shop/test", { permissions: ["clipboard-read", "clipboard-write"] });
  const { page } = opened;
  await service.faults([{ fault: "hang", to: "hanako@example.com" }]);
  await sendTest(page, "hanako@example.com", { type: "Register", language: "ja" });
  const steps = page.getByRole("list", { name: "Progress" }).locator("> li");
  const attempt = steps.filter({ hasText: "Attempt 1" });
  await attempt.filter({ hasText: "(in progress)" }).waitFor();
  assert.match(await steps.filter({ hasText: "Template chosen" }).innerText(), /Sign-up · Japanese \(ja\)/);
  assert.equal(await page.getByText("Accepted by Aliyun").count(), 0);
  await noFaults();
  await steps.filter({ hasText: "Accepted by Aliyun" }).waitFor();
  await attempt.filter({ hasText: "(done)" }).waitFor();
  const ids = await page.locator("dl.ids dd code").allInnerTexts();
  assert.equal(ids.length, 2);
  const found = await fetch(`${service.sandbox}inbox/hanako@example.com/latest`).then((r) => r.json());
  assert.deepEqual(ids, [found.envId, found.requestId]);
  await page.getByRole("link", { name: "Open in the inbox" }).waitFor();
  await page.locator(".facts").getByText("Working").waitFor(); // told anew
  await looksRight(page, "test-mail");

  await page.getByRole("link", { name: "Open in the inbox" }).click();
  const mail = page.locator("article.mail");
  await mail.getByRole("heading", { name: found.subject }).waitFor();
  const frame = page.frameLocator("iframe");
  await frame.getByText(found.code, { exact: true }).first().waitFor();
  await mail.getByRole("button", { name: found.code }).click();
  await mail.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), found.code);
  await mail.getByRole("button", { name: "Text", exact: true }).click();
  await mail.locator("pre.mail-text").filter({ hasText: found.code }).waitFor();

  await page.goBack();
  await page.getByRole("heading", { name: "shop" }).waitFor();
  await page.goto(`${service.url}#/messages`);
  const row = rows(page).filter({ hasText: "h***@example.com" });
  await row.filter({ hasText: "Sent" }).filter({ hasText: "Sign-up" }).filter({ hasText: "Test" }).waitFor();
  await close(opened);
});

const rejections = [
  { code: "InvalidMailAddress.NotFound", title: "Aliyun does not know the sender address in this region", says: ["cn-hangzhou", "no-reply@shop.example.com", "choose that region in the connector"] },
  { code: "InvalidAccessKeyId.NotFound", title: "Aliyun does not know the access key", says: ["AccessKey ID"] },
  { code: "Forbidden.RAM", title: "The access key has no permission to send mail", says: ["dm:SingleSendMail", "Grant it to the RAM user"] },
  { code: "InvalidQuota", title: "The sending quota is used up", says: ["daily and monthly quota"] },
  { code: "Throttling.User", title: "Too many requests at once", says: ["Wait a moment"] },
];

test("a rejected test mail says what to do", async () => {
  const opened = await open("#/connectors/shop/test");
  const { page } = opened;
  for (const { code, title, says } of rejections) {
    await service.faults([{ fault: "error", code }]);
    await sendTest(page, "wei@example.com");
    const advice = page.getByRole("region", { name: "What to do" });
    await advice.getByRole("heading", { name: title }).waitFor();
    const text = await advice.innerText();
    for (const words of says) assert.ok(text.includes(words), `${code}: ${words} is not in ${text}`);
    const failed = page.getByRole("list", { name: "Progress" }).locator("> li.failed");
    await failed.filter({ hasText: "Not sent" }).waitFor();
    assert.ok(await failed.filter({ hasText: code }).count() > 0, `the attempt does not say ${code}`);
    if (code !== "InvalidMailAddress.NotFound") continue;
    await picture(page, "test-mail-refused-light");
    await looksRight(page);
  }
  await noFaults();
  await close(opened);
});

/** What a shop's afternoon might look like. */
const traffic = [["SignIn", 27], ["Register", 14], ["ForgotPassword", 9], ["Generic", 5], ["MfaVerification", 3], ["BindNewIdentifier", 2]];
const people = ["anna", "bruno", "chen", "daisuke", "elif", "farid", "grace", "hugo", "ines", "jun", "kenji", "lena", "mei", "noor", "olga", "pablo", "quinn", "rosa", "sota", "tariq"];
const bounced = ["anna3@mail.example.com", "chen1@mail.example.com", "mei2@mail.example.com"];
const unclear = ["bruno2@mail.example.com"];

/** Sends it all at once; returns how many of each there are. */
async function sendTraffic(connector) {
  await service.faults([
    ...bounced.map((to) => ({ fault: "error", code: "InvalidToAddress.Spam", to })), ...unclear.map((to) => ({ fault: "broken-json", to })),
    { fault: "delay", duration: "80ms", times: 20 }, { fault: "delay", duration: "160ms", times: 20 }, { fault: "delay", duration: "420ms", times: 6 },
  ]);
  const types = traffic.flatMap(([type, n]) => Array(n).fill(type));
  const answers = await Promise.all(types.map((type, i) =>
    deliver(connector, `${people[i % people.length]}${Math.floor(i / people.length) + 1}@mail.example.com`, { type, payload: { code: String(100_000 + i * 7919 % 900_000), locale: "en" } })));
  await noFaults();
  const count = (status) => answers.filter((a) => a.status === status).length;
  return { all: answers.length, sent: count(200), unknown: count(504), failed: answers.length - count(200) - count(504) };
}

test("the list is live, is filtered and paged, and the charts have the figures", async () => {
  const opened = await open("#/messages?connector=shop");
  const { page } = opened;
  await page.locator(".live").filter({ hasText: "Live" }).waitFor();
  const before = (await service.admin("GET", "api/messages?connector=shop&limit=200")).data.messages;
  // No reload: this goes when the page does.
  await page.evaluate(() => { window.sameDocument = true; });
  await deliver("shop", "zoe@live.example.com");
  await rows(page).filter({ hasText: "z***@live.example.com" }).filter({ hasText: "Sent" }).waitFor();
  assert.equal(await page.evaluate(() => window.sameDocument), true);

  const sums = await sendTraffic("shop");
  assert.deepEqual(sums, { all: 60, sent: 56, unknown: 1, failed: 3 });
  const total = before.length + 1 + sums.all;
  await page.waitForFunction(() => document.querySelectorAll("table.message-list tbody tr").length === 50);
  const newest = await rows(page).locator("a.open").evaluateAll((links) => links.map((a) => a.hash));
  await page.getByRole("link", { name: "Older" }).click();
  await page.getByText("Paused: showing older messages").waitFor();
  await page.waitForFunction((n) => document.querySelectorAll("table.message-list tbody tr").length === n, total - 50);
  const older = await rows(page).locator("a.open").evaluateAll((links) => links.map((a) => a.hash));
  assert.equal(new Set([...newest, ...older]).size, total);
  assert.equal(await page.getByRole("link", { name: "Older" }).count(), 0);
  await page.getByRole("link", { name: "Newest" }).click();
  await page.locator(".live").filter({ hasText: /^Live/ }).waitFor();

  const figures = (await service.admin("GET", "api/messages?connector=shop&limit=200")).data.messages;
  const count = (...states) => figures.filter((m) => states.includes(m.state)).length;
  await page.getByRole("button", { name: "1 hour" }).click();
  await page.waitForFunction((n) => document.querySelector("dl.totals dd")?.textContent === String(n), count("sent"));
  assert.equal(await page.locator(".charts canvas").count(), 2);
  // Drawn: not of one colour.
  for (const canvas of await page.locator(".charts canvas").all()) {
    assert.ok(await canvas.evaluate((c) => new Set(new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer)).size) > 2);
  }
  await page.getByText("As a table").click();
  const byTime = await page.getByRole("region", { name: "As a table" }).locator("tbody tr").evaluateAll((trs) => trs.map((tr) => [...tr.cells].slice(1, 4).map((c) => Number(c.textContent))));
  assert.deepEqual(byTime.reduce((a, b) => a.map((n, i) => n + b[i])), [count("sent"), count("failed"), count("unknown")]);
  const kinds = await page.getByRole("region", { name: "By connector and type" }).locator("tbody tr").evaluateAll((trs) => trs.map((tr) => [...tr.cells].map((c) => c.textContent)));
  const mfa = kinds.find((cells) => cells[1] === "Two-step verification");
  assert.deepEqual(mfa.slice(2), ["3", "3", "0", "0", "0%"]);
  await page.getByText("As a table").click();
  await looksRight(page, "messages");
  await page.setViewportSize({ width: 360, height: 740 });
  await picture(page, "messages-phone");
  await page.setViewportSize({ width: 1360, height: 900 });

  await page.getByLabel("State").selectOption("unknown");
  await rows(page).filter({ hasText: "Unknown" }).filter({ hasText: "b***@mail.example.com" }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll("table.message-list tbody tr").length === 1);
  await page.getByLabel("State").selectOption({ label: "With problems" });
  await page.waitForFunction((n) => document.querySelectorAll("table.message-list tbody tr").length === n, count("failed", "unknown"));
  await page.getByLabel("State").selectOption("sent");
  await page.getByLabel("Usage type").selectOption("BindNewIdentifier");
  await page.waitForFunction(() => document.querySelectorAll("table.message-list tbody tr").length === 2);
  assert.match(page.url(), /state=sent.*type=BindNewIdentifier/);
  await page.getByLabel("Connector", { exact: true }).selectOption("default");
  await page.getByText("No messages match.").waitFor();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.waitForFunction(() => document.querySelectorAll("table.message-list tbody tr").length === 50);
  await close(opened);
});

test("an address is found, and is in no URL and no history", async () => {
  await deliver("shop", "Carol.Search@private.example.com");
  await deliver("shop", "other@private.example.com");
  const opened = await open("#/messages");
  const { page } = opened;
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.getByLabel("Address").fill("carol.search@private.example.com");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("Messages to this address").waitFor();
  await page.waitForFunction(() => document.querySelectorAll("table.message-list tbody tr").length === 1);
  assert.match(await rows(page).innerText(), /^Sent[^]*@private\.example\.com/i);
  asked.push(page.url());
  await page.getByLabel("Usage type").selectOption("SignIn"); // one more step in the history
  await page.getByRole("link", { name: "@private.example.com" }).click();
  await page.getByRole("heading", { name: /^Message to/ }).waitFor();
  const client = await page.context().newCDPSession(page);
  const { entries } = await client.send("Page.getNavigationHistory");
  assert.ok(entries.length >= 3);
  asked.push(...entries.flatMap((e) => [e.url, e.userTypedURL, e.title]));
  assert.ok(asked.some((url) => url.endsWith("api/messages/search")));
  for (const text of [...asked, service.log()]) assert.doesNotMatch(text, /carol/i);
  assert.equal(await page.evaluate(() => JSON.stringify([history.state, { ...localStorage }, { ...sessionStorage }])).then((s) => /carol/i.test(s)), false);
  await close(opened);
});

test("a message's story says what happened and what to do", async () => {
  const payload = { code: "482915", locale: "en" };
  await service.faults([{ fault: "delay", duration: "230ms" }]);
  const sent = await deliver("shop", "grace@story.example.com", { payload });
  await service.faults([{ fault: "error", code: "InvalidSendMail.Spam", to: "rosa@story.example.com" }, { fault: "broken-json", to: "ugo@story.example.com" }]);
  const rejected = await deliver("shop", "rosa@story.example.com", { payload });
  const unknown = await deliver("shop", "ugo@story.example.com", { payload });
  await noFaults();
  const { steps: { receipt } } = await reaches(sent.id, "sent");
  const opened = await open(`#/messages/${sent.id}`);
  const { page } = opened;
  await page.getByRole("heading", { name: "Message to g***@story.example.com" }).waitFor();
  const steps = page.getByRole("list", { name: "What happened" }).locator("> li");
  for (const words of ["Arrived", "Within the rate limits", "Template chosen", "Attempt 1", "Accepted by Aliyun"]) await steps.filter({ hasText: words }).filter({ hasText: "(done)" }).waitFor();
  assert.deepEqual(await page.locator("dl.ids dd code").allInnerTexts(), [receipt.envId, receipt.requestId]);
  assert.equal(await page.getByRole("button", { name: "Send again" }).count(), 0);
  assert.doesNotMatch(await page.content(), /482915|grace@/);
  await looksRight(page, "message");

  await page.goto(`${service.url}#/messages/${rejected.id}`);
  await steps.filter({ hasText: "Not sent" }).filter({ hasText: "content rejected" }).waitFor();
  await page.getByRole("heading", { name: "Aliyun's spam filter rejected the mail" }).waitFor();
  await looksRight(page);
  await page.goto(`${service.url}#/messages/${unknown.id}`);
  await steps.filter({ hasText: "May have been sent" }).waitFor();
  await page.getByRole("heading", { name: "The mail may or may not have been sent" }).waitFor();
  await page.goto(`${service.url}#/messages/01a20fe3-0000-7000-8000-000000000000`);
  await page.getByRole("alert").waitFor();
  await close(opened);
});

test("a dead letter is sent again; an unknown one may arrive twice", async () => {
  const queued = { headers: { Prefer: "respond-async" }, payload: { code: "774411", locale: "en" } };
  await service.faults([{ fault: "error", code: "InvalidToAddress.Spam", to: "dora@dead.example.com" }, { fault: "broken-json", to: "uma@dead.example.com" }]);
  const [dead, unknown] = [await deliver("shop", "dora@dead.example.com", queued), await deliver("shop", "uma@dead.example.com", queued)];
  assert.equal(dead.status, 202);
  await reaches(dead.id, "dead");
  await reaches(unknown.id, "unknown");
  await noFaults();

  const opened = await open(`#/messages/${dead.id}`);
  const { page } = opened;
  await page.getByRole("button", { name: "Send again" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("It goes back to the queue and is sent unchanged").waitFor();
  assert.deepEqual(await seriousFindings(page), []);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await service.admin("GET", `api/messages/${dead.id}`)).data.state, "dead");
  await page.getByRole("button", { name: "Send again" }).click();
  await dialog.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("list", { name: "What happened" }).getByText("Accepted by Aliyun").waitFor();
  const mail = await fetch(`${service.sandbox}inbox/dora@dead.example.com/latest`).then((r) => r.json());
  assert.equal(mail.code, "774411");

  await page.goto(`${service.url}#/messages/${unknown.id}`);
  await page.getByRole("heading", { name: "Message to u***@dead.example.com" }).waitFor();
  await page.getByRole("button", { name: "Send again" }).click();
  await dialog.getByText("It may already have arrived. If you send it again, it may arrive twice.").waitFor();
  await dialog.getByRole("button", { name: "Send again" }).click();
  await page.getByRole("list", { name: "What happened" }).getByText("Accepted by Aliyun").waitFor();
  assert.equal((await fetch(`${service.sandbox}inbox/uma@dead.example.com`).then((r) => r.json())).length, 2);
  await close(opened);
});

test("the live list asks to sign in when the session ends, and is live again after it", async () => {
  const opened = await open("#/messages");
  const { page, context } = opened;
  await page.locator(".live").filter({ hasText: /^Live/ }).waitFor();
  const [cookie] = await context.cookies();
  await fetch(`${service.url}api/session`, { method: "DELETE", headers: { Cookie: `${cookie.name}=${cookie.value}` } });
  await page.getByText("Your session has ended.").waitFor();
  await deliver("shop", "mira@again.example.com");
  await signIn(page);
  await page.getByText("Your session has ended.").waitFor({ state: "detached" });
  await rows(page).filter({ hasText: "m***@again.example.com" }).waitFor();
  await page.locator(".live").filter({ hasText: /^Live/ }).waitFor();
  await deliver("shop", "nils@again.example.com");
  await rows(page).filter({ hasText: "n***@again.example.com" }).waitFor();
  await close(opened);
});

test("markup in names, subjects and payloads is text, and has nothing fetched", async () => {
  let hits = 0;
  const outside = createServer((_, response) => { hits++; response.end(); });
  await new Promise((resolve) => outside.listen(0, "127.0.0.1", resolve));
  const elsewhere = `http://127.0.0.1:${outside.address().port}/`;
  await fetch(elsewhere);
  assert.equal(hits, 1); // it does count
  try {
    const evil = `<img src="${elsewhere}a" onerror="alert(1)"><script src="${elsewhere}b"></script>`;
    const content = `${evil}<link rel="stylesheet" href="${elsewhere}c"><div style="background:url(${elsewhere}d)">{{code}}</div><p>{{application.name}}</p><iframe src="${elsewhere}e"></iframe>`;
    const templates = ["Register", "SignIn", "ForgotPassword", "Generic"].map((usageType) => ({ usageType, subject: `${evil.slice(0, 30)} {{code}}`, content }));
    const made = await service.admin("POST", "api/connectors", {
      id: "evil", connectorId: "aliyun-direct-mail",
      config: { accessKeyId: "evil-key", accessKeySecret: "evil-secret", accountName: "no-reply@evil.example.com", fromAlias: "<b onclick=x>", templates },
    });
    assert.equal(made.status, 200, JSON.stringify(made.data));
    const { id, status } = await deliver("evil", "eve@evil.example.com", { payload: { code: evil, locale: "<script>alert(2)</script>", application: { name: evil } } });
    assert.equal(status, 200);

    const opened = await open("#/inbox");
    const { page } = opened;
    const mail = page.locator("article.mail");
    assert.match(await mail.getByRole("heading").innerText(), /^<img src=/);
    assert.match(await mail.locator("dl.mail-head").innerText(), /<b onclick=x> <no-reply@evil\.example\.com>/);
    assert.match(await page.locator("nav.mails li").first().innerText(), /<img src=/);
    await page.frameLocator("article iframe").locator("p").filter({ hasText: "onerror" }).waitFor();
    await page.goto(`${service.url}#/messages/${id}`);
    await page.getByRole("list", { name: "What happened" }).getByText("Accepted by Aliyun").waitFor();
    await page.getByText("Why this one").click();
    await page.goto(`${service.url}#/connectors/evil/test`);
    await page.getByText("Values", { exact: true }).click();
    await page.getByLabel("Values as JSON").fill(JSON.stringify({ code: evil, locale: "en", application: { name: evil } }));
    await page.getByLabel("Send to").fill("eve@evil.example.com");
    await page.getByRole("button", { name: "Send test mail" }).click();
    await page.getByText("Accepted by Aliyun").waitFor();
    await page.getByLabel("Send to").fill(`${evil}@example.com`);
    await page.getByRole("button", { name: "Send test mail" }).click();
    await page.getByText("This is not a single mail address").waitFor();
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.equal(hits, 1);
    // The mail's frame may try; that its policy forbids it is what is wanted.
    assert.deepEqual(opened.complaints.filter((c) => /^(an alert|script error)/.test(c)), []);
    await opened.context.close();
  } finally {
    await service.admin("DELETE", "api/connectors/evil");
    outside.closeAllConnections();
    await new Promise((resolve) => outside.close(resolve));
  }
});

test("the inbox shows mails and is emptied", async () => {
  await service.admin("DELETE", "api/inbox");
  for (const [to, type, locale, code] of [
    ["pablo@example.com", "SignIn", "en", "205771"], ["sota@example.com", "Register", "ja", "913064"], ["anna@example.com", "SignIn", "en", "778120"],
    ["daisuke@example.com", "ForgotPassword", "ja", "351948"], ["mei@example.com", "Register", "zh-CN", "640817"], ["lena@example.com", "MfaVerification", "en", "492603"],
  ]) {
    const { status } = await deliver("shop", to, { type, payload: { code, locale, application: { name: "Example Shop" } } });
    assert.equal(status, 200);
  }
  const opened = await open("#/inbox");
  const { page } = opened;
  await page.locator("article.mail").getByText("lena@example.com").waitFor();
  await page.locator("nav.mails li").nth(1).getByRole("link").click();
  await page.locator("article.mail").getByText("mei@example.com").waitFor();
  await page.frameLocator("article iframe").getByText("640817", { exact: true }).first().waitFor();
  await looksRight(page, "inbox");
  // A mail program's colours are chosen when the mail is opened.
  await page.emulateMedia({ colorScheme: "dark" });
  await page.reload();
  await page.frameLocator("article iframe").getByText("640817", { exact: true }).first().waitFor();
  await picture(page, "inbox-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.getByRole("button", { name: "Empty the inbox" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("This deletes every mail in it (6).").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await page.locator("nav.mails li").count(), 6);
  await page.getByRole("button", { name: "Empty the inbox" }).click();
  await dialog.getByRole("button", { name: "Empty the inbox" }).click();
  await page.getByRole("heading", { name: "No mail yet" }).waitFor();
  assert.deepEqual((await service.admin("GET", "api/inbox")).data.mails, []);
  // A new one comes by itself.
  await deliver("shop", "noor@example.com");
  await page.locator("article.mail").getByText("noor@example.com").waitFor();
  await close(opened);
});

/** Labels and headings with English words, apart from mails' subjects and names that are the same everywhere. */
function englishLabels(page) {
  return page.locator("#main :is(h1, h2, h3, label, button, summary, dt, legend, option, th[scope=col])").evaluateAll((all) => all
    .filter((e) => !e.closest(".mail-title") || e.matches("dt")).map((e) => e.textContent.trim()).filter((text) => /[A-Za-z]{3,}/.test(text) && !/[\u3040-\u30ff\u4e00-\u9fff]/.test(text))
    .filter((text) => !["EnvId", "RequestId", "HTML", "JSON", "shop", "default"].includes(text)));
}

for (const { locale, headings } of [
  { locale: "zh-CN", headings: ["邮件记录", "进度", "处理过程", "沙箱收件箱"] },
  { locale: "ja-JP", headings: ["メッセージ", "進行状況", "処理の経過", "サンドボックス受信箱"] },
]) {
  test(`the pages speak ${locale}`, async () => {
    await service.faults([{ fault: "error", code: "InvalidSendMail.Spam", times: 1 }]);
    const { id } = await deliver("shop", "yuki@words.example.com");
    await noFaults();
    const opened = await open("#/messages", { locale });
    const { page } = opened;
    for (const [i, hash] of ["#/messages", "#/connectors/shop/test", `#/messages/${id}`, "#/inbox"].entries()) {
      await page.goto(service.url + hash);
      await page.getByRole("heading", { name: headings[i], exact: true }).waitFor();
      if (i === 0) await rows(page).first().waitFor();
      if (i === 2) await page.locator(".advice h3").waitFor();
      assert.deepEqual(await englishLabels(page), [], hash);
    }
    await close(opened);
  });
}
