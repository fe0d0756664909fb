package sandbox_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// put switches faults on as the API does it.
func put(t testing.TB, s http.Handler, faults string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, local("PUT", "/faults", faults))
	return w
}

func mustPut(t testing.TB, s http.Handler, faults string) {
	t.Helper()
	if w := put(t, s, faults); w.Code != http.StatusOK {
		t.Fatalf("PUT /faults: %d %s", w.Code, w.Body)
	}
}

func TestFaultAnswers(t *testing.T) {
	tests := map[string]struct {
		fault    string
		status   int
		kind     string // Content-Type
		body     string // a part of it, or all of a short one
		accepted bool
	}{
		"InternalError":        {`"fault":"error","code":"InternalError"`, 500, "application/json;charset=utf-8", `"Code":"InternalError"`, false},
		"ServiceUnavailable":   {`"fault":"error","code":"ServiceUnavailable"`, 503, "application/json;charset=utf-8", "The request has failed due to a temporary failure of the server.", false},
		"InternalServiceError": {`"fault":"error","code":"InternalServiceError"`, 500, "application/json;charset=utf-8", "Failed to call the internal service.", false},
		"accepted, but 500":    {`"fault":"error","code":"InternalError","accept":true`, 500, "application/json;charset=utf-8", `"Code":"InternalError"`, true},
		"throttling":           {`"fault":"error","code":"Throttling.User"`, 400, "application/json;charset=utf-8", "Request was denied due to user flow control.", false},
		"quota":                {`"fault":"error","code":"InvalidQuota"`, 400, "application/json;charset=utf-8", "The mail sending quota is exceeded.", false},
		"spam":                 {`"fault":"error","code":"InvalidSendMail.Spam"`, 400, "application/json;charset=utf-8", "The email you sent was rejected by spam filter.", false},
		"no such user":         {`"fault":"error","code":"InvalidUser.NotFound"`, 404, "application/json;charset=utf-8", "activate the Direct Mail service", false},
		"signature":            {`"fault":"error","code":"SignatureDoesNotMatch"`, 400, "application/json;charset=utf-8", `server string to sign is:POST\u0026%2F\u0026AccessKeyId`, false},
		"HTML 502":             {`"fault":"html"`, 502, "text/html", "<title>502 Bad Gateway</title>", false},
		"HTML 504, accepted":   {`"fault":"html","status":504,"accept":true`, 504, "text/html", "<title>504 Gateway Time-out</title>", true},
		"empty 200":            {`"fault":"empty"`, 200, "", "", true},
		"empty 503":            {`"fault":"empty","status":503,"accept":false`, 503, "", "", false},
		"broken JSON":          {`"fault":"broken-json"`, 200, "application/json;charset=utf-8", `{"EnvId":"600000`, true},
		"XML":                  {`"fault":"xml"`, 200, "text/xml;charset=utf-8", "<SingleSendMailResponse>", true},
		"XML, not accepted":    {`"fault":"xml","accept":false`, 200, "text/xml;charset=utf-8", "<SingleSendMailResponse>", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(sandbox.Options{})
			mustPut(t, s, "[{"+tt.fault+"}]")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, rpcPOST(mailTo("user@example.com")))
			body := w.Body.String()
			if w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind || !strings.Contains(body, tt.body) || tt.body == "" && body != "" {
				t.Errorf("%d %s %q, want %d %s %q", w.Code, w.Header().Get("Content-Type"), body, tt.status, tt.kind, tt.body)
			}
			if accepted := len(s.Mails()) == 1; accepted != tt.accepted {
				t.Errorf("accepted %t, want %t", accepted, tt.accepted)
			}
			if strings.Contains(tt.fault, "broken-json") && json.Valid(w.Body.Bytes()) {
				t.Errorf("%s is good JSON", body)
			}
		})
	}
}

func TestFaultsStrikeByRecipientAndCount(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	mustPut(t, s, `[{"fault":"error","code":"InvalidToAddress.Spam","to":"Bad@example.com"},{"fault":"error","code":"Throttling.User","times":2}]`)
	steps := []struct{ to, want string }{
		{"bad@example.com", "InvalidToAddress.Spam"},
		{"user@example.com", "Throttling.User"},
		{"user@example.com,bad@example.com", "InvalidToAddress.Spam"},
		{"not-an-address", "InvalidToAddress"}, // refused as ever, not counted
		{"user@example.com", "Throttling.User"},
		{"user@example.com", ""},
		{"bad@example.com", "InvalidToAddress.Spam"},
	}
	for i, step := range steps {
		if a := do(t, s, rpcPOST(mailTo(step.to))); a.Code != step.want {
			t.Errorf("step %d: code %q, want %q", i, a.Code, step.want)
		}
	}
	want := `[{"fault":"error","accept":false,"to":"Bad@example.com","code":"InvalidToAddress.Spam","remaining":null,"injected":3},` +
		`{"fault":"error","accept":false,"times":2,"code":"Throttling.User","remaining":0,"injected":2}]`
	if got := get(s, "/faults").Body.String(); got != want {
		t.Errorf("faults\n%s\nwant\n%s", got, want)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, local("DELETE", "/faults", ""))
	if got := get(s, "/faults").Body.String(); w.Code != http.StatusNoContent || got != "[]" {
		t.Errorf("after DELETE %d: %s", w.Code, got)
	}
	wantAccepted(t, do(t, s, rpcPOST(mailTo("bad@example.com"))))
}

