// Live updates.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, type MessagePage, Problem, reportSignedOut, type Session } from "../api";

/** Calls act periodically while the page is visible, and whenever it becomes visible. */
export function useEvery(milliseconds: number, act: () => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const turn = () => document.hidden || latest.current();
    const timer = setInterval(turn, milliseconds);
    document.addEventListener("visibilitychange", turn);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", turn);
    };
  }, [milliseconds]);
}

const tryAgainAfter = 2000;

/**
 * Follows a list of messages until the returned function is called. EventSource does
 * not say why it failed, so a failure checks the session.
 */
function follow(path: string, receive: (page: MessagePage) => void, lost: () => void): () => void {
  let source: EventSource | undefined;
  let timer = 0;
  let stopped = false;
  let told = false;

  const open = () => {
    // Browsers limit connections per host, so hidden pages close theirs.
    if (stopped || document.hidden || source) return;
    source = new EventSource(path);
    source.addEventListener("messages", (e) => {
      told = false;
      receive(JSON.parse(e.data) as MessagePage);
    });
    source.onerror = () => {
      close();
      lost();
      void ask();
    };
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const ask = async () => {
    const error = await get<Session>("api/session").then(() => null, (e: unknown) => e);
    if (stopped) return;
    const ended = error instanceof Problem && error.status === 401;
    if (ended && !told) reportSignedOut();
    told = ended;
    timer = window.setTimeout(error ? ask : open, tryAgainAfter);
  };
  const turn = () => {
    if (!document.hidden) return open();
    close();
    lost();
  };

  document.addEventListener("visibilitychange", turn);
  open();
  return () => {
    stopped = true;
    document.removeEventListener("visibilitychange", turn);
    close();
  };
}

export interface Feed {
  page?: MessagePage;
  live: boolean;
}

/** The newest messages of a path, live; null follows nothing. */
export function useFeed(path: string | null): Feed {
  const [feed, setFeed] = useState<Feed>({ live: false });
  useEffect(() => {
    setFeed({ live: false });
    if (path === null) return;
    return follow(path, (page) => setFeed({ page, live: true }), () => setFeed((f) => ({ ...f, live: false })));
  }, [path]);
  return feed;
}
