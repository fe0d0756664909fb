// Templates: writing them, seeing them as their readers do, and what is said of them.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { openPage, picture, seriousFindings, signIn, startBrowser, startService } from "./setup.mjs";

let service, browser, outside;
before(async () => {
  [service, browser, outside] = await Promise.all([startService(), startBrowser(), startOutside()]);
});
after(async () => {
  await browser?.close();
  await outside?.stop();
  await service?.stop();
});

/** A server that counts who asks it. */
async function startOutside() {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { asked, url: `http://127.0.0.1:${server.address().port}/`, stop: () => new Promise((resolve) => server.close(resolve)) };
}

const plain = (usageType, more = {}) => ({ usageType, subject: `Code for ${usageType}`, content: "<p>{{code}}</p>", ...more });
const ofAll = (...own) => [...own, ...["SignIn", "Register", "ForgotPassword", "Generic"].filter((type) => !own.some((t) => t.usageType === type)).map((type) => plain(type))];

/** Makes a connector through the API. The sandbox tells keys by their id: each has its own. */
async function make(id, templates, config = {}) {
  const { status, data } = await service.admin("POST", "api/connectors", {
    id, connectorId: "aliyun-direct-mail",
    config: { accessKeyId: `LTAI5t${id}`, accessKeySecret: "secret-of-the-tests", accountName: "noreply@mail.example.com", fromAlias: "Example", templates, ...config },
  });
  assert.equal(status, 200, JSON.stringify(data));
}

async function open(hash, options = {}) {
  const opened = await openPage(browser, service.url, options);
  await signIn(opened.page);
  await opened.page.getByRole("heading", { level: 1, name: "Connectors" }).waitFor();
  await opened.page.goto(service.url + hash);
  return opened;
}

/** Replaces the text in an editor, as a paste does. */
async function paste(page, name, text) {
  await page.getByRole("textbox", { name, exact: true }).click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

/** Waits for the heading of an opened template to have the focus, which it would else take later on. */
const headingFocused = (page) => page.locator(".templates h2:focus").waitFor();

async function edit(page, name) {
  await page.getByRole("button", { name }).click();
  await headingFocused(page);
}

const preview = (page) => page.getByRole("region", { name: "Preview" });
const mail = (page) => preview(page).frameLocator("iframe").locator("body");

/** Evaluates in the mail's frame, as the browser's tools can though its scripts cannot run. */
async function inMail(page, evaluate) {
  const frame = await (await preview(page).locator("iframe").elementHandle()).contentFrame();
  return frame.evaluate(evaluate);
}

/** Waits until the mail is laid out for this width: its frame may be in a process of its own. */
async function widthOfMail(page, wanted) {
  let width;
  for (const begun = Date.now(); Date.now() - begun < 10_000;) {
    width = await inMail(page, () => window.innerWidth);
    if (width === wanted) return;
  }
  assert.equal(width, wanted);
}

async function fitsItsWidth(page) {
  const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth }));
  assert.ok(wide <= room, `the page is ${wide} px wide, with room for ${room}`);
}

