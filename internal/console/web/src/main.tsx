import { render } from "preact";
import { App } from "./app";
import { language, setLanguage } from "./i18n";
import { applyTheme } from "./theme";
import "./style.css";

applyTheme();
setLanguage(language());
render(<App />, document.getElementById("root")!);
