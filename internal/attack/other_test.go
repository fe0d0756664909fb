//go:build linux

package attack_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func otherAttacks() []scenario {
	return []scenario{
		{"Streams of events that nobody reads", setup{}, eventStreams},
		{"Tokens: guessed, weak, bound to one connector", setup{}, tokens},
		{"Two `Idempotency-Key` or `Authorization` headers", setup{}, twoHeaders},
		{"Browsers: sessions, other origins, framing, under TLS", setup{tls: true}, browsers},
		{"Admin routes on the senders' port", setup{args: []string{"--admin-listen", "127.0.0.1:0"}}, adminRoutes},
	}
}

func eventStreams(t *testing.T, g *target) (string, string) {
	const n, limit = 300, 64
	var statuses tally
	var conns []net.Conn
	var mu sync.Mutex
	each(n, 50, func(int) {
		conn, err := g.dial()
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		conns = append(conns, conn)
		mu.Unlock()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, "GET /api/messages/events?limit=200 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+adminToken+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			statuses.add(cause(err).Error())
			return
		}
		statuses.add(fmt.Sprint(resp.StatusCode))
	})
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	// Meanwhile every good send makes an event.
	before := g.senders.count()
	waitFor(20*time.Second, func() bool { return g.senders.count() > before+50 })
	statuses.only(t, "answers", "200", "503")
	if statuses.counts["200"] != limit {
		t.Errorf("%d streams are open, want %d", statuses.counts["200"], limit)
	}
	return fmt.Sprintf("%d streams with an admin token", n), fmt.Sprintf("%d were opened, the rest 503", limit)
}

// tokens guesses tokens, starts with weak ones, and uses one that is bound.
func tokens(t *testing.T, g *target) (string, string) {
	client := g.client(true)
	var outcomes tally
	guesses := []string{"", " ", "Bearer", "Bearer ", "Basic " + sendToken, sendToken[:22], sendToken + "x", strings.ToUpper(sendToken), "Bearer " + sendToken + "," + sendToken, "Bearer " + adminToken, "null", "undefined", "*", "' OR 1=1 --"}
	for _, guess := range guesses {
		a, err := g.call(client, http.MethodPost, "/api/send", sendBody("1"), "Authorization", guess, "Content-Type", "application/json")
		if err != nil {
			t.Fatal(err)
		}
		outcomes.add(fmt.Sprint(a.status))
	}
	outcomes.only(t, "guesses", "401", "403")

	bound := g.boundToken(t, "default")
	var first string
	for _, id := range []string{"default2", "missing", "other", "aliyun-direct-mail", "x"} {
		a, err := g.call(client, http.MethodPost, "/api/connectors/"+id+"/send", sendBody("1"), "Authorization", "Bearer "+bound, "Content-Type", "application/json")
		if err != nil {
			t.Fatal(err)
		}
		said := fmt.Sprint(a.status, withoutIncident(a))
		if first == "" {
			first = said
		}
		if said != first {
			t.Errorf("a bound token learns about connectors: %s, else %s", said, first)
		}
	}

	weak := []string{"aaaaaaaaaaaaaaaa", "1234567890123456", "abababababababab", "passwordpassword", "changemechangeme", "short"}
	for _, token := range weak {
		for _, variable := range []string{"DMCONNECTOR_SEND_TOKEN", "DMCONNECTOR_ADMIN_TOKEN"} {
			if out, err := startWith(t, variable+"="+token); err == nil {
				t.Errorf("the service starts with the token %q: %s", token, out)
			}
		}
	}
	return fmt.Sprintf("%d guesses, %d weak tokens", len(guesses), len(weak)), "401 or 403; no start with a weak token; a bound token learns of no other connector"
}

// withoutIncident returns an answer's body with its random parts removed.
func withoutIncident(a answer) string {
	return regexp.MustCompile(`"incident":"[^"]*"|\[[0-9a-f]{8}\]`).ReplaceAllString(a.body, "")
}

// boundToken creates a token for one connector, and waits until the service knows it.
func (g *target) boundToken(t *testing.T, connector string) string {
	t.Helper()
	out, err := exec.Command(program(), "token", "create", "--scope", "send", "--connector", connector, "--data", g.data).Output()
	if err != nil {
		t.Fatalf("token create: %v: %s", err, out)
	}
	fields := strings.Fields(string(out))
	if len(fields) == 0 {
		t.Fatal("token create prints no token")
	}
	token := fields[len(fields)-1]
	client := g.client(true)
	known := func() bool {
		a, err := g.call(client, http.MethodPost, "/api/connectors/"+connector+"/send", sendBody("1"), "Authorization", "Bearer "+token, "Content-Type", "application/json")
		return err == nil && a.status == http.StatusOK
	}
	if !waitFor(10*time.Second, known) {
		t.Fatal("the service does not accept the token")
	}
	return token
}

