import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, send, type Session } from "./api";
import { texts } from "./i18n";
import { Button, explain, Field, Mark, Notice } from "./ui";

const t = texts({
  en: { token: "Admin token", hint: "Find it in the file admin-token in the data folder, or in the terminal that started the sandbox.", go: "Sign in",
    ended: "Your session has ended. Sign in again; your edits are still here.", wrong: "This is not a valid admin token.", send: "This token is for sending only. Enter an admin token." },
  zh: { token: "管理令牌", hint: "见数据目录中的 admin-token 文件，或启动沙箱的终端。", go: "登录",
    ended: "会话已结束。请重新登录，正在编辑的内容仍然保留。", wrong: "管理令牌无效。", send: "此令牌只能用于发送，请使用管理令牌。" },
  ja: { token: "管理トークン", hint: "データフォルダーの admin-token ファイル、またはサンドボックスを起動したターミナルで確認できます。", go: "ログイン",
    ended: "セッションが終了しました。もう一度ログインしてください。編集中の内容は残っています。", wrong: "管理トークンが正しくありません。", send: "このトークンは送信専用です。管理トークンを入力してください。" },
});

/** Asks for the admin token, on a page of its own or on top of the current page. */
export function SignIn(props: { ended: boolean; over: boolean; signedIn: (s: Session) => void; children: ComponentChildren }) {
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);

  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setError("");
    try {
      props.signedIn((await send<Session>("POST", "api/session", { token: token.trim() })).data);
    } catch (cause) {
      const code = cause instanceof Problem ? cause.code : "";
      const aboutToken = cause instanceof Problem && cause.errors.length > 0;
      setError(code === "unauthorized" ? t("wrong") : code === "forbidden" && aboutToken ? t("send") : explain(cause));
      input.current?.focus();
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class={props.over ? "signin over" : "signin"}>
      <main>
        <form class="card" onSubmit={submit}>
          <h1 class="brand"><Mark />dmconnector</h1>
          {props.ended && <Notice kind="warning">{t("ended")}</Notice>}
          <Field label={t("token")} hint={t("hint")} error={error}>
            {(ids) => (
              <input {...ids} ref={input} type="password" autocomplete="current-password" spellcheck={false} required
                value={token} onInput={(e) => setToken(e.currentTarget.value)} />
            )}
          </Field>
          {error && <span class="visually-hidden" role="alert">{error}</span>}
          <Button kind="primary" type="submit" busy={busy}>{t("go")}</Button>
        </form>
        {props.children}
      </main>
    </div>
  );
}
