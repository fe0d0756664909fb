// Signing in, and what happens when a session is over.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { adminToken, openPage, picture, sendToken, seriousFindings, signIn, startBrowser, startService } from "./setup.mjs";

let service, browser;
before(async () => {
  service = await startService();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test("a wrong token is rejected, and so is a send token", async () => {
  const { page, context, complaints } = await openPage(browser, service.url);
  await page.getByLabel("Admin token").waitFor();
  await picture(page, "sign-in-light");
  assert.deepEqual(await seriousFindings(page), []);
  await signIn(page, "not-a-token");
  await page.getByText("This is not a valid admin token.").first().waitFor();
  await signIn(page, sendToken);
  await page.getByText("This token is for sending only.").first().waitFor();
  assert.deepEqual(await context.cookies(), []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a sign-in behind a proxy that changes Host names the rule", async () => {
  const { page, context } = await openPage(browser, service.url);
  await page.getByLabel("Admin token").waitFor();
  // As over plain HTTP, where the browser does not say that the page is the service's own.
  await page.route("**/api/session", async (route) => {
    const { "sec-fetch-site": _, ...headers } = await route.request().allHeaders();
    const response = await fetch(`${service.url}api/session`, { method: "POST", body: route.request().postData(), headers: { ...headers, origin: "http://mail.example.com" } });
    await route.fulfill({ status: response.status, contentType: response.headers.get("content-type"), body: await response.text() });
  });
  await signIn(page);
  await page.getByText("it must pass the Host header unchanged").first().waitFor();
  await context.close();
});

test("the session is a cookie that no script can read, and sign-out ends it", async () => {
  const { page, context, complaints } = await openPage(browser, service.url);
  await signIn(page);
  await page.getByRole("heading", { name: "Connectors" }).waitFor();
  const [cookie] = await context.cookies();
  assert.equal(cookie.name, "dmconnector_session");
  assert.ok(cookie.httpOnly);
  assert.equal(cookie.sameSite, "Strict");
  assert.ok(!cookie.value.includes(adminToken));
  assert.equal(await page.evaluate(() => document.cookie), "");
  await page.reload();
  await page.getByRole("heading", { name: "Connectors" }).waitFor();

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Admin token").waitFor();
  const response = await fetch(`${service.url}api/connectors`, { headers: { Cookie: `${cookie.name}=${cookie.value}` } });
  assert.equal(response.status, 401);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("an ended session asks again and keeps what was being edited", async () => {
  const { page, context } = await openPage(browser, service.url);
  await signIn(page);
  await page.getByRole("heading", { name: "Connectors" }).waitFor();
  await page.goto(`${service.url}#/connectors/new`);
  const sender = page.getByLabel("Sender address");
  await sender.fill("kept@mail.example.com");
  // Signed out in another window.
  const [cookie] = await context.cookies();
  await fetch(`${service.url}api/session`, { method: "DELETE", headers: { Cookie: `${cookie.name}=${cookie.value}` } });
  await sender.press("End");
  await sender.pressSequentially("x"); // has the draft validated
  await page.getByText("Your session has ended.").waitFor();
  await signIn(page);
  await page.getByText("Your session has ended.").waitFor({ state: "detached" });
  assert.equal(await sender.inputValue(), "kept@mail.example.comx");
  await context.close();
});

test("the page speaks three languages and keeps the chosen one", async () => {
  const { page, context } = await openPage(browser, service.url, { locale: "ja-JP", colorScheme: "dark" });
  await page.getByLabel("管理トークン").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "ja");
  await picture(page, "sign-in-dark");
  assert.deepEqual(await seriousFindings(page), []);
  await page.getByLabel("言語").selectOption("zh");
  await page.getByLabel("管理令牌").waitFor();
  await page.reload();
  await page.getByLabel("管理令牌").waitFor();
  await context.close();
});

test("another site can use the cookie for nothing", async () => {
  const { page, context } = await openPage(browser, service.url);
  await signIn(page);
  await page.getByRole("heading", { name: "Connectors" }).waitFor();
  const [cookie] = await context.cookies();
  const forged = await fetch(`${service.url}api/session`, {
    method: "DELETE", headers: { Cookie: `${cookie.name}=${cookie.value}`, Origin: "https://elsewhere.example", "Sec-Fetch-Site": "cross-site" },
  });
  assert.equal(forged.status, 403);
  const { headers } = await fetch(service.url);
  assert.match(headers.get("Content-Security-Policy"), /default-src 'none'; script-src 'self';/);
  assert.match(headers.get("Content-Security-Policy"), /frame-ancestors 'none'/);
  await context.close();
});