// startWith starts another service with this variable, and returns an error if it ends
// by itself.
func startWith(t *testing.T, variable string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(), "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
	cmd.Env = []string{variable}
	out := new(output)
	cmd.Stderr = out
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if line != "" { // it listens
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return line, nil
	}
	return out.String(), cmd.Wait()
}

func twoHeaders(t *testing.T, g *target) (string, string) {
	client := g.client(true)
	const n = 50
	var outcomes tally
	for i := range n {
		header := []string{"Authorization", "Bearer " + sendToken, "Content-Type", "application/json"}
		if i%2 == 0 {
			header = append(header, "Idempotency-Key", fmt.Sprint("first", i), "Idempotency-Key", fmt.Sprint("second", i))
		} else {
			header = append(header, "Authorization", "Bearer wrong")
		}
		a, err := g.call(client, http.MethodPost, "/api/send", sendBody("1"), header...)
		if err != nil {
			t.Fatal(err)
		}
		outcomes.add(fmt.Sprint(a.status))
	}
	outcomes.only(t, "answers", "400", "401")
	return fmt.Sprintf("%d requests", n), outcomes.String()
}

func browsers(t *testing.T, g *target) (string, string) {
	client := g.client(true)
	tried := 0
	call := func(method, path, body string, header ...string) answer {
		t.Helper()
		tried++
		a, err := g.call(client, method, path, body, append(header, "Content-Type", "application/json")...)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	origin := "https://" + g.address
	for _, path := range []string{"/", "/healthz", "/api/connectors", "/nowhere"} {
		header := call(http.MethodGet, path, "").header
		for name, want := range map[string]string{"Strict-Transport-Security": "max-age=", "Cross-Origin-Resource-Policy": "same-origin"} {
			if !strings.Contains(header.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, header.Get(name))
			}
		}
	}
	signIn := fmt.Sprintf(`{"token":%q}`, adminToken)
	for _, from := range []string{"https://attacker.example", "null", "https://localhost"} {
		if a := call(http.MethodPost, "/api/session", signIn, "Origin", from); a.status != http.StatusForbidden {
			t.Errorf("sign-in from %s is answered %d", from, a.status)
		}
	}
	first := cookieOf(t, call(http.MethodPost, "/api/session", signIn, "Origin", origin))
	if a := call(http.MethodGet, "/api/connectors", "", "Cookie", first); a.status != http.StatusOK {
		t.Fatalf("the session is answered %d", a.status)
	}
	for _, from := range []string{"https://attacker.example", "null"} {
		if a := call(http.MethodDelete, "/api/email-templates?languageTag=en", "", "Cookie", first, "Origin", from); a.status != http.StatusForbidden {
			t.Errorf("a change from %s is answered %d", from, a.status)
		}
	}
	second := cookieOf(t, call(http.MethodPost, "/api/session", signIn, "Origin", origin, "Cookie", first))
	if a := call(http.MethodGet, "/api/connectors", "", "Cookie", first); a.status != http.StatusUnauthorized {
		t.Errorf("after a new sign-in the old session is answered %d", a.status)
	}
	if a := call(http.MethodGet, "/api/connectors", "", "Cookie", second); a.status != http.StatusOK {
		t.Errorf("the new session is answered %d", a.status)
	}
	return fmt.Sprintf("%d requests", tried), "403 from other origins; HSTS and CORP on every answer; a new sign-in ends the old session"
}

func cookieOf(t *testing.T, a answer) string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("the sign-in is answered %d %s", a.status, a.body)
	}
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	for _, flag := range []string{"HttpOnly", "Secure", "SameSite=Strict"} {
		if !strings.Contains(a.header.Get("Set-Cookie"), flag) {
			t.Errorf("the cookie is not %s", flag)
		}
	}
	return cookie
}

// adminRoutes asks for all that is not for senders, on the port of senders.
func adminRoutes(t *testing.T, g *target) (string, string) {
	data, err := os.ReadFile("../httpapi/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	document.Paths["/"] = map[string]any{"get": nil}
	senders := regexp.MustCompile(`^/api/send$|^/api/connectors/\{[a-zA-Z]+\}/(send|events|callers/.*)$|^/healthz$|^/readyz$`)
	client := g.client(true)
	var outcomes tally
	for path, methods := range document.Paths {
		if senders.MatchString(path) {
			continue
		}
		for method := range methods {
			real := strings.NewReplacer("{id}", "default", "{factoryId}", "aliyun-direct-mail").Replace(path)
			a, err := g.call(client, strings.ToUpper(method), real, "{}", "Authorization", "Bearer "+adminToken, "Content-Type", "application/json")
			if err != nil {
				t.Fatal(err)
			}
			if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s is answered %d on the senders' port", method, path, a.status)
			}
			outcomes.add(fmt.Sprint(a.status))
		}
	}
	if outcomes.total() < 30 {
		t.Errorf("only %d routes were tried", outcomes.total())
	}
	return fmt.Sprintf("%d routes with an admin token, with `--admin-listen`", outcomes.total()), outcomes.String()
}
