// The colour theme: light, dark, or the system's.
export type Theme = "system" | "light" | "dark";

const kept = "dmconnector.theme";

export function theme(): Theme {
  const saved = localStorage.getItem(kept);
  return saved === "light" || saved === "dark" ? saved : "system";
}

export function applyTheme(next: Theme = theme()): void {
  localStorage.setItem(kept, next);
  document.documentElement.style.colorScheme = next === "system" ? "light dark" : next;
  // Charts redraw their canvas.
  window.dispatchEvent(new Event("themechange"));
}
