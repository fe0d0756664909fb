// Which template the matrix shows for a type and a language. The service decides; the
// preview shows its decision.
import type { EmailTemplate, Template } from "../api";

export interface Fallback {
  template: Template;
  /** Generic is used in place of the type. */
  generic: boolean;
}

function locale(tag: string): Intl.Locale | null {
  try {
    return new Intl.Locale(tag).maximize();
  } catch {
    return null;
  }
}

/** The template of the list that matches the language, or undefined. */
function fitting(list: Template[], tag: string): Template | undefined {
  const exact = list.find((t) => t.languageTag === tag);
  const wanted = tag ? locale(tag) : null;
  if (exact || !wanted) return exact;
  const related = list.filter((t) => t.languageTag && locale(t.languageTag)?.language === wanted.language);
  return related.find((t) => locale(t.languageTag!)?.script === wanted.script) ?? related[0];
}

/** The template used for a type and a language that have none of their own. */
export function fallback(list: Template[], usageType: string, tag: string, defaultLanguage = ""): Fallback | null {
  const own = list.filter((t) => t.usageType === usageType);
  const generic = own.length === 0;
  const candidates = generic ? list.filter((t) => t.usageType === "Generic" || t.usageType === "Test") : own;
  const template = (tag && fitting(candidates, tag)) || candidates.find((t) => !t.languageTag) ||
    (defaultLanguage && fitting(candidates, defaultLanguage)) || candidates[0];
  return template ? { template, generic } : null;
}

/** Languages of the list, in its order; "" is any. */
export function languagesOf(list: Template[]): string[] {
  const tags = [...new Set(list.map((t) => t.languageTag ?? ""))];
  return [...tags.filter((tag) => tag !== ""), ...tags.filter((tag) => tag === "")];
}

export function asTemplate(t: EmailTemplate): Template {
  return { usageType: t.templateType, languageTag: t.languageTag, ...t.details };
}
