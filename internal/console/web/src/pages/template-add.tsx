// A new template, made from a ready-made one, from another, or from nothing.
import { useState } from "preact/hooks";
import { type Template, usageTypeValues } from "../api";
import { texts } from "../i18n";
import { Button, Dialog, Field } from "../ui";
import { fallback } from "./template-choice";
import { languageName, templateName, usageTypeName } from "./template-names";

const t = texts({
  en: { title: "Add a template", type: "Usage type", language: "Language tag", languageHint: "Such as en or zh-CN. Empty is for all languages.", languageShared: "Such as en or zh-CN.", from: "Begin with",
    ready: "The ready-made one: {name}", copy: "A copy of another", which: "Which one", empty: "An empty one", add: "Add", cancel: "Cancel", there: "There is already a template for this type and language.", bad: "This is not a language tag.", needed: "Shared templates have a language." },
  zh: { title: "添加模板", type: "用途", language: "语言标签", languageHint: "例如 en 或 zh-CN。留空表示用于所有语言。", languageShared: "例如 en 或 zh-CN。", from: "起点",
    ready: "现成模板：{name}", copy: "复制另一个模板", which: "哪一个", empty: "空白模板", add: "添加", cancel: "取消", there: "该用途和语言已有模板。", bad: "这不是语言标签。", needed: "共享模板必须有语言。" },
  ja: { title: "テンプレートを追加", type: "用途", language: "言語タグ", languageHint: "en や zh-CN など。空欄はすべての言語用です。", languageShared: "en や zh-CN など。", from: "元にするもの",
    ready: "既製のもの：{name}", copy: "他のテンプレートの複製", which: "複製元", empty: "空のもの", add: "追加", cancel: "キャンセル", there: "この用途と言語のテンプレートはすでにあります。", bad: "言語タグではありません。", needed: "共有テンプレートには言語が必要です。" },
});

type Origin = "ready" | "copy" | "empty";

interface Props {
  usageType: string;
  languageTag: string;
  /** Index of the template to copy, if that is what was asked for. */
  copy?: number;
  templates: Template[];
  readyMade: Template[];
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
  const ready = fallback(props.readyMade, usageType, tag.trim(), "en")?.template;
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
