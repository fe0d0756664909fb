// Compares a draft with the stored version before it is saved.
import { json } from "@codemirror/lang-json";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "preact/hooks";
import type { Config } from "../api";
import { look } from "../editor";
import { texts } from "../i18n";
import { Button, Dialog, explain, Notice } from "../ui";
import { nameAt } from "./config-words";
import { changedKeys, textOf, withSecretsHidden } from "./draft";

const t = texts({
  en: { title: "Review changes", changed: "Changed", stored: "Stored", yours: "Yours", back: "Back to editing", save: "Save", secret: "(a new secret)", none: "nothing",
    at: "They take effect immediately.", region: "Differences between the stored version and yours" },
  zh: { title: "核对更改", changed: "更改", stored: "已存储", yours: "您的更改", back: "继续编辑", save: "保存", secret: "（新密钥）", none: "无",
    at: "保存后立即生效。", region: "已存储版本与您的更改之间的差异" },
  ja: { title: "変更の確認", changed: "変更", stored: "保存済み", yours: "あなたの変更", back: "編集に戻る", save: "保存", secret: "（新しいシークレット）", none: "なし",
    at: "保存するとすぐに反映されます。", region: "保存済みの内容とあなたの変更の差分" },
});

interface Props {
  old: Config;
  mine: Config;
  busy: boolean;
  error?: unknown;
  close: () => void;
  save: () => void;
}

export function Review(props: Props) {
  const { old, mine } = props;
  const names = changedKeys(old, mine).map((key) => nameAt([key]));
  return (
    <Dialog title={t("title")} wide close={props.close}>
      <p><strong>{t("changed")}:</strong> {names.join(", ") || t("none")}. <span class="muted">{t("at")}</span></p>
      <Difference old={textOf(withSecretsHidden(old, t("secret")))} mine={textOf(withSecretsHidden(mine, t("secret")))} />
      {props.error !== undefined && <Notice kind="error">{explain(props.error)}</Notice>}
      <div class="actions end">
        <Button onClick={props.close}>{t("back")}</Button>
        <Button kind="primary" busy={props.busy} onClick={props.save}>{t("save")}</Button>
      </div>
    </Dialog>
  );
}

function readOnly(name: string): Extension {
  return [look, json(), lineNumbers(), EditorView.lineWrapping, EditorState.readOnly.of(true), EditorView.contentAttributes.of({ "aria-label": name })];
}

const collapseUnchanged = { margin: 2, minSize: 5 };

/** Side by side, or unified on narrow screens. */
function Difference(props: { old: string; mine: string }) {
  const parent = useRef<HTMLDivElement>(null);
  const { old, mine } = props;
  useEffect(() => {
    const narrow = window.matchMedia("(max-width: 760px)").matches;
    const view = narrow
      ? new EditorView({ doc: mine, parent: parent.current!, extensions: [readOnly(t("region")), unifiedMergeView({ original: old, mergeControls: false, collapseUnchanged })] })
      : new MergeView({ a: { doc: old, extensions: readOnly(t("stored")) }, b: { doc: mine, extensions: readOnly(t("yours")) }, parent: parent.current!, collapseUnchanged, gutter: true });
    return () => view.destroy();
  }, [old, mine]);
  return (
    <div class="difference">
      <div class="difference-heads" aria-hidden="true"><span>{t("stored")}</span><span>{t("yours")}</span></div>
      <div class="editor" ref={parent} />
    </div>
  );
}

