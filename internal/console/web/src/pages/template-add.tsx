// Adds a template: from a built-in one, from another, or empty.
import { useState } from "preact/hooks";
import { type Template, usageTypeValues } from "../api";
import { texts } from "../i18n";
import { Button, Dialog, Field } from "../ui";
import { fallback } from "./template-choice";
import { languageName, templateName, usageTypeName } from "./template-names";

const t = texts({
  en: { title: "Add a template", type: "Usage type", language: "Language tag", languageHint: "For example en or zh-CN. Leave it empty for all languages.", languageShared: "For example en or zh-CN.", from: "Start from",
    ready: "The built-in template: {name}", copy: "Another template", which: "Template to copy", empty: "An empty template", add: "Add", cancel: "Cancel", there: "A template for this type and language already exists.", bad: "Enter a valid language tag.", needed: "Enter a language: shared templates need one." },
  zh: { title: "添加模板", type: "用途", language: "语言标签", languageHint: "例如 en 或 zh-CN。留空表示用于所有语言。", languageShared: "例如 en 或 zh-CN。", from: "起点",
    ready: "内置模板：{name}", copy: "复制其他模板", which: "要复制的模板", empty: "空白模板", add: "添加", cancel: "取消", there: "该用途和语言已有模板。", bad: "请输入有效的语言标签。", needed: "请输入语言：共享模板必须指定语言。" },
  ja: { title: "テンプレートを追加", type: "用途", language: "言語タグ", languageHint: "en や zh-CN など。空欄はすべての言語用です。", languageShared: "en や zh-CN など。", from: "元にするもの",
    ready: "組み込みテンプレート：{name}", copy: "他のテンプレートを複製", which: "複製元", empty: "空のテンプレート", add: "追加", cancel: "キャンセル", there: "この用途と言語のテンプレートはすでにあります。", bad: "有効な言語タグを入力してください。", needed: "言語を入力してください。共有テンプレートには必須です。" },
});

type Origin = "ready" | "copy" | "empty";

interface Props {
  usageType: string;
  languageTag: string;
  /** Index of the template to copy, if any. */
  copy?: number;
  templates: Template[];
  builtinTemplates: Template[];
  shared: boolean;
  add: (template: Template) => void;
  close: () => void;
}

function fault(props: Props, usageType: string, tag: string): string | undefined {
  if (!tag) return props.shared ? t("needed") : taken(props, usageType, "");
  try {
    return taken(props, usageType, Intl.getCanonicalLocales(tag)[0] ?? tag);
  } catch {
    return t("bad");
  }
}

function taken(props: Props, usageType: string, tag: string): string | undefined {
  const found = props.templates.some((x) => x.usageType === usageType && (x.languageTag ?? "").toLowerCase() === tag.toLowerCase());
  return found ? t("there") : undefined;
}

export function AddDialog(props: Props) {
  const [usageType, setUsageType] = useState(props.usageType);
  const [tag, setTag] = useState(props.languageTag);
  const [origin, setOrigin] = useState<Origin>(props.copy === undefined ? "ready" : "copy");
  const [copied, setCopied] = useState(props.copy ?? 0);
  const [asked, setAsked] = useState(false);
  const ready = fallback(props.builtinTemplates, usageType, tag.trim(), "en")?.template;
  const wrong = fault(props, usageType, tag.trim());

  const submit = (e: Event) => {
    e.preventDefault();
    setAsked(true);
    if (wrong) return;
    const source = origin === "ready" ? ready : origin === "copy" ? props.templates[copied] : undefined;
    const made: Template = { ...(source ?? { subject: "", content: "" }), usageType };
    delete made.languageTag;
    if (tag.trim()) made.languageTag = tag.trim();
    props.add(made);
  };
  const choice = (value: Origin, label: string) => (
    <label class="origin"><input type="radio" name="origin" checked={origin === value} onChange={() => setOrigin(value)} /> {label}</label>
  );
  return (
    <Dialog title={t("title")} close={props.close}>
      <form onSubmit={submit} noValidate>
        <div class="pair">
          <Field label={t("type")}>
            {(ids) => <select {...ids} value={usageType} onChange={(e) => setUsageType(e.currentTarget.value)}>{[...new Set([...usageTypeValues, usageType])].map((x) => <option key={x} value={x}>{usageTypeName(x)}</option>)}</select>}
          </Field>
          <Field label={t("language")} hint={t(props.shared ? "languageShared" : "languageHint")} error={asked ? wrong : undefined}>
            {(ids) => (
              <>
                <input {...ids} list="template-languages" value={tag} autocomplete="off" onInput={(e) => setTag(e.currentTarget.value)} />
                <datalist id="template-languages">{["en", "zh-CN", "zh-TW", "ja", "ko", "de", "fr", "es", "pt-BR"].map((x) => <option key={x} value={x}>{languageName(x)}</option>)}</datalist>
              </>
            )}
          </Field>
        </div>
        <fieldset class="origins">
          <legend>{t("from")}</legend>
          {ready && choice("ready", t("ready", { name: templateName(ready) }))}
          {props.templates.length > 0 && choice("copy", t("copy"))}
          {origin === "copy" && (
            <Field label={t("which")}>
              {(ids) => <select {...ids} value={copied} onChange={(e) => setCopied(Number(e.currentTarget.value))}>{props.templates.map((x, i) => <option key={i} value={i}>{templateName(x)}</option>)}</select>}
            </Field>
          )}
          {choice("empty", t("empty"))}
        </fieldset>
        <div class="row">
          <Button kind="primary" type="submit">{t("add")}</Button>
          <Button onClick={props.close}>{t("cancel")}</Button>
        </div>
      </form>
    </Dialog>
  );
}
