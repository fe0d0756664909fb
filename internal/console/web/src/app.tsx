import { useEffect, useRef, useState } from "preact/hooks";
import { get, onSignedOut, Problem, reportSignedOut, send, type Session } from "./api";
import { language, languages, setLanguage, texts, type Language } from "./i18n";
import { ConnectorPage } from "./pages/connector";
import { ConnectorsPage } from "./pages/connectors";
import { InboxPage } from "./pages/inbox";
import { MessagePage } from "./pages/message";
import { MessagesPage } from "./pages/messages";
import { TemplatesPage } from "./pages/templates";
import { href, useRoute } from "./route";
import { SignIn } from "./signin";
import { applyTheme, theme, type Theme } from "./theme";
import { explain, Mark, Notice } from "./ui";

const t = texts({
  en: { connectors: "Connectors", templates: "Templates", messages: "Messages", inbox: "Sandbox inbox", signOut: "Sign out", language: "Language",
    theme: "Theme", system: "System", light: "Light", dark: "Dark", skip: "Skip to the content", nowhere: "Page not found.", sandbox: "Sandbox: no mail leaves this machine", menu: "Pages" },
  zh: { connectors: "连接器", templates: "模板", messages: "邮件记录", inbox: "沙箱收件箱", signOut: "退出登录", language: "语言",
    theme: "配色", system: "跟随系统", light: "浅色", dark: "深色", skip: "跳到正文", nowhere: "页面不存在。", sandbox: "沙箱：邮件不会离开本机", menu: "页面" },
  ja: { connectors: "コネクター", templates: "テンプレート", messages: "メッセージ", inbox: "サンドボックス受信箱", signOut: "ログアウト", language: "言語",
    theme: "配色", system: "システム", light: "ライト", dark: "ダーク", skip: "本文へ", nowhere: "ページが見つかりません。", sandbox: "サンドボックス：メールは外部に送信されません", menu: "ページ" },
});

type Entry = { session: Session } | { signedOut: "first" | "ended" } | { failed: unknown } | null;

export function App() {
  const [entry, setEntry] = useState<Entry>(null);
  const [session, setSession] = useState<Session | null>(null);
  const [shownLanguage, setShownLanguage] = useState(language());

  const begin = (s: Session) => {
    setSession(s);
    setEntry({ session: s });
  };
  useEffect(() => {
    get<Session>("api/session").then(begin, (error) =>
      setEntry(error instanceof Problem && error.status === 401 ? { signedOut: "first" } : { failed: error }));
    return onSignedOut(() => setEntry({ signedOut: "ended" }));
  }, []);
  const chooseLanguage = (next: Language) => {
    setLanguage(next);
    setShownLanguage(next);
  };
  const signOut = async () => {
    await send("DELETE", "api/session");
    reportSignedOut(); // clears what was kept for the session
    setSession(null);
    setEntry({ signedOut: "first" });
  };

  if (!entry) return null;
  if ("failed" in entry) return <main class="narrow"><Notice kind="error">{explain(entry.failed)}</Notice></main>;
  const asked = "signedOut" in entry;
  const settings = <Settings language={shownLanguage} choose={chooseLanguage} />;
  return (
    <>
      {/* Edits stay on the page while the session is renewed. */}
      {session && (
        <div key={shownLanguage} class="shell" inert={asked}>
          <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById("main")!.focus(); }}>{t("skip")}</a>
          <Navigation session={session} signOut={signOut}>{settings}</Navigation>
          <main id="main" tabIndex={-1}><Pages session={session} /></main>
        </div>
      )}
      {asked && <SignIn ended={entry.signedOut === "ended"} over={session !== null} signedIn={begin}>{settings}</SignIn>}
    </>
  );
}

function Navigation(props: { session: Session; signOut: () => void; children: preact.ComponentChildren }) {
  const { path } = useRoute();
  const pages: [string, string][] = [["connectors", t("connectors")], ["templates", t("templates")], ["messages", t("messages")]];
  if (props.session.sandbox) pages.push(["inbox", t("inbox")]);
  return (
    <nav class="side" aria-label={t("menu")}>
      <div class="brand"><Mark />dmconnector</div>
      <ul>
        {pages.map(([page, name]) => (
          <li key={page}><a href={href(page)} aria-current={(path[0] ?? "connectors") === page ? "page" : undefined}>{name}</a></li>
        ))}
      </ul>
      <div class="side-end">
        {props.session.sandbox && <p class="sandbox-note">{t("sandbox")}</p>}
        {props.children}
        <button type="button" class="button plain" onClick={props.signOut}>{t("signOut")}</button>
        <p class="muted small">{props.session.actor} · {props.session.version}</p>
      </div>
    </nav>
  );
}

function Settings(props: { language: Language; choose: (l: Language) => void }) {
  const [colours, setColours] = useState(theme());
  const chooseTheme = (next: Theme) => {
    applyTheme(next);
    setColours(next);
  };
  return (
    <div class="settings">
      <select aria-label={t("language")} value={props.language} onChange={(e) => props.choose(e.currentTarget.value as Language)}>
        {Object.entries(languages).map(([tag, name]) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
      </select>
      <select aria-label={t("theme")} value={colours} onChange={(e) => chooseTheme(e.currentTarget.value as Theme)}>
        <option value="system">{t("system")}</option>
        <option value="light">{t("light")}</option>
        <option value="dark">{t("dark")}</option>
      </select>
    </div>
  );
}

function Pages(props: { session: Session }) {
  const route = useRoute();
  const [page = "connectors", id, part] = route.path;
  const first = useRef(true);
  useEffect(() => {
    // Moves a screen reader to the new page, but not on the first load.
    if (!first.current) document.querySelector<HTMLElement>("main h1")?.focus();
    first.current = false;
  }, [route.path.join("/")]);
  switch (page) {
    case "connectors":
      return id ? <ConnectorPage key={id} id={id} part={part ?? "settings"} session={props.session} /> : <ConnectorsPage />;
    case "templates":
      return <TemplatesPage />;
    case "messages":
      return id ? <MessagePage key={id} id={id} /> : <MessagesPage query={route.query} />;
    case "inbox":
      return <InboxPage id={id} />;
    default:
      return <Notice kind="info">{t("nowhere")}</Notice>;
  }
}
