// Connectors: making them, changing them, and what is said of them.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { adminToken, openPage, picture, seriousFindings, signIn, startBrowser, startService } from "./setup.mjs";

const example = await readFile(new URL("../../../../testdata/connectors/good/logto-example.json", import.meta.url), "utf8");
const secret = "secret-that-nobody-may-see";

let service, browser;
before(async () => {
  [service, browser] = await Promise.all([startService(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

/** Makes a connector through the API. The sandbox tells keys by their id: each has its own. */
async function make(id, config = {}, metadata = {}) {
  const { status, data } = await service.admin("POST", "api/connectors", {
    id, connectorId: "aliyun-direct-mail", metadata,
    config: { accessKeyId: `LTAI5t${id}`, accessKeySecret: secret, accountName: "noreply@mail.example.com", fromAlias: "Example", templates: "builtin", ...config },
  });
  assert.equal(status, 200, JSON.stringify(data));
}

async function stored(id) {
  return (await service.admin("GET", `api/connectors/${id}`)).data;
}

/** Opens a page of the console, signed in. */
async function open(hash = "", options = {}, url = service.url) {
  const opened = await openPage(browser, url, options);
  await signIn(opened.page);
  await opened.page.getByRole("heading", { level: 1 }).waitFor();
  await opened.page.goto(url + hash);
  return opened;
}

/** Replaces the text in the JSON editor, as a paste does. */
async function paste(page, text) {
  await page.getByRole("textbox", { name: "Connector as JSON" }).click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

const notice = (page, text) => page.locator(".notice", { hasText: text });

/** Waits until the element has the focus. */
const focused = (page, locator) => locator.and(page.locator(":focus")).waitFor();

/** Fails if the page itself scrolls sideways. */
async function fitsItsWidth(page) {
  const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth }));
  assert.ok(wide <= room, `the page is ${wide} px wide, with room for ${room}`);
}

test("a connector is made from the example, once its problem is solved", async () => {
  const { page, context, complaints } = await open("#/connectors/new");
  await page.getByRole("textbox", { name: "ID", exact: true }).fill("example");
  const config = JSON.parse(example);
  await paste(page, JSON.stringify({ ...config, accessKeyId: "LTAI5tReal", accessKeySecret: secret, accountName: "Example <noreply@mail.example.com>" }, null, 2));

  // At the form's field, and at its line in the editor.
  const sender = page.getByLabel("Sender address");
  await page.locator(".field .error", { hasText: "Enter one mail address such as" }).waitFor();
  assert.equal(await sender.inputValue(), "Example <noreply@mail.example.com>");
  const said = await sender.evaluate((input) => input.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent).join(" "));
  assert.match(said, /Enter one mail address such as/);
  const marked = page.locator(".json-side .cm-lintRange-error");
  await marked.filter({ hasText: /^"Example <noreply@mail.example.com>"$/ }).waitFor();

  // The problem cannot be overlooked, and leads to its field.
  await page.getByRole("button", { name: "Create the connector" }).click();
  await page.getByText("Fix 1 problem before saving").waitFor();
  await page.locator(".problems").getByRole("button", { name: "Sender address" }).click();
  await focused(page, sender);
  await sender.fill("noreply@mail.example.com");
  await page.locator("input[data-pointer='/accountName'][aria-invalid=true]").waitFor({ state: "detached" });
  await marked.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Create the connector" }).click();
  await page.getByText("The connector is created and active.").waitFor();
  assert.equal(new URL(page.url()).hash, "#/connectors/example/settings?created");

  const { config: kept } = await stored("example");
  assert.deepEqual(kept, { ...config, accessKeyId: "LTAI5tReal", accessKeySecret: "***", accountName: "noreply@mail.example.com" });
  assert.ok(!(await page.content()).includes(secret));
  assert.equal(await page.getByLabel("Access key secret").inputValue(), "");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what cannot be read as JSON is told at its place, and the form waits", async () => {
  const { page, context, complaints } = await open("#/connectors/new");
  await paste(page, '{\n  "accessKeyId": "LTAI",\n  "fromAlias": oops\n}');
  await page.locator(".json-side .cm-lintRange-error").first().waitFor();
  await notice(page, "The JSON has a syntax error").waitFor();
  assert.ok(await page.getByLabel("Sender name").isDisabled());
  assert.ok(await page.getByRole("button", { name: "Create the connector" }).isDisabled());
  await paste(page, '{"fromAlias": "Fixed"}');
  await page.locator("fieldset.form:not([disabled])").first().waitFor();
  assert.equal(await page.getByLabel("Sender name").inputValue(), "Fixed");

  // Completion and help come from the schema.
  await paste(page, "{}");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.type('"onM');
  await page.locator(".cm-tooltip-autocomplete", { hasText: "onMissing" }).waitFor();
  await page.locator(".cm-completionInfo", { hasText: "What to do when a request lacks a variable." }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a change is compared with what is stored before it is saved, without secrets", async () => {
  await make("compared");
  const { page, context, complaints } = await open("#/connectors/compared");
  await page.getByLabel("Sender name").fill("New name");
  await page.getByLabel("Region").first().selectOption("ap-southeast-1");
  await page.getByLabel("Access key secret").fill("another-secret-of-somebody");
  await page.getByRole("button", { name: "Review and save" }).click();

  const dialog = page.getByRole("dialog", { name: "Review changes" });
  await dialog.getByText("Changed: Access key secret, Region, Sender name.").waitFor();
  await dialog.locator(".cm-merge-a", { hasText: '"fromAlias": "Example"' }).waitFor();
  await dialog.locator(".cm-merge-b", { hasText: '"fromAlias": "New name"' }).waitFor();
  await dialog.locator(".cm-merge-b", { hasText: '"regionId": "ap-southeast-1"' }).waitFor();
  await dialog.locator(".cm-merge-b", { hasText: "(a new secret)" }).waitFor();
  const shown = await dialog.innerText();
  assert.ok(!shown.includes("another-secret-of-somebody") && !shown.includes(secret));
  await picture(page, "diff-light");
  assert.deepEqual(await seriousFindings(page), []);

  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved. The changes are active.").waitFor();
  const { config } = await stored("compared");
  assert.equal(config.fromAlias, "New name");
  assert.equal(config.regionId, "ap-southeast-1");
  await page.getByRole("region", { name: "Saving" }).waitFor({ state: "detached" });
  assert.deepEqual(complaints, []);
  await context.close();
});

test("somebody else's change in between is kept, and so is the draft", async () => {
  await make("contested");
  const { page, context, complaints } = await open("#/connectors/contested");
  await page.getByLabel("Sender name").fill("Mine");
  await page.getByLabel("Code lifetime").fill("7m");
  const { config } = await stored("contested");
  const theirs = await service.admin("PATCH", "api/connectors/contested", { config: { ...config, fromAlias: "Theirs", tagName: "theirtag" } });
  assert.equal(theirs.status, 200);

  await page.getByRole("button", { name: "Review and save" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByText("Someone else saved a newer version while you were editing.").waitFor();
  assert.equal((await stored("contested")).config.fromAlias, "Theirs");
  assert.equal(await page.getByLabel("Sender name").inputValue(), "Mine");

  await page.getByRole("button", { name: "Load the newer version, keep my changes" }).click();
  await page.getByText("Both of you changed: Sender name.").waitFor();
  assert.equal(await page.getByLabel("Sender name").inputValue(), "Mine");
  assert.equal(await page.getByLabel("Code lifetime").inputValue(), "7m");
  await page.getByRole("button", { name: "Review and save" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.locator(".cm-merge-a", { hasText: '"fromAlias": "Theirs"' }).waitFor();
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved. The changes are active.").waitFor();
  const after = (await stored("contested")).config;
  assert.deepEqual([after.fromAlias, after.codeLifetime, after.tagName], ["Mine", "7m", "theirtag"]);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("unsaved changes are not left without a question", async () => {
  await make("unsaved");
  const { page, context } = await open("#/connectors/unsaved");
  await page.getByLabel("Sender name").fill("Unsaved");
  const asked = [];
  let answer = false;
  page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    return answer ? dialog.accept() : dialog.dismiss();
  });
  await Promise.all([page.waitForEvent("dialog"), page.getByRole("link", { name: "Messages" }).click()]);
  await page.waitForURL(/#\/connectors\/unsaved/);
  assert.equal(await page.getByLabel("Sender name").inputValue(), "Unsaved");
  answer = true;
  await page.getByRole("link", { name: "Messages" }).click();
  await page.getByRole("heading", { level: 1, name: "Messages" }).waitFor();
  assert.deepEqual(asked, ["confirm", "confirm"]);
  await context.close();
});

test("a connector from a file is read-only, and can be copied", async () => {
  const folder = await mkdtemp(join(tmpdir(), "console-"));
  await writeFile(join(folder, "filed.json"), JSON.stringify({ accessKeyId: "LTAI5tFile", accessKeySecret: secret, accountName: "file@mail.example.com", fromAlias: "Filed", templates: "builtin" }));
  const files = await startService("--connectors", folder);
  try {
    const { page, context, complaints } = await open("#/connectors", {}, files.url);
    const row = page.getByRole("row", { name: /filed/ });
    await row.getByText("File · read-only").waitFor();
    assert.equal(await row.getByRole("button").count(), 0);
    await row.getByRole("link", { name: "filed" }).click();
    await page.getByText("This connector is read-only").waitFor();
    assert.ok(await page.getByLabel("Sender name").isDisabled());
    await page.getByRole("textbox", { name: "Connector as JSON" }).click();
    await page.keyboard.type("typed in vain");
    assert.ok(!(await page.locator(".json-side .cm-content").innerText()).includes("typed in vain"));
    assert.equal(await page.getByRole("region", { name: "Saving" }).count(), 0);

    await page.getByRole("link", { name: "Copy as a new connector" }).click();
    await page.getByText("Copy of filed. Enter its secret").waitFor();
    assert.equal(await page.getByLabel("Sender name").inputValue(), "Filed");
    assert.equal(await page.getByLabel("Access key secret").inputValue(), "");
    await page.getByRole("textbox", { name: "ID", exact: true }).fill("copied");
    await page.getByLabel("Access key secret").fill("the-secret-anew");
    await page.getByRole("button", { name: "Create the connector" }).click();
    await page.getByText("The connector is created and active.").waitFor();
    const { data } = await files.admin("GET", "api/connectors/copied");
    assert.equal(data.config.accountName, "file@mail.example.com");
    assert.deepEqual(complaints, []);
    await context.close();
  } finally {
    await files.stop();
    await rm(folder, { recursive: true });
  }
});

test("a connector is deleted only when that is confirmed", async () => {
  await make("doomed");
  const { page, context, complaints } = await open("#/connectors");
  const button = page.getByRole("button", { name: "Delete doomed" });
  await button.click();
  const dialog = page.getByRole("dialog", { name: "Delete the connector doomed?" });
  await dialog.waitFor();
  // The harmless answer has the focus.
  await focused(page, dialog.getByRole("button", { name: "Keep it" }));
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await service.admin("GET", "api/connectors/doomed")).status, 200);
  await button.click();
  await focused(page, dialog.getByRole("button", { name: "Keep it" }));
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await focused(page, button);
  await button.click();
  await dialog.getByRole("button", { name: "Delete it" }).click();
  await page.getByText("The connector doomed is deleted.").waitFor();
  await button.waitFor({ state: "detached" });
  assert.equal((await service.admin("GET", "api/connectors/doomed")).status, 404);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the list shows what works, what Aliyun rejects and what was never used", async () => {
  await make("works");
  await make("refused", { accountName: "refused@mail.example.com" });
  await make("unused");
  const sent = await service.sendThrough("works", "works@example.com");
  assert.equal(sent.state, "sent", JSON.stringify(sent));
  await service.faults([{ fault: "error", code: "InvalidMailAddress.NotFound", to: "refused@example.com" }]);
  await service.sendThrough("refused", "refused@example.com");
  await service.faults([]);
  const { page, context, complaints } = await open("#/connectors");
  const row = (id) => page.getByRole("row").filter({ has: page.getByRole("link", { name: id, exact: true }) });
  await row("works").getByText("Working", { exact: true }).waitFor();
  await row("refused").getByText("Rejected by Aliyun", { exact: true }).waitFor();
  await row("unused").getByText("Never used", { exact: true }).waitFor();
  await row("unused").getByText("Created here").waitFor();
  await row("refused").getByRole("link", { name: "View the message" }).click();
  await page.waitForURL(/#\/messages\/./);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("from sign-in to a new connector by the keyboard alone", async () => {
  const { page, context, complaints } = await openPage(browser, service.url);
  await page.getByLabel("Admin token").waitFor();
  await tabTo(page, page.getByLabel("Admin token"));
  await page.keyboard.type(adminToken);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Connectors" }).waitFor();
  await tabTo(page, page.getByRole("link", { name: "New connector" }));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "New connector" }).waitFor();
  for (const [label, value] of [["ID", "typed"], ["Access key ID · required", "LTAI5tTyped"], ["Access key secret · required", "typed-secret"], ["Sender address · required", "typed@mail.example.com"]]) {
    await tabTo(page, page.getByRole("textbox", { name: label, exact: true }));
    await page.keyboard.type(value);
  }
  // On the way there the JSON editor has to let the focus go.
  await tabTo(page, page.getByRole("button", { name: "Create the connector" }));
  await page.keyboard.press("Enter");
  await page.getByText("The connector is created and active.").waitFor();
  assert.equal((await stored("typed")).config.accountName, "typed@mail.example.com");
  // The focus is not lost with the button.
  await page.locator("main :focus").waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

/** Presses Tab until the element has the focus, and sees that it can be told. */
async function tabTo(page, locator) {
  for (let n = 0; n < 80; n++) {
    if (await locator.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not reach ${locator}`);
}

// Whatever of it ran would set __xss, open an alert or ask the server outside.
const hostile = (outside) => `<script>window.__xss=1</script><img src="${outside}i" onerror="window.__xss=1;alert(1)"><iframe src="${outside}f"></iframe>`;

test("hostile names and ids are text", async () => {
  const markup = hostile("http://127.0.0.1:9/");
  await make("hostile", { fromAlias: "<img src=x>" }, { name: markup });
  const { page, context, complaints } = await open("#/connectors");
  await page.getByRole("link", { name: markup }).waitFor();
  await page.getByText("<img src=x>").waitFor();
  await page.goto(`${service.url}#/connectors/${encodeURIComponent(markup)}`);
  await page.getByRole("heading", { level: 1, name: markup }).waitFor();
  await page.locator(".notice.error").waitFor();
  await page.goto(`${service.url}#/connectors/new?from=${encodeURIComponent(markup)}`);
  await page.locator(".notice.error").waitFor();
  await page.goto(`${service.url}#/${encodeURIComponent(markup)}/%zz`);
  await page.getByText("Page not found.").waitFor();
  await page.goto(`${service.url}#/connectors/hostile`);
  assert.equal(await page.getByLabel("Sender name").inputValue(), "<img src=x>");
  await page.getByLabel("Sender name").fill("<img src=y onerror=alert(1)>");
  await page.locator(".json-side .cm-content", { hasText: "<img src=y" }).waitFor();
  assert.equal(await page.evaluate(() => window.__xss), undefined);
  assert.equal(await page.locator("img, iframe, main script").count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

/** The pictures are of a tidy list. */
async function keepOnly(...ids) {
  const { data } = await service.admin("GET", "api/connectors");
  for (const { id } of data) {
    if (!ids.includes(id)) await service.admin("DELETE", `api/connectors/${encodeURIComponent(id)}`);
  }
}

for (const colorScheme of ["light", "dark"]) {
  test(`pages of connectors are accessible: ${colorScheme}`, async () => {
    await keepOnly("default", "works", "refused", "unused");
    await make(`account-${colorScheme}`, { fromAlais: "misspelt" });
    const { page, context, complaints } = await open("#/connectors", { colorScheme });
    await page.getByRole("link", { name: `account-${colorScheme}` }).waitFor();
    await page.getByText("Checking…").first().waitFor({ state: "detached" });
    await picture(page, `connectors-${colorScheme}`);
    assert.deepEqual(await seriousFindings(page), []);
    await page.goto(`${service.url}#/connectors/account-${colorScheme}`);
    await page.getByText("1 warning (you can still save)").waitFor();
    await page.locator(".json-side .cm-lintRange-warning").first().waitFor();
    await picture(page, `connector-${colorScheme}`);
    assert.deepEqual(await seriousFindings(page), []);
    await page.setViewportSize({ width: 360, height: 740 });
    await fitsItsWidth(page);
    assert.deepEqual(await seriousFindings(page), []);
    if (colorScheme === "light") await picture(page, "connector-phone");
    await page.goto(`${service.url}#/connectors`);
    await page.getByRole("link", { name: `account-${colorScheme}` }).waitFor();
    await fitsItsWidth(page);
    assert.deepEqual(await seriousFindings(page), []);
    await page.goto(`${service.url}#/connectors/new`);
    await page.getByRole("button", { name: "Create the connector" }).waitFor();
    await fitsItsWidth(page);
    assert.deepEqual(await seriousFindings(page), []);
    assert.deepEqual(complaints, []);
    await context.close();
  });
}
