//go:build linux

package attack_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"dmconnector/aliyundm/sandbox"
)

// connectorOf returns connectors to attack, by the id "attacked".
func connectorOf(config map[string]any) map[string]map[string]any {
	return map[string]map[string]any{"attacked": config}
}

var limitsOff = map[string]any{"recipient": "off", "connector": "off"}

func contentAttacks() []scenario {
	slow := []sandbox.Fault{{Kind: "delay", Duration: "300ms"}}
	return []scenario{
		{"Values of 60 KiB of `&`", setup{}, func(t *testing.T, g *target) (string, string) {
			return amplify(t, g, "default", 256, strings.Repeat("&", 60<<10), "202", "422", "429", "503")
		}},
		{"Bodies of 1 MB", setup{}, func(t *testing.T, g *target) (string, string) {
			return amplify(t, g, "default", 256, strings.Repeat("&", 1<<20), "400", "413", "422", "429", "503")
		}},
		{
			"Values of 4 KiB of `&` in a template that shows them 20,000 times",
			setup{connectors: connectorOf(worstConnector())},
			func(t *testing.T, g *target) (string, string) {
				return amplify(t, g, "attacked", 256, strings.Repeat("&", 4<<10), "202", "422", "429", "503")
			},
		},
		{
			"Mails of almost 512 KiB, while Direct Mail is slow",
			setup{connectors: connectorOf(connectorWith(limitsOff, strings.Repeat("t", 290<<10)+strings.Repeat("{{code}}", 10))), faults: slow},
			func(t *testing.T, g *target) (string, string) {
				return amplify(t, g, "attacked", 512, strings.Repeat("&", 4<<10), "200", "202", "204", "429", "503", "504")
			},
		},
		{"Admins' bodies of 8 MB", setup{}, adminBodies},
		{"JSON that is deep, wide, long or malformed", setup{}, badJSON},
		{"Compressed bodies that unpack to 60 MB", setup{}, badEncodings},
		{"Malformed and smuggled requests", setup{}, malformed},
	}
}

// amplify sends a code by all ways that render it, 64 at once.
func amplify(t *testing.T, g *target, connector string, n int, code string, want ...string) (string, string) {
	t.Helper()
	const callers = 64
	client := g.client(true)
	var outcomes tally
	each(n, callers, func(i int) {
		to := fmt.Sprintf("victim%d@example.com", i)
		payload := map[string]any{"code": code}
		message := map[string]any{"to": to, "type": "Generic", "payload": payload}
		path, token, body, prefer := "/send", sendToken, message, ""
		switch i % 4 {
		case 1:
			prefer = "respond-async"
		case 2:
			path, token, body = "/test", adminToken, map[string]any{"email": to, "type": "Generic", "payload": payload}
		case 3:
			path, token, body = "/preview", adminToken, map[string]any{"to": to, "type": "Generic", "payload": payload}
		}
		data, err := json.Marshal(body)
		if err != nil {
			t.Error(err)
			return
		}
		// Otherwise & would be written as \u0026.
		text := strings.ReplaceAll(string(data), `\u0026`, "&")
		a, err := g.call(client, http.MethodPost, "/api/connectors/"+connector+path, text,
			"Authorization", "Bearer "+token, "Content-Type", "application/json", "Prefer", prefer)
		switch {
		case err != nil:
			outcomes.add(err.Error())
			return
		case a.took > answerTime:
			timing(t, "%s was answered after %v", path, a.took)
		}
		outcomes.add(fmt.Sprint(a.status))
	})
	outcomes.only(t, "answers", want...)
	return fmt.Sprintf("%d requests, %d at once: direct, queued and test sends, previews", n, callers), outcomes.String()
}

func adminBodies(t *testing.T, g *target) (string, string) {
	const n, callers, size = 96, 32, 8_000_000
	bodies := []string{
		`{"config":{"templates":[` + strings.TrimSuffix(strings.Repeat("{},", size/3), ",") + `]}}`,
		`{"config":[` + strings.TrimSuffix(strings.Repeat("1,", size/2), ",") + `]}`,
		`{"config":{"accountName":"` + strings.Repeat("&", size) + `"}}`,
		`{"config":` + strings.Repeat(`{"a":`, size/7) + "1" + strings.Repeat("}", size/7) + `}`,
	}
	paths := []string{"/api/connector-factories/aliyun-direct-mail/validate", "/api/connectors", "/api/connectors/default/preview"}
	client := g.client(true)
	var outcomes tally
	each(n, callers, func(i int) {
		a, err := g.call(client, http.MethodPost, paths[i/len(bodies)%len(paths)], bodies[i%len(bodies)],
			"Authorization", "Bearer "+adminToken, "Content-Type", "application/json")
		if err != nil {
			outcomes.add(err.Error())
			return
		}
		outcomes.add(fmt.Sprint(a.status))
	})
	outcomes.only(t, "answers", "200", "400", "408", "413", "422", "503")
	return fmt.Sprintf("%d requests, %d at once", n, callers), outcomes.String()
}

