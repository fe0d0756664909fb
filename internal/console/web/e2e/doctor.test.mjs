// Diagnostics, on the tab of the test mail.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { adminToken, openPage, picture, seriousFindings, signIn, startBrowser, startService } from "./setup.mjs";

const secret = "secret-that-nobody-may-see";

let service, browser;
before(async () => {
  [service, browser] = await Promise.all([startService(), startBrowser()]);
  const { status } = await service.admin("POST", "api/connectors", {
    id: "looked-at", connectorId: "aliyun-direct-mail",
    config: { accessKeyId: "LTAI5tlooked", accessKeySecret: secret, accountName: "noreply@mail.example.com", templates: "builtin" },
  });
  assert.equal(status, 200);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

async function open(options) {
  const opened = await openPage(browser, service.url, options);
  await signIn(opened.page);
  await opened.page.getByRole("heading", { level: 1 }).waitFor();
  await opened.page.goto(`${service.url}#/connectors/looked-at/test`);
  return opened;
}

test("the doctor finds nothing, then what Aliyun rejects", async () => {
  const { page, context, complaints } = await open();
  const panel = page.getByRole("region", { name: "Diagnostics" });
  await panel.getByRole("button", { name: "Run diagnostics" }).click();
  await panel.getByText("All checks passed. This connector can send.").waitFor();
  assert.equal(await panel.getByRole("listitem").count(), 10);

  await service.faults([{ fault: "error", code: "InvalidUser.NotFound", action: "DescAccountSummary" }]);
  await panel.getByRole("button", { name: "Run diagnostics" }).click();
  await panel.getByText("This connector cannot send. See the problems.").waitFor();
  await panel.getByText("Direct Mail is not activated for this account in this region.").waitFor();
  assert.deepEqual(await seriousFindings(page), []);
  await picture(page, "doctor");
  assert.ok(!(await panel.innerText()).includes(secret));
  assert.deepEqual(complaints, []);
  await service.faults([]);
  await context.close();
});

test("the doctor speaks the reader's language", async () => {
  for (const [locale, words] of [["zh-CN", "检查全部通过，该连接器可以发信。"], ["ja-JP", "すべての項目に問題はなく、このコネクターで送信できます。"]]) {
    const { page, context } = await openPage(browser, service.url, { locale });
    await page.locator("input[type=password]").fill(adminToken);
    await page.locator("button[type=submit]").click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.goto(`${service.url}#/connectors/looked-at/test`);
    await page.locator(".doctor button").click();
    await page.getByText(words).waitFor();
    const details = await page.locator(".doctor .step-body p").allInnerTexts();
    assert.ok(details.every((d) => /[\u3040-\u30ff\u4e00-\u9fff]/.test(d)), details.join("\n"));
    await context.close();
  }
});
