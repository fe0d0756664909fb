// The list of a connector's problems, each linked to its field.
import { useEffect, useRef } from "preact/hooks";
import type { Fault } from "../api";
import { texts } from "../i18n";
import { explain } from "../ui";
import { nameAt } from "./config-words";
import { isAt } from "./connector-field";
import type { Checked } from "./draft";
import { configPath } from "./json-assist";
import { pointerOf, pointerPath } from "./jsonschema";
import { translated } from "./sentences";

const t = texts({
  en: { error: "Fix 1 problem before saving", errors: "Fix {n} problems before saving", warning: "1 warning (you can still save)", warnings: "{n} warnings (you can still save)", whole: "Connector", knownErrors: "Problems: {n}", knownWarnings: "Warnings: {n}", templates: "In the templates: {n}", unchecked: "The service could not check the connector:" },
  zh: { error: "保存前需解决 1 个问题", errors: "保存前需解决 {n} 个问题", warning: "1 个警告（不影响保存）", warnings: "{n} 个警告（不影响保存）", whole: "连接器", knownErrors: "问题：{n}", knownWarnings: "警告：{n}", templates: "模板中：{n}", unchecked: "服务未能检查该连接器：" },
  ja: { error: "保存前に 1 件の問題を修正してください", errors: "保存前に {n} 件の問題を修正してください", warning: "警告 1 件（保存は可能）", warnings: "警告 {n} 件（保存は可能）", whole: "コネクター", knownErrors: "問題：{n} 件", knownWarnings: "警告：{n} 件", templates: "テンプレート内：{n}", unchecked: "サービスでコネクターを確認できませんでした：" },
});

/** Focuses the form's field for a path or its nearest parent. Returns false if there is none. */
export function focusField(path: string[]): boolean {
  for (let length = path.length; length > 0; length--) {
    const control = document.querySelector<HTMLElement>(`[data-pointer="${CSS.escape(pointerOf(path.slice(0, length)))}"]`);
    if (!control) continue;
    const folded = control.closest("details");
    if (folded) folded.open = true;
    control.focus();
    control.scrollIntoView({ block: "center" });
    return true;
  }
  return false;
}

interface Props {
  checked: Checked;
  /** Incremented to move the focus here. */
  called: number;
  go: (path: string[]) => void;
  readOnly: boolean;
}

function titleOf(kind: "error" | "warning", n: number, readOnly: boolean): string {
  if (readOnly) return t(kind === "error" ? "knownErrors" : "knownWarnings", { n });
  return n === 1 ? t(kind) : t(`${kind}s`, { n });
}

export function Problems(props: Props) {
  const { report, failed } = props.checked;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (props.called) box.current?.focus();
  }, [props.called]);
  const { errors, warnings } = report;
  return (
    <div ref={box} tabIndex={-1} class="problems" role="group" aria-live="polite">
      {failed !== undefined && <p class="notice warning">{t("unchecked")} {explain(failed)}</p>}
      {errors.length > 0 && <List kind="error" title={titleOf("error", errors.length, props.readOnly)} list={errors} go={props.go} />}
      {warnings.length > 0 && <List kind="warning" title={titleOf("warning", warnings.length, props.readOnly)} list={warnings} go={props.go} />}
    </div>
  );
}

/** More template problems than this are folded: all templates often share one mistake. */
const unfolded = 3;

function List(props: { kind: "error" | "warning"; title: string; list: Fault[]; go: Props["go"] }) {
  const { list, go } = props;
  const ofTemplates = list.filter((p) => isAt(p, ["templates"]) && configPath(p)!.length > 1);
  const folded = ofTemplates.length > unfolded;
  return (
    <section class={`notice ${props.kind}`}>
      <h2>{props.title}</h2>
      <ul>{list.filter((p) => !folded || !ofTemplates.includes(p)).map((p) => <Item key={p.pointer + p.detail} problem={p} go={go} />)}</ul>
      {folded && (
        <details>
          <summary>{t("templates", { n: ofTemplates.length })}</summary>
          <ul>{ofTemplates.map((p) => <Item key={p.pointer + p.detail} problem={p} go={go} />)}</ul>
        </details>
      )}
    </section>
  );
}

function Item(props: { problem: Fault; go: Props["go"] }) {
  const { problem } = props;
  const path = configPath(problem) ?? pointerPath(problem.pointer);
  return (
    <li>
      <button type="button" class="link" onClick={() => props.go(path)}>{nameAt(path) || t("whole")}</button>: {translated(problem.detail)}
    </li>
  );
}
