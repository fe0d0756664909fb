// The editor of one template, with a preview beside it.
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type Config, type Fault, type Faults, type Template, usageTypeValues } from "../api";
import { texts } from "../i18n";
import { Field, Notice } from "../ui";
import { PreviewPane } from "./preview";
import { TemplateField } from "./template-field";
import { usageTypeName } from "./template-names";
import { payloadOf, type Samples, samplesFor, SamplesPane } from "./template-samples";
import { translated } from "./sentences";

const t = texts({
  en: {
    subject: "Subject", content: "Content", contentText: "Content (plain text)", text: "Plain-text version", textHint: "For mail clients that show no HTML. Without it, they show the HTML as text, or nothing.",
    hint: "Type {{ to see the variables that this flow sends.", more: "Sender, content type and language", type: "Content type", html: "HTML", plain: "Plain text", sendFrom: "Sender name",
    sendFromHint: "At most 15 characters. Leave it empty for the connector's.", replyTo: "Reply address", replyToHint: "One address. Leave it empty for the connector's.", escape: "Values in HTML",
    escapeHTML: "Escaped by context (safe)", escapeNone: "Unescaped, like Logto (anyone who can set a name can inject HTML)", usageType: "Usage type", languageTag: "Language tag", anyLanguage: "Leave it empty for all languages.",
  },
  zh: {
    subject: "主题", content: "正文", contentText: "正文（纯文本）", text: "纯文本版本", textHint: "供不支持 HTML 的邮件客户端使用。没有时，它们会把 HTML 显示为文字，或什么都不显示。",
    hint: "输入 {{ 可选择该流程发送的变量。", more: "发件人、类型与语言", type: "正文类型", html: "HTML", plain: "纯文本", sendFrom: "发信人名称",
    sendFromHint: "留空则用连接器的。最多 15 个字符。", replyTo: "回信地址", replyToHint: "一个邮箱地址。留空则用连接器的。", escape: "HTML 中的值",
    escapeHTML: "按上下文转义（安全）", escapeNone: "不转义，与 Logto 相同（能设置名称的人就能注入 HTML）", usageType: "用途", languageTag: "语言标签", anyLanguage: "留空：用于所有语言。",
  },
  ja: {
    subject: "件名", content: "本文", contentText: "本文（プレーンテキスト）", text: "テキスト版", textHint: "HTML を表示しないメールソフト向けです。ない場合は HTML が文字として表示されるか、何も表示されません。",
    hint: "{{ と入力すると、このフローが送る変数から選べます。", more: "差出人・種類・言語", type: "本文の種類", html: "HTML", plain: "プレーンテキスト", sendFrom: "差出人名",
    sendFromHint: "空ならコネクターの設定を使います。15 文字まで。", replyTo: "返信先", replyToHint: "アドレスを 1 つ。空ならコネクターの設定を使います。", escape: "HTML に入る値",
    escapeHTML: "文脈に応じてエスケープ（安全）", escapeNone: "Logto と同じくエスケープしない（名前を設定できる人が HTML を挿入できます）", usageType: "用途", languageTag: "言語タグ", anyLanguage: "空欄：すべての言語用。",
  },
});

/** What a template is previewed with. */
export interface Setting {
  connectorId: string;
  config: Config;
  index: number;
}

interface Props {
  template: Template;
  change: (template: Template) => void;
  problems: Faults;
  readOnly: boolean;
  /** Shared templates have Logto's shape: no text, no escape, fixed type and language. */
  shared: boolean;
  setting: Setting;
  languages: string[];
  /** Describes the preview. */
  about: ComponentChildren;
}

type Key = "subject" | "content" | "text" | "sendFrom" | "replyTo" | "contentType" | "escape" | "usageType" | "languageTag";

/** The problems of one field, or of the template itself for "". */
function problemsOf(problems: Fault[], field: Key | ""): Fault[] {
  return problems.filter((p) => p.pointer === (field && `/${field}`));
}

export function Workbench(props: Props) {
  const { template, problems } = props;
  const [samples, setSamples] = useState<Samples>(() => samplesFor(template));
  const payload = useMemo(() => payloadOf(samples), [samples]);
  const sample = useMemo(() => ({ usageType: template.usageType, payload }), [template.usageType, payload]);
  const set = (key: Key) => (value: string) => {
    const next = { ...template, [key]: value };
    if (!value && key !== "subject" && key !== "content" && key !== "usageType") delete next[key];
    props.change(next);
  };
  const plain = template.contentType === "text/plain";
  const whole = [...problemsOf(problems.errors, ""), ...problemsOf(problems.warnings, "")];
  const common = (field: Key) => ({
    change: set(field), sample, readOnly: props.readOnly, value: template[field] ?? "",
    errors: problemsOf(problems.errors, field), warnings: problemsOf(problems.warnings, field),
  });
  return (
    <div class="workbench">
      <div class="stack">
        <section class="card">
          {whole.map((p) => <Notice key={p.detail} kind="warning">{translated(p.detail)}</Notice>)}
          <TemplateField label={t("subject")} kind="line" {...common("subject")} />
          <TemplateField key={plain ? "plain" : "html"} label={t(plain ? "contentText" : "content")} kind={plain ? "text" : "html"} height="24rem" hint={t("hint")} {...common("content")} />
          {!props.shared && !plain && <TemplateField label={t("text")} kind="text" height="9rem" hint={t("textHint")} {...common("text")} />}
          <More {...props} set={set} />
        </section>
        <SamplesPane template={template} samples={samples} change={setSamples} languages={props.languages} />
      </div>
      <div class="stack beside">
        <PreviewPane asked={{ ...props.setting, template, payload }} about={props.about} />
      </div>
    </div>
  );
}

function More(props: Props & { set: (key: Key) => (value: string) => void }) {
  const { template, problems, readOnly, set } = props;
  const first = (list: Fault[], field: Key) => {
    const found = problemsOf(list, field)[0];
    return found && translated(found.detail);
  };
  const told = (field: Key) => ({ error: first(problems.errors, field), warning: first(problems.warnings, field) });
  const input = (field: Key, label: string, hint?: string, list?: string) => (
    <Field label={label} hint={hint} {...told(field)}>
      {(ids) => <input {...ids} readOnly={readOnly} value={template[field] ?? ""} list={list} onInput={(e) => set(field)(e.currentTarget.value)} />}
    </Field>
  );
  const select = (field: Key, label: string, options: [string, string][]) => (
    <Field label={label} {...told(field)}>
      {(ids) => (
        <select {...ids} disabled={readOnly} value={template[field] ?? ""} onChange={(e) => set(field)(e.currentTarget.value)}>
          {options.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
        </select>
      )}
    </Field>
  );
  const types = [...new Set([...usageTypeValues, template.usageType])];
  return (
    <details class="more">
      <summary>{t("more")}</summary>
      <div class="pair">
        {input("sendFrom", t("sendFrom"), t("sendFromHint"))}
        {input("replyTo", t("replyTo"), t("replyToHint"))}
        {select("contentType", t("type"), [...(template.contentType === "text/html" ? [["text/html", t("html")] as [string, string]] : [["", t("html")] as [string, string]]), ["text/plain", t("plain")]])}
        {!props.shared && select("escape", t("escape"), [[template.escape === "html" ? "html" : "", t("escapeHTML")], ["none", t("escapeNone")]])}
        {!props.shared && select("usageType", t("usageType"), types.map((type) => [type, `${usageTypeName(type)} (${type})`]))}
        {!props.shared && input("languageTag", t("languageTag"), t("anyLanguage"))}
      </div>
    </details>
  );
}