const saveConnector = async (page) => {
  await page.getByRole("button", { name: "Review and save" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved. The changes are active.").waitFor();
};

test("a mail is seen in Japanese, on a phone, in the dark and as text", async () => {
  const { page, context, complaints } = await open("#/connectors/default/templates", { colorScheme: null });
  await edit(page, /^Edit Sign-in, English/);
  await preview(page).locator(".subject", { hasText: /sign-in code/ }).waitFor();
  await page.getByLabel("Recipient's language").selectOption("ja");
  await preview(page).locator(".subject", { hasText: "ログイン" }).waitFor();
  await mail(page).getByText(/コード/).filter({ visible: true }).first().waitFor();
  assert.equal(await inMail(page, () => document.documentElement.lang), "ja");
  await preview(page).getByText("With these values, another template is sent: Sign-in · Japanese (ja).").waitFor();

  const frame = preview(page).locator("iframe");
  const view = (name) => preview(page).getByRole("group", { name: "View" }).getByRole("button", { name });
  const colours = (name) => preview(page).getByRole("group", { name: "Mail client theme" }).getByRole("button", { name });
  await widthOfMail(page, 640);
  await view("Phone").click();
  await widthOfMail(page, 360);
  const look = () => ({ dark: matchMedia("(prefers-color-scheme: dark)").matches, ground: getComputedStyle(document.body).backgroundColor });
  const light = await inMail(page, look);
  await colours("Dark").click();
  await preview(page).locator("iframe[style*='color-scheme: dark']").waitFor();
  await mail(page).getByText(/コード/).filter({ visible: true }).first().waitFor();
  const dark = await inMail(page, look);
  assert.deepEqual([light.dark, dark.dark], [false, true]);
  assert.notEqual(dark.ground, light.ground);
  await view("Text").click();
  await frame.waitFor({ state: "detached" });
  const text = await preview(page).locator(".mail-text").innerText();
  assert.match(text, /コード/);
  assert.doesNotMatch(text, /</);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a sample value changes the mail", async () => {
  await make("sampled", ofAll(plain("SignIn", { subject: "For {{application.name}}" })));
  const { page, context, complaints } = await open("#/connectors/sampled/templates");
  await edit(page, /^Edit Sign-in/);
  await page.getByLabel("code", { exact: true }).fill("987321");
  await mail(page).getByText("987321").waitFor();
  await page.getByLabel("application.name", { exact: true }).fill("Shop & <b>Co</b>");
  await preview(page).locator(".subject", { hasText: "For Shop & <b>Co</b>" }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what is wrong with a text is told at its line", async () => {
  await make("doubtful", ofAll(plain("SignIn")), { codeLifetime: "5m" });
  const { page, context, complaints } = await open("#/connectors/doubtful/templates");
  await edit(page, /^Edit Sign-in/);
  const warning = (text) => page.locator(".templates .field .warning", { hasText: text });
  const markedAt = (text) => page.locator(".cm-line", { has: page.locator(".cm-lintRange-warning", { hasText: text }) });

  await paste(page, "Content", "<p>{{code}}</p>\n<p>{{inviter.name}}</p>\n<p>It is good for 10 minutes.</p>");
  await warning("Line 2 · Logto does not send {{inviter.name}} with SignIn mail").waitFor();
  await warning('Line 3 · says "10 minutes", but codeLifetime is 5 minutes').waitFor();
  assert.equal(await markedAt("{{inviter.name}}").textContent(), "<p>{{inviter.name}}</p>");
  assert.equal(await markedAt("10 minutes").textContent(), "<p>It is good for 10 minutes.</p>");
  await preview(page).getByText("Not sent by this flow, so shown as written: {{inviter.name}}.").waitFor();

  await paste(page, "Content", "<p>Nothing to enter</p>");
  await warning("shows no code: it has no {{code}} where readers see it").waitFor();
  await warning("inviter.name").waitFor({ state: "detached" });
  await paste(page, "Subject", "Your code {{code}}");
  await paste(page, "Content", "<p>Your code: ｛｛code｝｝</p>");
  await warning("｛｛code｝｝ is left as written").waitFor();
  await warning("shows no code").waitFor();
  await paste(page, "Content", "<p>Your code: {{code}}</p>");
  await warning("shows no code").waitFor({ state: "detached" });
  assert.deepEqual(complaints, []);
  await context.close();
});

test("after {{ the variables of the flow are offered", async () => {
  await make("completed", ofAll(plain("SignIn")));
  const { page, context, complaints } = await open("#/connectors/completed/templates");
  await edit(page, /^Edit Sign-in/);
  await paste(page, "Subject", "Code for ");
  await page.keyboard.type("{{");
  const offered = page.locator(".cm-tooltip-autocomplete li");
  await offered.filter({ hasText: /^code/ }).first().waitFor();
  await page.keyboard.type("application.na");
  await offered.filter({ hasText: "application.name" }).first().waitFor();
  assert.equal(await offered.filter({ hasText: "inviter" }).count(), 0);
  await offered.filter({ hasText: "application.name" }).first().click();
  assert.equal(await page.getByRole("textbox", { name: "Subject", exact: true }).innerText(), "Code for {{application.name}}");
  await preview(page).locator(".subject", { hasText: /^Code for [^{]+$/ }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a built-in template is customized and used in the next mail", async () => {
  await make("owned", "builtin");
  const { page, context, complaints } = await open("#/connectors/owned/templates");
  await page.getByText("The built-in templates are in use").waitFor();
  await page.getByRole("button", { name: "Customize a copy" }).click();
  await edit(page, /^Edit Sign-in, English/);
  await paste(page, "Subject", "Welcome back: {{code}}");
  await page.getByRole("button", { name: "All templates" }).click();
  // One more, from the matching built-in template.
  await page.getByRole("button", { name: "Add a template…" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a template" });
  await dialog.getByLabel("Language tag").fill("en");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.getByText("A template for this type and language already exists.").waitFor();
  await dialog.getByLabel("Language tag").fill("zh-HK");
  await dialog.getByRole("radio", { name: /^The built-in template: Sign-in · .*zh-TW/ }).check();
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await preview(page).locator(".subject", { hasText: "登入" }).waitFor();
  await saveConnector(page);

  assert.equal((await service.sendThrough("owned", "owned@example.com", "SignIn", { code: "246810", locale: "en" })).state, "sent");
  assert.equal((await service.latestMail("owned@example.com")).subject, "Welcome back: 246810");
  assert.equal((await service.admin("GET", "api/connectors/owned")).data.config.templates.length, 37);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("shared templates are added, used, listed and deleted", async () => {
  const { page, context, complaints } = await open("#/templates");
  const stored = async () => (await service.admin("GET", "api/email-templates")).data.map((t) => `${t.templateType} ${t.languageTag}`);
  const asked = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    return dialog.accept();
  });
  await page.getByText("There are no templates yet.").waitFor();
  for (const [type, subject] of [["SignIn", "Votre code : {{code}}"], ["Register", "Bienvenue : {{code}}"]]) {
    await page.getByRole("button", { name: "Add a template…" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a template" });
    await dialog.getByLabel("Usage type").selectOption(type);
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    await dialog.getByText("Enter a language: shared templates need one.").waitFor();
    await dialog.getByLabel("Language tag").fill("fr");
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    await headingFocused(page);
    await paste(page, "Subject", subject);
    await page.getByRole("button", { name: "All templates" }).click();
  }
  await page.getByRole("button", { name: "Save (2)" }).click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  assert.deepEqual((await stored()).sort(), ["Register fr", "SignIn fr"]);
  await page.reload();
  await page.getByRole("button", { name: /^Edit Sign-in, French: Votre code/ }).waitFor();
  await service.send("fr@example.com", "SignIn", { code: "135790", locale: "fr" });
  assert.equal((await service.latestMail("fr@example.com")).subject, "Votre code : 135790");

  await edit(page, /^Edit Sign-in, French/);
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: /^Edit Sign-up, French/ }).waitFor();
  await page.getByRole("button", { name: /^Edit Sign-in, French/ }).waitFor({ state: "detached" });
  assert.deepEqual(await stored(), ["Register fr"]);
  await page.getByLabel("Language", { exact: true }).last().selectOption("fr");
  await page.getByRole("button", { name: "Delete these (1)" }).click();
  await page.getByText("There are no templates yet.").waitFor();
  assert.deepEqual(await stored(), []);
  assert.deepEqual(asked, ["Delete the template “Sign-in · French (fr)”?", "Delete the templates shown (1)? This cannot be undone."]);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("nothing of a hostile mail runs, and nobody outside is asked", async () => {
  const markup = `<script>window.__xss=1;top.__xss=1</script><img src="${outside.url}img" onerror="window.__xss=1;top.__xss=1;alert(1)"><img src="x" onerror="top.__xss=1">` +
    `<iframe src="${outside.url}frame"></iframe><iframe srcdoc="<script>top.__xss=1</script>"></iframe><svg onload="top.__xss=1"></svg><a id="away" href="${outside.url}link" target="_top">out</a>` +
    `<link rel="stylesheet" href="${outside.url}css"><style>body{background:url(${outside.url}ground)}</style><form action="${outside.url}form"><button id="send">go</button></form><meta http-equiv="refresh" content="0;url=${outside.url}refresh">`;
  // As in Logto, the mail has the values unchanged.
  await make("attacked", ofAll({ usageType: "SignIn", subject: `${markup}`.slice(0, 90), content: `<p>the mail</p>${markup}{{code}}{{application.name}}`, escape: "none" }));
  const { page, context, complaints } = await open("#/connectors/attacked/templates");
  const tried = [];
  page.on("request", (request) => request.url().startsWith(outside.url) && tried.push(request));
  await edit(page, /^Edit Sign-in/);
  await mail(page).getByText("the mail").waitFor();
  await preview(page).getByText("This mail has remote images.").waitFor();
  await page.getByLabel("application.name", { exact: true }).fill(`<b id="value">from a value</b>${markup}`);
  await mail(page).locator("#value").waitFor();
  await mail(page).locator("#send").first().dispatchEvent("click");
  await mail(page).locator("#away").first().dispatchEvent("click");
  await preview(page).getByRole("button", { name: "Dark" }).click();
  await mail(page).locator("#value").waitFor();
  await preview(page).getByRole("button", { name: "Text", exact: true }).click();
  await preview(page).locator("iframe").waitFor({ state: "detached" });

  await service.sendThrough("attacked", "attacked@example.com", "SignIn", { code: markup.slice(0, 200), locale: "en", application: { name: markup } });
  // The page still is itself: it was not led away.
  await page.goto(`${service.url}#/inbox`);
  await page.getByText("attacked@example.com").first().waitFor();
  assert.equal(await page.evaluate(() => window.__xss), undefined);
  assert.equal(context.pages().length, 1);
  assert.deepEqual(outside.asked, []);
  // The mail did try, and the policy forbade it; more than that must not happen.
  assert.ok(tried.length > 0);
  assert.deepEqual([...new Set(tried.map((request) => request.failure()?.errorText))], ["csp"]);
  assert.deepEqual(complaints.filter((c) => !/Content.Security.Policy/i.test(c) && !c.startsWith(`asked ${outside.url}`)), []);
  await context.close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`pages of templates are accessible: ${colorScheme}`, async () => {
    const shared = { templates: [{ languageTag: "fr", templateType: "SignIn", details: { subject: "Votre code : {{code}}", content: "<p>{{code}}</p>" } }] };
    await service.admin("PUT", "api/email-templates", shared);
    await make(`seen-${colorScheme}`, "builtin");
    const { page, context, complaints } = await open(`#/connectors/seen-${colorScheme}/templates`, { colorScheme });
    const check = async () => {
      await fitsItsWidth(page);
      assert.deepEqual(await seriousFindings(page), []);
    };
    const matrix = page.getByRole("button", { name: /^Edit Sign-in, Japanese/ });
    await page.getByRole("button", { name: "Customize a copy" }).click();
    await matrix.waitFor();
    await picture(page, `templates-${colorScheme}`);
    await check();
    await edit(page, /^Edit Sign-in, Japanese/);
    await mail(page).getByText(/コード/).filter({ visible: true }).first().waitFor();
    await picture(page, `template-preview-${colorScheme}`);
    await check();
    await page.setViewportSize({ width: 360, height: 740 });
    await check();
    await page.getByRole("button", { name: "All templates" }).click();
    await matrix.waitFor();
    await check();
    page.on("dialog", (dialog) => dialog.accept()); // the draft may go
    await page.goto(`${service.url}#/templates`);
    await page.getByRole("button", { name: /^Edit Sign-in, French/ }).waitFor();
    await check();
    await edit(page, /^Edit Sign-in, French/);
    await mail(page).waitFor();
    await check();
    await page.setViewportSize({ width: 1360, height: 900 });
    await check();
    assert.deepEqual(complaints, []);
    await context.close();
  });
}