// With the race detector this shows whether what GET /faults writes is its own.
func TestFaultsMayBeReadWhileTheyStrike(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	mustPut(t, s, `[{"fault":"error","code":"Throttling.User","times":40}]`)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() { do(t, s, rpcPOST(mailTo("user@example.com"))) })
		wg.Go(func() { get(s, "/faults") })
	}
	wg.Wait()
	if got := get(s, "/faults").Body.String(); !strings.Contains(got, `"remaining":0,"injected":40`) {
		t.Errorf("faults %s", got)
	}
}

func TestFaultsThatCannotBe(t *testing.T) {
	tests := map[string]string{
		"no JSON":                "x",
		"no list":                `{"fault":"hang"}`,
		"two values":             `[] []`,
		"unknown kind":           `[{"fault":"explode"}]`,
		"no kind":                `[{}]`,
		"unknown field":          `[{"fault":"hang","probability":1}]`,
		"error without code":     `[{"fault":"error"}]`,
		"unknown code":           `[{"fault":"error","code":"NoSuchCode"}]`,
		"code of a hang":         `[{"fault":"hang","code":"InternalError"}]`,
		"odd code of a hang":     `[{"fault":"hang","code":"x"}]`,
		"status of a hang":       `[{"fault":"hang","status":500}]`,
		"status 204":             `[{"fault":"empty","status":204}]`,
		"status 600":             `[{"fault":"html","status":600}]`,
		"delay without duration": `[{"fault":"delay"}]`,
		"delay of letters":       `[{"fault":"delay","duration":"soon"}]`,
		"delay of nothing":       `[{"fault":"delay","duration":"0s"}]`,
		"delay of an hour":       `[{"fault":"delay","duration":"1h"}]`,
		"duration of a hang":     `[{"fault":"hang","duration":"1s"}]`,
		"times below zero":       `[{"fault":"hang","times":-1}]`,
		"too many":               "[" + strings.Repeat(`{"fault":"hang"},`, 100) + `{"fault":"hang"}]`,
		"too long":               `[{"fault":"hang","to":"` + strings.Repeat("x", 64<<10) + `"}]`,
		"too deep":               strings.Repeat("[", 60<<10),
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(sandbox.Options{})
			mustPut(t, s, `[{"fault":"xml"}]`)
			if w := put(t, s, body); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "invalid_request") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if got := get(s, "/faults").Body.String(); !strings.Contains(got, `"xml"`) {
				t.Errorf("the faults before are gone: %s", got)
			}
		})
	}
}

func TestDelayAndHang(t *testing.T) {
	tests := map[string]struct {
		fault string
		early int           // mails in the inbox while it is held
		clear time.Duration // when the faults are switched off
		want  time.Duration // when it is answered
	}{
		"delay, then accept":        {`"fault":"delay","duration":"20s"`, 0, time.Minute, 20 * time.Second},
		"accept, then delay":        {`"fault":"delay","duration":"20s","accept":true`, 1, time.Minute, 20 * time.Second},
		"delay is cut short":        {`"fault":"delay","duration":"20s"`, 0, 5 * time.Second, 5 * time.Second},
		"accept, then hang":         {`"fault":"hang"`, 1, time.Hour, time.Hour},
		"hang, then accept at last": {`"fault":"hang","accept":false`, 0, time.Hour, time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSandbox(sandbox.Options{})
				mustPut(t, s, "[{"+tt.fault+"}]")
				start := time.Now()
				answered := make(chan answer, 1)
				go func() { answered <- do(t, s, rpcPOST(mailTo("user@example.com"))) }()
				go func() {
					time.Sleep(tt.clear) //nolint:forbidigo // a synctest bubble's clock
					mustPut(t, s, "[]")
				}()
				synctest.Wait()
				if n := len(s.Mails()); n != tt.early || len(answered) != 0 {
					t.Errorf("%d mails, %d answers while held; want %d and none", n, len(answered), tt.early)
				}
				wantAccepted(t, <-answered)
				if d := time.Since(start); d != tt.want {
					t.Errorf("answered after %v, want %v", d, tt.want)
				}
				if n := len(s.Mails()); n != 1 {
					t.Errorf("%d mails in the end", n)
				}
				time.Sleep(tt.clear) //nolint:forbidigo // lets the other goroutine end
			})
		})
	}
}

