// Routing by the URL's fragment, which works under any path and never reaches a
// server's log.
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

export interface Route {
  /** The parts of the path, decoded: ["connectors", "default"]. */
  path: string[];
  query: URLSearchParams;
}

function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The fragment of a page: href("connectors", id) is "#/connectors/default". */
export function href(...path: string[]): string {
  return "#/" + path.map(encodeURIComponent).join("/");
}

let unsaved: { within: string; leave: () => boolean } | null = null;

/**
 * Asks for confirmation before a page with unsaved changes is left. Paths below
 * "within", such as the page's own tabs, need none.
 */
export function useUnsaved(dirty: boolean, question: string, within = ""): void {
  // A layout effect, since a page that has just saved may navigate at once.
  useLayoutEffect(() => {
    if (!dirty) return;
    unsaved = { within, leave: () => window.confirm(question) };
    const hold = (e: BeforeUnloadEvent) => e.preventDefault();
    window.addEventListener("beforeunload", hold);
    return () => {
      unsaved = null;
      window.removeEventListener("beforeunload", hold);
    };
  }, [dirty, question, within]);
}

function isBelow(hash: string, path: string): boolean {
  return path !== "" && hash.startsWith(path) && ["", "/", "?"].includes(hash.charAt(path.length));
}

// One listener for all users of the route, so that a change asks only once.
let shown = location.hash;
const watchers = new Set<(hash: string) => void>();

window.addEventListener("hashchange", () => {
  if (location.hash === shown) return;
  if (unsaved && !isBelow(location.hash, unsaved.within) && !unsaved.leave()) {
    history.replaceState(null, "", shown || "#/");
    return;
  }
  shown = location.hash;
  for (const watcher of watchers) watcher(shown);
});

export function useRoute(): Route {
  const [hash, setHash] = useState(shown);
  useEffect(() => {
    setHash(shown);
    watchers.add(setHash);
    return () => {
      watchers.delete(setHash);
    };
  }, []);
  return parse(hash);
}
