// A list of templates: the matrix, or the editor of one of them.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Faults, Template } from "../api";
import { texts } from "../i18n";
import { Button, Empty } from "../ui";
import { AddDialog } from "./template-add";
import { languagesOf } from "./template-choice";
import { Matrix } from "./template-matrix";
import { templateName } from "./template-names";
import { type Setting, Workbench } from "./template-workbench";

const t = texts({
  en: { all: "All templates", copy: "Copy…", remove: "Delete", sure: "Delete the template “{name}”?", add: "Add a template…", none: "There are no templates yet.", other: "Template" },
  zh: { all: "全部模板", copy: "复制…", remove: "删除", sure: "要删除模板“{name}”吗？", add: "添加模板…", none: "还没有模板。", other: "模板" },
  ja: { all: "すべてのテンプレート", copy: "複製…", remove: "削除", sure: "テンプレート「{name}」を削除しますか？", add: "テンプレートを追加…", none: "テンプレートはまだありません。", other: "テンプレート" },
});

interface Props {
  templates: Template[];
  builtinTemplates: Template[];
  change: (templates: Template[]) => void;
  /** Removes one; by default through change. */
  remove?: (index: number) => void;
  problems: (index: number) => Faults;
  setting: (index: number) => Setting;
  readOnly: boolean;
  shared: boolean;
  defaultLanguage?: string;
  about: ComponentChildren;
  /** Above the matrix, left of the actions. */
  filters?: ComponentChildren;
  type?: string;
  language?: string;
  /** Called with the index of the open template. */
  opened?: (index: number | null) => void;
}

interface Adding {
  usageType: string;
  languageTag: string;
  copy?: number;
}

export function TemplateSet(props: Props) {
  const [chosen, setChosen] = useState<number | null>(null);
  const [adding, setAdding] = useState<Adding | null>(null);
  const open = (index: number | null) => {
    setChosen(index);
    props.opened?.(index);
  };
  const add = (template: Template) => {
    setAdding(null);
    props.change([...props.templates, template]);
    open(props.templates.length);
  };
  const template = chosen === null ? undefined : props.templates[chosen];
  return (
    <div class="templates">
      {template && chosen !== null
        ? <One {...props} index={chosen} template={template} open={open} copy={() => setAdding({ usageType: template.usageType, languageTag: "", copy: chosen })} />
        : <All {...props} open={open} add={setAdding} />}
      {adding && <AddDialog {...adding} templates={props.templates} builtinTemplates={props.builtinTemplates} shared={props.shared} add={add} close={() => setAdding(null)} />}
    </div>
  );
}

function All(props: Props & { open: (index: number) => void; add: (adding: Adding) => void }) {
  const count = (index: number) => {
    const { errors, warnings } = props.problems(index);
    return { errors: errors.length, warnings: warnings.length };
  };
  return (
    <>
      <div class="page-head bar">
        <div class="row">{props.filters}</div>
        {!props.readOnly && <Button onClick={() => props.add({ usageType: props.type || "SignIn", languageTag: props.language ?? "" })}>{t("add")}</Button>}
      </div>
      {props.templates.length === 0 && <Empty>{t("none")}</Empty>}
      {props.templates.length > 0 && (
        <Matrix templates={props.templates} defaultLanguage={props.defaultLanguage} type={props.type} language={props.language} readOnly={props.readOnly} shared={props.shared}
          choose={props.open} add={(usageType, languageTag) => props.add({ usageType, languageTag })} count={count} />
      )}
    </>
  );
}

function One(props: Props & { index: number; template: Template; open: (index: number | null) => void; copy: () => void }) {
  const { index, templates, template } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), [index]);
  const name = templateName(template);
  const remove = () => {
    if (!window.confirm(t("sure", { name }))) return;
    props.open(null);
    if (props.remove) props.remove(index);
    else props.change(templates.filter((_, i) => i !== index));
  };
  return (
    <>
      <div class="page-head">
        <div class="row">
          <Button kind="plain" onClick={() => props.open(null)}>← {t("all")}</Button>
          <h2 tabIndex={-1} ref={heading}>{name}</h2>
        </div>
        <div class="actions">
          <select aria-label={t("other")} value={index} onChange={(e) => props.open(Number(e.currentTarget.value))}>
            {templates.map((x, i) => <option key={i} value={i}>{templateName(x)}</option>)}
          </select>
          {!props.readOnly && <Button onClick={props.copy}>{t("copy")}</Button>}
          {!props.readOnly && <Button kind="danger" onClick={remove}>{t("remove")}</Button>}
        </div>
      </div>
      <Workbench key={index} template={template} change={(next) => props.change(templates.map((x, i) => (i === index ? next : x)))}
        problems={props.problems(index)} readOnly={props.readOnly} shared={props.shared} setting={props.setting(index)} languages={languagesOf(templates)} about={props.about} />
    </>
  );
}
