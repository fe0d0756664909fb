// Light, dark, or as the system has it.
export type Theme = "system" | "light" | "dark";

const kept = "dmconnector.theme";

export function theme(): Theme {
  const saved = localStorage.getItem(kept);
  return saved === "light" || saved === "dark" ? saved : "system";
}

export function applyTheme(next: Theme = theme()): void {
  localStorage.setItem(kept, next);
  document.documentElement.style.colorScheme = next === "system" ? "light dark" : next;
  // For what is drawn on a canvas.
  window.dispatchEvent(new Event("themechange"));
}