func badJSON(t *testing.T, g *target) (string, string) {
	const n = 60 // of each
	valid := `"to":"user@example.com","type":"SignIn"`
	long := func(text string, n int) string { return strings.Repeat(text, n) }
	bodies := []string{
		long("[", 60000),
		`{` + valid + `,"payload":` + long(`{"a":`, 12000) + "1" + long("}", 12000) + `}`,
		`{` + valid + `,"payload":{` + strings.TrimSuffix(members(5000), ",") + `}}`,
		`{` + valid + `,"payload":{"code":"1"},"payload":{"code":"2"}}`,
		`{"to":"a@example.com","to":"b@example.com","type":"SignIn","payload":{}}`,
		`{` + valid + `,"payload":{"code":1` + long("0", 60000) + `}}`,
		`{` + valid + `,"payload":{"code":1e` + long("9", 60000) + `}}`,
		`{` + valid + `,"payload":{"code":"` + "\x00" + `"}}`,
		`{` + valid + `,"payload":{"code":"` + "\xff\xfe" + `"}}`,
		`{` + valid + `,"payload":{"code":"\ud800"}}`,
		`{` + valid + `,"payload":{"code":"1","locale":"` + long("x-", 25000) + `"}}`,
		`{` + valid + `,"payload":{"code":"1","uiLocales":"` + long("zh-Hant-TW-x-", 4500) + `"}}`,
		`{` + valid + `,"payload":{"code":"1","uiLocales":"` + strings.TrimSpace(long("en-US ", 10000)) + `"}}`,
		`{"to":"` + long("a", 60000) + `@example.com","type":"SignIn","payload":{}}`,
		`{"to":"a@` + long("b.", 30000) + `com","type":"SignIn","payload":{}}`,
		`{"to":"user@example.com","type":"` + long("T", 60000) + `","payload":{"code":"1"}}`,
		`{` + valid + `,"payload":{"code":"1"},"ip":"` + long("1.", 30000) + `"}`,
		long(" ", 65000),
		"",
		"null",
	}
	client := g.client(true)
	var outcomes tally
	each(n*len(bodies), 32, func(i int) {
		a, err := g.call(client, http.MethodPost, "/api/send", bodies[i%len(bodies)], "Authorization", "Bearer "+sendToken, "Content-Type", "application/json")
		switch {
		case err != nil:
			outcomes.add(err.Error())
			return
		case a.took > answerTime:
			timing(t, "%.60s was answered after %v", bodies[i%len(bodies)], a.took)
		}
		outcomes.add(fmt.Sprint(a.status))
	})
	// Some are valid messages with odd values. The recipient's limit is off.
	outcomes.only(t, "answers", "200", "400", "408", "413", "422")
	return fmt.Sprintf("%s requests of %d kinds, 32 at once", thousands(n*len(bodies)), len(bodies)), outcomes.String()
}

// members returns members of a JSON object.
func members(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `"k%d":{},`, i)
	}
	return text.String()
}

func badEncodings(t *testing.T, g *target) (string, string) {
	const n = 200
	encodings := []string{"gzip", "deflate", "br", "zstd", "compress", "gzip, gzip", "identity, gzip"}
	client := g.client(true)
	bomb := bombOf(t)
	var outcomes tally
	each(n, 32, func(i int) {
		a, err := g.call(client, http.MethodPost, "/api/send", bomb, "Authorization", "Bearer "+sendToken,
			"Content-Type", "application/json", "Content-Encoding", encodings[i%len(encodings)])
		if err != nil {
			outcomes.add(err.Error())
			return
		}
		outcomes.add(fmt.Sprint(a.status))
	})
	outcomes.only(t, "answers", "400", "415")
	return fmt.Sprintf("%d requests, 32 at once", n), outcomes.String()
}

// bombOf returns the first 60 KiB of zeros, compressed.
func bombOf(t *testing.T) string {
	t.Helper()
	var packed strings.Builder
	w := gzip.NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for packed.Len() < 60<<10 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	return packed.String()[:60<<10]
}

