// The life of a connector's draft: edit, validate, save, and rebase on a version that
// someone else saved in the meantime.
import { useMemo, useState } from "preact/hooks";
import { factory, Problem, send, type Answer, type Config, type Connector, type Fault, type Faults } from "../api";
import { href } from "../route";
import { check, draftOf, rebased, sameMeaning, useChecks, withText, type Checked, type Draft } from "./draft";
import { configPath } from "./json-assist";

export type Said = "" | "saved" | "created" | "merged" | "taken";

export interface Work {
  stored?: Connector;
  /** The version that the draft started from. */
  base: Config;
  draft: Draft;
  change: (config: Config) => void;
  changeText: (text: string) => void;
  /** The chosen id of a new connector. */
  id: string;
  setId: (id: string) => void;
  /** The findings to show. */
  checked: Checked;
  dirty: boolean;
  readOnly: boolean;
  busy: boolean;
  failure?: unknown;
  reviewing: boolean;
  said: Said;
  /** Dismisses the notice. */
  dismiss: () => void;
  /** Incremented to move the focus to the problems. */
  called: number;
  lead: () => void;
  /** The version that someone else saved in the meantime. */
  newer?: Answer<Connector>;
  /** Keys changed on both sides. */
  contested: string[];
  /** If the draft is valid, creates the connector or opens the review. */
  prepare: () => Promise<void>;
  save: () => Promise<void>;
  stopReview: () => void;
  discard: () => void;
  /** Applies the draft's changes to the newer version, or discards them. */
  takeNewer: (keep: boolean) => void;
}

/** The connector as it was loaded. */
export interface Subject {
  /** The connector's part of the URL. */
  place: string;
  loaded?: Answer<Connector>;
  start: Config;
  said: Said;
}

export function useWork({ place, loaded, start, said: first }: Subject): Work {
  const [stored, setStored] = useState(loaded);
  const base = stored?.data.config ?? start;
  const [draft, setDraft] = useState<Draft>(() => draftOf(base));
  const [id, setId] = useState("");
  const [left, setLeft] = useState(false);
  const [outcome, setOutcome] = useState<{ said: Said; contested: string[] }>({ said: first, contested: [] });
  const [newer, setNewer] = useState<Answer<Connector>>();
  const [reviewing, setReviewing] = useState(false);
  const readOnly = stored?.data.dmconnector.readOnly ?? false;
  const findings = useFindings(draft, stored?.data, readOnly);
  const { busy, failure, attempt, forget } = useAttempt((list) => {
    findings.add(list);
    setReviewing(false);
  });

  const path = `api/connectors/${encodeURIComponent(place)}`;
  const dismiss = () => setOutcome({ said: "", contested: [] });
  const edit = (next: (old: Draft) => Draft) => {
    setDraft(next);
    dismiss();
  };
  const changeText = (text: string) => {
    // The editor also reports changes that came from here.
    if (text !== draft.text) edit((old) => withText(old, text));
  };
  const apply = (answer: Answer<Connector>, config: Config, said: Said, contested: string[] = []) => {
    setStored(answer);
    setDraft(draftOf(config));
    setNewer(undefined);
    setReviewing(false);
    setOutcome({ said, contested });
  };
  const create = async () => {
    const { data } = await send<Connector>("POST", "api/connectors", { connectorId: factory, config: draft.config, ...(id ? { id } : {}) });
    setLeft(true);
    location.hash = `${href("connectors", data.id, "settings")}?created`;
  };
  const prepare = async () => {
    const found = await check(draft.config, stored?.data.id);
    findings.set(found);
    if (found.errors.length > 0) findings.lead();
    else if (stored) setReviewing(true);
    else await create();
  };
  const save = async () => {
    try {
      const answer = await send<Connector>("PATCH", path, { config: draft.config }, stored?.etag ? { "If-Match": stored.etag } : {});
      apply(answer, answer.data.config, "saved");
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 412) throw error;
      setNewer(await send<Connector>("GET", path));
      setReviewing(false);
    }
  };
  const takeNewer = (keep: boolean) => {
    const theirs = newer!.data.config;
    if (!keep) return apply(newer!, theirs, "taken");
    const { config, contested } = rebased(draft.config, base, theirs);
    apply(newer!, config, "merged", contested);
  };
  const discard = () => {
    edit(() => draftOf(base));
    setId("");
    forget();
  };
  return {
    stored: stored?.data, base, draft, id, setId, readOnly, busy, failure, reviewing, newer, ...outcome, checked: findings.shown, called: findings.called, lead: findings.lead,
    dirty: !left && !readOnly && (draft.broken || id !== "" || !sameMeaning(draft.config, base)),
    change: (config) => edit(() => draftOf(config)), changeText,
    prepare: () => attempt(prepare), save: () => attempt(save), stopReview: () => setReviewing(false), dismiss, discard, takeNewer,
  };
}

/** The service's findings, and whether to show all of them. */
function useFindings(draft: Draft, stored: Connector | undefined, readOnly: boolean) {
  const status = stored?.dmconnector;
  const first = { errors: status?.problems ?? [], warnings: status?.warnings ?? [] };
  const [checked, set] = useChecks(draft.config, stored?.id, draft.broken || readOnly, first);
  const [all, setAll] = useState(stored !== undefined);
  const [called, setCalled] = useState(0);
  const lead = () => {
    setAll(true);
    setCalled((n) => n + 1);
  };
  const add = (errors: Fault[]) => {
    set({ errors, warnings: checked.report.warnings });
    lead();
  };
  const shown = useMemo(() => (all ? checked : { ...checked, report: withoutUntouched(checked.report, draft.config) }), [all, checked, draft.config]);
  return { shown, called, set, lead, add };
}

/** Leaves out problems of fields that were not filled in yet. */
function withoutUntouched(report: Faults, config: Config): Faults {
  const untouched = (path: string[] | null) => path?.length === 1 && (config[path[0]!] ?? "") === "";
  return { errors: report.errors.filter((p) => !untouched(configPath(p))), warnings: report.warnings };
}

/** Runs an action. Problems with a value are reported at that value. */
function useAttempt(refused: (errors: Fault[]) => void) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    setFailure(undefined);
    try {
      await work();
    } catch (error) {
      const errors = valueErrors(error);
      if (errors.length > 0) refused(errors);
      else setFailure(error);
    }
    setBusy(false);
  };
  return { busy, failure, attempt, forget: () => setFailure(undefined) };
}

function valueErrors(error: unknown): Fault[] {
  if (!(error instanceof Problem)) return [];
  const aboutId = error.code === "connector_exists" || error.code === "connector_reserved";
  return aboutId ? [{ pointer: "/id", detail: error.message }] : error.errors;
}