// serve serves s for real, with time-outs that a held call outlives.
func serve(t *testing.T, s *sandbox.Sandbox) (base string) {
	t.Helper()
	server := httptest.NewUnstartedServer(s)
	server.Config.ReadTimeout = 100 * time.Millisecond
	server.Config.WriteTimeout = 100 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	return server.URL
}

// call sends a mail over the network.
func call(t *testing.T, base string) (*http.Response, error) {
	t.Helper()
	form := signRPC("POST", mailTo("user@example.com"), secret)
	r, err := http.NewRequestWithContext(t.Context(), "POST", base, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return client.Do(r)
}

// failing is the error of a call that should fail.
func failing(resp *http.Response, err error) error {
	if err == nil {
		resp.Body.Close()
	}
	return err
}

func TestReset(t *testing.T) {
	for name, accept := range map[string]bool{"before accepting": false, "after accepting": true} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(sandbox.Options{})
			base := serve(t, s)
			if err := s.SetFaults(sandbox.Fault{Kind: "reset", Accept: &accept}); err != nil {
				t.Fatal(err)
			}
			if err := failing(call(t, base)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("error %v, want a reset", err)
			}
			if accepted := len(s.Mails()) == 1; accepted != accept {
				t.Errorf("accepted %t", accepted)
			}
		})
	}
}

func TestResetOverHTTP2(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	server := httptest.NewUnstartedServer(s)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	if err := s.SetFaults(sandbox.Fault{Kind: "reset"}); err != nil {
		t.Fatal(err)
	}
	target := server.URL + "/?" + signRPC("GET", mailTo("user@example.com"), secret).Encode()
	if err := failing(server.Client().Get(target)); err == nil || len(s.Mails()) != 0 {
		t.Errorf("error %v, %d mails", err, len(s.Mails()))
	}
}

func TestHugeAnswer(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	base := serve(t, s)
	mustPut(t, s, `[{"fault":"huge"}]`)
	resp, err := call(t, base)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) < 16<<20 || !bytes.HasPrefix(body, []byte(`{"EnvId":"600000`)) || !bytes.HasSuffix(body, []byte(`x"}`)) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if len(s.Mails()) != 1 {
		t.Error("not accepted")
	}
}

func TestDribble(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	base := serve(t, s)
	mustPut(t, s, `[{"fault":"dribble","duration":"3ms"}]`)
	start := time.Now()
	resp, err := call(t, base)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	reads, body := 0, ""
	for buf := make([]byte, 512); err == nil; reads++ {
		var n int
		n, err = resp.Body.Read(buf)
		body += string(buf[:n])
	}
	if !errors.Is(err, io.EOF) || !json.Valid([]byte(body)) || len(s.Mails()) != 1 {
		t.Errorf("body %q, %v, %d mails", body, err, len(s.Mails()))
	}
	if reads < len(body)/2 || time.Since(start) < time.Duration(len(body))*2*time.Millisecond {
		t.Errorf("%d bytes in %d reads and %v", len(body), reads, time.Since(start))
	}
}

func TestDribbleByDefaultTakesASecondAByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSandbox(sandbox.Options{})
		mustPut(t, s, `[{"fault":"dribble"}]`)
		start := time.Now()
		a := do(t, s, rpcPOST(mailTo("user@example.com")))
		wantAccepted(t, a)
		if d := time.Since(start); d != time.Duration(len(a.Body))*time.Second {
			t.Errorf("%d bytes in %v", len(a.Body), d)
		}
	})
}

// A client that gives up on a call that waits to be accepted has sent nothing.
func TestClientGoesWhileHeld(t *testing.T) {
	for name, accept := range map[string]bool{"before accepting": false, "after accepting": true} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(sandbox.Options{})
			ended := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				s.ServeHTTP(w, r)
			}))
			defer server.Close()
			if err := s.SetFaults(sandbox.Fault{Kind: "hang", Accept: &accept}); err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Timeout: 100 * time.Millisecond}
			err := failing(client.Get(server.URL + "/?" + signRPC("GET", mailTo("user@example.com"), secret).Encode()))
			if uerr, ok := errors.AsType[*url.Error](err); !ok || !uerr.Timeout() {
				t.Fatalf("error %v, want the client's time-out", err)
			}
			<-ended
			if accepted := len(s.Mails()) == 1; accepted != accept {
				t.Errorf("accepted %t", accepted)
			}
		})
	}
}

func TestCloseReleasesHeldCalls(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	base := serve(t, s)
	mustPut(t, s, `[{"fault":"hang"}]`)
	failed := make(chan error)
	go func() { failed <- failing(call(t, base)) }()
	if _, err := s.Wait(t.Context(), "user@example.com", ""); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := <-failed; err == nil {
		t.Error("the held call was answered")
	}
}
