// A development server: serves a built console in front of a running service.
// node dev.mjs PORT SERVICE-PORT DIST
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { extname } from "node:path";

const [port, service, dist] = process.argv.slice(2);
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

createServer(async (req, res) => {
  if (req.url.startsWith("/api/")) {
    const passed = request({ host: "127.0.0.1", port: service, path: req.url, method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    });
    passed.on("error", () => res.destroy());
    req.pipe(passed);
    res.on("close", () => passed.destroy());
    return;
  }
  const path = req.url === "/" ? "/index.html" : new URL(req.url, "http://x").pathname;
  try {
    const data = await readFile(dist + path);
    res.writeHead(200, { "Content-Type": types[extname(path)] ?? "application/octet-stream", "Content-Security-Policy": policy });
    res.end(data);
  } catch {
    res.writeHead(404).end();
  }
}).listen(port, "127.0.0.1");
