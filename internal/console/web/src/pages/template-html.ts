// HTML in the editor. CodeMirror's own package brings JavaScript and CSS along, a
// fifth of this page's script, which mails hardly need.
import { bracketMatchingHandle, foldNodeProp, indentNodeProp, LanguageSupport, LRLanguage } from "@codemirror/language";
import { parser } from "@lezer/html";

const language = LRLanguage.define({
  name: "html",
  parser: parser.configure({
    props: [
      indentNodeProp.add({
        Element: (context) => {
          const closes = /^\s*<\//.test(context.textAfter);
          return context.lineIndent(context.node.from) + (closes ? 0 : context.unit);
        },
      }),
      foldNodeProp.add({
        Element: (node) => {
          const first = node.firstChild;
          const last = node.lastChild;
          if (!first || first.name !== "OpenTag" || !last || last.name !== "CloseTag") return null;
          return { from: first.to, to: last.from };
        },
      }),
      bracketMatchingHandle.add({ "OpenTag CloseTag": (node) => node.getChild("TagName") }),
    ],
  }),
  languageData: { commentTokens: { block: { open: "<!--", close: "-->" } } },
});

export function html(): LanguageSupport {
  return new LanguageSupport(language);
}