func malformed(t *testing.T, g *target) (string, string) {
	const n = 20 // of each
	auth := "Authorization: Bearer " + sendToken + "\r\n"
	inner := "GET /api/connectors HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + adminToken + "\r\n\r\n"
	requests := []string{
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + inner,
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + "Content-Length : 5\r\n\r\nabcde",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + "Content-Length: -1\r\n\r\n",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + "Content-Length: 99999999999999999999\r\n\r\n",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nx",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n" + auth + "Content-Length: 0\r\n\r\n",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + auth + "Content-Length: 0\r\n\r\n",
		"POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + auth + " folded: x\r\n\r\n",
		"POST /api/send HTTP/1.1\nHost: localhost\n" + strings.ReplaceAll(auth, "\r", "") + "Content-Length: 0\n\n",
		"POST http://other.example/api/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
		"GET /" + strings.Repeat("a", 15000) + "?" + strings.Repeat("b=c&", 50) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /api/messages?limit=99999999999999&before=%00%ff&" + strings.Repeat("state=sent&", 1200) + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + adminToken + "\r\n\r\n",
		"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n",
		"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n\r\n",
		"\x00\x00\x00\x00", "\r\n\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
	}
	var endings, statuses tally
	each(n*len(requests), 100, func(i int) {
		// The last request ends the connections that are kept alive.
		e := exchange{head: requests[i%len(requests)] + "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"}
		e.attack(g)
		endings.add(e.ending)
		if e.status >= 500 && e.status != http.StatusHTTPVersionNotSupported && e.status != http.StatusNotImplemented {
			t.Errorf("%.60q is answered %d", e.head, e.status)
		}
		statuses.add(fmt.Sprint(e.status))
		if e.lasted > closeTime {
			timing(t, "%.60q: the connection took %v", e.head, e.lasted)
		}
	})
	endings.only(t, "connections", "closed", "reset")
	if lists := strings.Count(g.log.String(), "admin"); lists > 0 && strings.Contains(g.log.String(), adminToken) {
		t.Error("the log has a token")
	}
	return fmt.Sprintf("%d connections with %d kinds", n*len(requests), len(requests)), "all were closed; last answers: " + statuses.String()
}

func ipAttacks() []scenario {
	limits := map[string]any{"recipient": "off", "connector": "off", "ip": "5/1h"}
	return []scenario{{
		"A client IP in another form, with `limits.ip`",
		setup{connectors: connectorOf(connectorWith(limits, "<p>{{code}}</p>"))},
		disguisedIPs,
	}}
}

// disguisedIPs sends 20 messages in each form, of which five may pass.
func disguisedIPs(t *testing.T, g *target) (string, string) {
	const n, limit = 20, 5
	sends := 0
	client := g.client(true)
	// Each list names one client in several forms. # is the number of the message.
	clients := [][]string{
		{"203.0.113.5", "203.0.113.5:443", "203.0.113.5, 10.0.0.1", " 203.0.113.5", "203.0.113.5 ", "203.0.113.5:443, 10.0.0.#", "\t203.0.113.5", "::ffff:203.0.113.5", "[::ffff:203.0.113.5]:443", "203.0.113.5,198.51.100.#", "203.0.113.5:1#"},
		{"203.0.113.6:443"},
		{"203.0.113.7, 10.0.0.1"},
		{" 203.0.113.8"},
		{"203.0.113.9:10#"},
		{"203.0.113.10,10.0.0.#"},
		{"::ffff:203.0.113.11"},
		{"::ffff:cb00:710c"},
		{"[2001:db8:1::1]:443", "2001:db8:1::#", "[2001:db8:1::#]", "[2001:db8:1::#]:44#", "2001:DB8:1::#", "2001:db8:1::#, 10.0.0.1", "2001:0db8:0001:0000::#"},
		{"2001:db8:2::#"},
		{"[2001:db8:3::#]:443"},
		{"unknown", "garbage#", "for=192.0.2.#", "_hidden#", "0x7f.#", "1.2.3.4.#", "999.1.1.#", "203.0.113.#.", "203.0.113.05#", "#", "localhost", "\"203.0.113.5\"", "203.0.113.5;#", "http://203.0.113.#", ",203.0.113.#", "203.0.113.#/32", "[203.0.113.#]"},
	}
	for _, forms := range clients {
		var outcomes tally
		for i := range n {
			ip := strings.ReplaceAll(forms[i%len(forms)], "#", fmt.Sprint(i+1))
			body, err := json.Marshal(map[string]any{
				"to": fmt.Sprintf("ip%d@example.com", serial.Add(1)), "type": "SignIn", "payload": map[string]any{"code": "1"}, "ip": ip,
			})
			if err != nil {
				t.Fatal(err)
			}
			a, err := g.call(client, http.MethodPost, "/api/connectors/attacked/send", string(body), "Authorization", "Bearer "+sendToken, "Content-Type", "application/json")
			if err != nil {
				t.Fatal(err)
			}
			outcomes.add(fmt.Sprint(a.status))
			sends++
		}
		outcomes.only(t, fmt.Sprint(forms), "200", "429")
		if passed := outcomes.counts["200"]; passed != limit {
			t.Errorf("%q: %d of %d messages passed, with a limit of %d", forms, passed, n, limit)
		}
	}
	return fmt.Sprintf("%d sends for %d clients", sends, len(clients)), fmt.Sprintf("%d of each client's passed, the limit; the rest 429", limit)
}

// worstConnector has the largest template with the most placeholders that are allowed.
func worstConnector() map[string]any {
	config := connectorWith(limitsOff, "<p>{{code}}</p>")
	for _, template := range config["templates"].([]any) {
		if template := template.(map[string]any); template["usageType"] == "Generic" {
			template["content"] = strings.Repeat("t", 249_600) + strings.Repeat("{{code}}", 20_000)
		}
	}
	return config
}
