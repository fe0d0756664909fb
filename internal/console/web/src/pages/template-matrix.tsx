// Templates by usage type and language, and which one is used where there is none.
import { type Template, usageTypeValues } from "../api";
import { texts } from "../i18n";
import { Badge } from "../ui";
import { fallback, languagesOf } from "./template-choice";
import { languageName, usageTypeName } from "./template-names";
import { plainFlow, sketch } from "./variables";

const t = texts({
  en: { label: "Templates by usage type and language", type: "Usage type", uses: "uses {name}", none: "no template", ownOnly: "only connectors’ own", edit: "Edit {type}, {language}: {subject}", add: "Add {type}, {language}",
    legend: "Gray entries have no template of their own and show which one is used instead. Click one to add a template.", legendReadOnly: "Gray entries have no template of their own and show which one is used instead.", noSubject: "(no subject)", problems: "Errors: {n}", warnings: "Warnings: {n}" },
  zh: { label: "按用途和语言列出的模板", type: "用途", uses: "使用{name}", none: "没有模板", ownOnly: "仅用连接器自己的模板", edit: "编辑{type}，{language}：{subject}", add: "添加{type}，{language}",
    legend: "灰色项没有专用模板，显示的是代替它的模板。点击即可添加。", legendReadOnly: "灰色项没有专用模板，显示的是代替它的模板。", noSubject: "（无主题）", problems: "错误：{n}", warnings: "警告：{n}" },
  ja: { label: "用途と言語ごとのテンプレート", type: "用途", uses: "{name} を使用", none: "テンプレートなし", ownOnly: "コネクター独自のテンプレートのみ", edit: "{type}・{language} を編集：{subject}", add: "{type}・{language} を追加",
    legend: "薄い項目には専用のテンプレートがなく、代わりに使われるものを示します。クリックすると追加できます。", legendReadOnly: "薄い項目には専用のテンプレートがなく、代わりに使われるものを示します。", noSubject: "（件名なし）", problems: "エラー：{n}", warnings: "警告：{n}" },
});

interface Props {
  templates: Template[];
  defaultLanguage?: string;
  /** "" shows all. */
  type?: string;
  /** undefined shows all. */
  language?: string;
  readOnly: boolean;
  shared: boolean;
  choose: (index: number) => void;
  add: (usageType: string, languageTag: string) => void;
  count: (index: number) => { errors: number; warnings: number };
}

export function Matrix(props: Props) {
  const known: readonly string[] = usageTypeValues;
  const types = [...known, ...new Set(props.templates.map((x) => x.usageType).filter((x) => !known.includes(x)))].filter((x) => !props.type || x === props.type);
  const languages = languagesOf(props.templates).filter((tag) => props.language === undefined || tag === props.language);
  return (
    <>
      <div class="table matrix" role="region" aria-label={t("label")} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("type")}</th>
              {languages.map((tag) => <th key={tag} scope="col">{languageName(tag)}{tag && <span class="tag"> {tag}</span>}</th>)}
            </tr>
          </thead>
          <tbody>
            {types.map((type) => (
              <tr key={type}>
                <th scope="row">{usageTypeName(type)}<code>{type}</code></th>
                {languages.map((tag) => <td key={tag}><Cell {...props} usageType={type} languageTag={tag} /></td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="hint">{t(props.readOnly ? "legendReadOnly" : "legend")}</p>
    </>
  );
}

function Cell(props: Props & { usageType: string; languageTag: string }) {
  const place = { type: usageTypeName(props.usageType), language: languageName(props.languageTag) };
  const own = props.templates.flatMap((x, i) => (x.usageType === props.usageType && (x.languageTag ?? "") === props.languageTag ? [i] : []));
  if (own.length === 0) return <Absent {...props} label={t("add", place)} />;
  return (
    <>
      {own.map((i) => {
        const subject = sketch(props.templates[i]!.subject, plainFlow(props.usageType).payload) || t("noSubject");
        const { errors, warnings } = props.count(i);
        return (
          <button key={i} type="button" class="cell" aria-label={t("edit", { ...place, subject })} onClick={() => props.choose(i)} lang={props.languageTag || undefined}>
            <span class="cell-subject">{subject}</span>
            {errors > 0 && <Badge tone="bad">{t("problems", { n: errors })}</Badge>}
            {warnings > 0 && <Badge tone="warn">{t("warnings", { n: warnings })}</Badge>}
          </button>
        );
      })}
    </>
  );
}

function Absent(props: Props & { usageType: string; languageTag: string; label: string }) {
  const found = fallback(props.templates, props.usageType, props.languageTag, props.defaultLanguage);
  const name = found && [found.generic ? usageTypeName("Generic") : "", found.template.languageTag || languageName("")].filter(Boolean).join(", ");
  const text = name ? t("uses", { name }) : t(props.shared ? "ownOnly" : "none");
  if (props.readOnly) return <span class="muted small">{text}</span>;
  return (
    <button type="button" class="cell absent" aria-label={`${text}. ${props.label}`} onClick={() => props.add(props.usageType, props.languageTag)}>
      {text}<span class="plus" aria-hidden="true">+</span>
    </button>
  );
}
