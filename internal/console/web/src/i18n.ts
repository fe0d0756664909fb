// The console's languages. Each module has its own texts, in all three.

export type Language = "en" | "zh" | "ja";

export const languages: Record<Language, string> = { en: "English", zh: "简体中文", ja: "日本語" };

const kept = "dmconnector.language";

function preferred(): Language {
  const saved = localStorage.getItem(kept);
  for (const tag of [saved ?? "", ...navigator.languages]) {
    const base = tag.split("-")[0];
    if (base === "en" || base === "zh" || base === "ja") return base;
  }
  return "en";
}

let current = preferred();

export function language(): Language {
  return current;
}

/** Tag for Intl and for the page's lang attribute. */
export function languageTag(): string {
  return { en: "en", zh: "zh-CN", ja: "ja" }[current];
}

/** Sets the language. The caller renders the page again. */
export function setLanguage(next: Language): void {
  current = next;
  localStorage.setItem(kept, next);
  document.documentElement.lang = languageTag();
}

type Values = Record<string, string | number>;

/**
 * Declares the texts of a module. The result returns a key's text in the current
 * language, with each {name} replaced by its value.
 */
export function texts<K extends string>(all: Record<Language, Record<K, string>>) {
  return (key: K, values?: Values): string => fill(all[current][key], values);
}

/** Replaces each {name} by its value. */
export function fill(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function formatTime(iso: string): string {
  return new Date(iso).toLocaleString(languageTag(), { dateStyle: "medium", timeStyle: "medium" });
}

/** Such as "3 minutes ago". */
export function formatAgo(iso: string, now = Date.now()): string {
  const seconds = Math.round((new Date(iso).getTime() - now) / 1000);
  const format = new Intl.RelativeTimeFormat(languageTag(), { numeric: "auto" });
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [["second", 60], ["minute", 60], ["hour", 24], ["day", 1e9]];
  let n = seconds;
  for (const [unit, size] of steps) {
    if (Math.abs(n) < size) return format.format(Math.round(n), unit);
    n /= size;
  }
  return formatTime(iso);
}

export function formatNumber(n: number): string {
  return n.toLocaleString(languageTag());
}
