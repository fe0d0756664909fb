package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm/sandbox"
)

// receive has the sandbox accept a mail and returns it.
func receive(t testing.TB, s *sandbox.Sandbox, p map[string]string) sandbox.Mail {
	t.Helper()
	wantAccepted(t, do(t, s, rpcPOST(p)))
	return s.Mails()[0]
}

// get asks for what is not Direct Mail's, as a program on this machine does.
func get(s http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, local("GET", target, ""))
	return w
}

func local(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8025"
	return r
}

func subjects(t *testing.T, w *httptest.ResponseRecorder) []string {
	t.Helper()
	var mails []sandbox.Mail
	if err := json.Unmarshal(w.Body.Bytes(), &mails); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	list := []string{}
	for _, m := range mails {
		list = append(list, m.Subject)
	}
	return list
}

func TestInboxJSON(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := newSandbox(sandbox.Options{Now: func() time.Time { return now }})
	p := with(mailTo("User@example.com"), changes{"Timestamp": now.Format(stamp), "FromAlias": "Example"})
	m := receive(t, s, p)
	w := get(s, "/inbox/user@example.com/latest")
	want := `{"id":"1767323045001","to":"User@example.com","from":"no-reply@mail.example.com","fromAlias":"Example",` +
		`"replyAddress":"","tagName":"","subject":"Your code is 123456","html":"\u003cp\u003eCode: 123456\u003c/p\u003e","text":"",` +
		`"code":"123456","envId":"` + m.EnvID + `","requestId":"` + m.RequestID + `","accessKeyId":"testid","receivedAt":"2026-01-02T03:04:05.000Z"}`
	if got := w.Body.String(); got != want {
		t.Errorf("mail\n%s\nwant\n%s", got, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	var back sandbox.Mail
	if err := json.Unmarshal(w.Body.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, back); d != "" {
		t.Errorf("decoded (-want +got)\n%s", d)
	}
}

func TestInboxLists(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	for i, to := range []string{"a@example.com", "b@example.com", "A@EXAMPLE.com"} {
		receive(t, s, with(mailTo(to), changes{"Subject": strconv.Itoa(i)}))
	}
	tests := map[string]struct {
		target string
		want   []string
	}{
		"all, newest first": {"/inbox", []string{"2", "1", "0"}},
		"limited":           {"/inbox?limit=2", []string{"2", "1"}},
		"limit above":       {"/inbox?limit=20", []string{"2", "1", "0"}},
		"of an address":     {"/inbox/a@Example.com", []string{"2", "0"}},
		"escaped address":   {"/inbox/a%40example.com", []string{"2", "0"}},
		"address, limited":  {"/inbox/a@example.com?limit=1", []string{"2"}},
		"of nobody":         {"/inbox/nobody@example.com", []string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, subjects(t, get(s, tt.target))); d != "" {
				t.Errorf("subjects (-want +got)\n%s", d)
			}
		})
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, local("DELETE", "/inbox", ""))
	if w.Code != http.StatusNoContent || len(s.Mails()) != 0 {
		t.Errorf("after DELETE %d: %d mails", w.Code, len(s.Mails()))
	}
	if got := get(s, "/inbox").Body.String(); got != "[]" {
		t.Errorf("empty inbox is %s", got)
	}
}

func TestInboxProblems(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	tests := map[string]struct {
		method, target string
		status         int
		code           string
	}{
		"no mail":           {"GET", "/inbox/a@example.com/latest", 404, "not_found"},
		"limit of nothing":  {"GET", "/inbox?limit=0", 400, "invalid_request"},
		"limit of letters":  {"GET", "/inbox?limit=x", 400, "invalid_request"},
		"wait too long":     {"GET", "/inbox/a@example.com/latest?wait=61s", 400, "invalid_request"},
		"wait of letters":   {"GET", "/inbox/a@example.com/latest?wait=x", 400, "invalid_request"},
		"wait below zero":   {"GET", "/inbox/a@example.com/latest?wait=-1s", 400, "invalid_request"},
		"since of letters":  {"GET", "/inbox/a@example.com/latest?since=x", 400, "invalid_request"},
		"another method":    {"POST", "/inbox", 404, "not_found"},
		"deeper":            {"GET", "/inbox/a@example.com/latest/more", 404, "not_found"},
		"below the faults":  {"GET", "/faults/1", 404, "not_found"},
		"no address at all": {"GET", "/inbox/", 404, "not_found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, local(tt.method, tt.target, ""))
			var got struct {
				Type, Title, Code, Message string
				Status                     int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", w.Body, err)
			}
			if w.Code != tt.status || got.Status != tt.status || got.Code != tt.code || got.Type != "urn:dmconnector:problem:"+tt.code || got.Message == "" {
				t.Errorf("%d %+v, want %d %s", w.Code, got, tt.status, tt.code)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
}

func TestLatestSince(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 123_456_789, time.UTC)
	s := newSandbox(sandbox.Options{Now: func() time.Time { return now }})
	p := with(mailTo("a@example.com"), changes{"Timestamp": now.Format(stamp)})
	first := receive(t, s, with(p, changes{"Subject": "first"}))
	now = now.Add(time.Second)
	second := receive(t, s, with(p, changes{"Subject": "second"}))
	receive(t, s, with(p, changes{"Subject": "other", "ToAddress": "b@example.com"}))

	tests := map[string]struct{ since, want string }{
		"nothing":                {"", "second"},
		"the first mail":         {first.ID, "second"},
		"the second mail":        {second.ID, ""},
		"an id from long ago":    {"1", "second"},
		"a time before":          {"2026-01-02T03:04:06Z", "second"},
		"the very time":          {now.Format(time.RFC3339Nano), "second"},
		"the same millisecond":   {"2026-01-02T03:04:06.1239Z", "second"},
		"the next millisecond":   {"2026-01-02T03:04:06.124Z", ""},
		"a time with an offset":  {"2026-01-02T11:04:06+08:00", "second"},
		"a later time elsewhere": {"2026-01-02T12:04:06+08:00", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := get(s, "/inbox/a@example.com/latest?since="+url.QueryEscape(tt.since))
			if tt.want == "" {
				if w.Code != http.StatusNotFound {
					t.Errorf("%d %s, want none", w.Code, w.Body)
				}
				return
			}
			var m sandbox.Mail
			if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || m.Subject != tt.want {
				t.Errorf("subject %q, %v, want %q", m.Subject, err, tt.want)
			}
		})
	}
}

func TestIDsRiseAcrossRestarts(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	p := with(mailTo("a@example.com"), changes{"Timestamp": now.Format(stamp)})
	before := receive(t, newSandbox(sandbox.Options{Now: clock}), p)
	now = now.Add(time.Second)
	after := receive(t, newSandbox(sandbox.Options{Now: clock}), p)
	if before.ID >= after.ID || before.EnvID >= after.EnvID {
		t.Errorf("id %s then %s, EnvId %s then %s", before.ID, after.ID, before.EnvID, after.EnvID)
	}
}

func TestLatestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSandbox(sandbox.Options{})
		old := receive(t, s, mailTo("user@example.com"))
		answered := make(chan *httptest.ResponseRecorder)
		start := time.Now()
		go func() { answered <- get(s, "/inbox/USER@example.com/latest?wait=60s&since="+old.ID) }()
		for _, to := range []string{"other@example.com", "user@example.com"} {
			time.Sleep(7 * time.Second) //nolint:forbidigo // a synctest bubble's clock
			select {
			case w := <-answered:
				t.Fatalf("answered before the mail: %s", w.Body)
			default:
			}
			receive(t, s, with(mailTo(to), changes{"Subject": "Newer 4321"}))
		}
		var m sandbox.Mail
		if err := json.Unmarshal((<-answered).Body.Bytes(), &m); err != nil || m.Code != "4321" {
			t.Errorf("code %q, %v", m.Code, err)
		}
		if d := time.Since(start); d != 14*time.Second {
			t.Errorf("answered after %v", d)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	tests := map[string]struct {
		end  func(s *sandbox.Sandbox, cancel func())
		want error
	}{
		"in time":         {func(*sandbox.Sandbox, func()) {}, context.DeadlineExceeded},
		"with its caller": {func(_ *sandbox.Sandbox, cancel func()) { cancel() }, context.Canceled},
		"with the sandbox": {func(s *sandbox.Sandbox, _ func()) {
			s.Close()
			s.Close()
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSandbox(sandbox.Options{})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				ended := make(chan error)
				go func() {
					_, err := s.Wait(ctx, "user@example.com", "")
					ended <- err
				}()
				synctest.Wait()
				tt.end(s, cancel)
				err := <-ended
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
			})
		})
	}
	if _, err := newSandbox(sandbox.Options{}).Wait(t.Context(), "user@example.com", "x"); err == nil {
		t.Error("a malformed mark is accepted")
	}
}

// However sending and waiting interleave, no mail is missed.
func TestWaitingHasNoRace(t *testing.T) {
	s := newSandbox(sandbox.Options{RatePerSecond: -1})
	var wg sync.WaitGroup
	for i := range 200 {
		to := strconv.Itoa(i) + "@example.com"
		wg.Go(func() {
			m, err := s.Wait(t.Context(), to, "")
			if err != nil || m.To != to {
				t.Errorf("mail to %q, %v", m.To, err)
			}
		})
		wg.Go(func() { wantAccepted(t, do(t, s, rpcPOST(mailTo(to)))) })
	}
	wg.Wait()
}

func TestInboxIsBounded(t *testing.T) {
	t.Run("number", func(t *testing.T) {
		s := newSandbox(sandbox.Options{MaxMails: 3})
		for i := range 5 {
			receive(t, s, with(mailTo("a@example.com"), changes{"Subject": strconv.Itoa(i)}))
		}
		if d := cmp.Diff([]string{"4", "3", "2"}, subjects(t, get(s, "/inbox"))); d != "" {
			t.Errorf("subjects (-want +got)\n%s", d)
		}
	})
	t.Run("number by default", func(t *testing.T) {
		s := newSandbox(sandbox.Options{})
		for range 11 {
			receive(t, s, mailTo(strings.Repeat("a@example.com,", 99)+"a@example.com"))
		}
		if n := len(s.Mails()); n != 1000 {
			t.Errorf("%d mails, want 1000", n)
		}
	})
	t.Run("size", func(t *testing.T) {
		s := newSandbox(sandbox.Options{})
		to := strings.Repeat("a@example.com,", 99) + "a@example.com"
		p := with(mailTo(to), changes{"HtmlBody": strings.Repeat("x", 1<<20)})
		for range 2 { // also after clearing
			receive(t, s, p)
			if n := len(s.Mails()); n != 63 { // of 1 MiB and a little each, in 64 MiB
				t.Errorf("%d mails, want 63", n)
			}
			s.Clear()
		}
	})
	t.Run("what came with a mail", func(t *testing.T) {
		s := newSandbox(sandbox.Options{})
		p := with(mailTo("a@example.com"), changes{"HtmlBody": "plain", "Unknown": strings.Repeat("x", 1<<20)})
		before := heap()
		for range 20 {
			receive(t, s, p)
		}
		if grown := heap() - before; grown > 10<<20 {
			t.Errorf("20 small mails hold %d bytes", grown)
		}
		runtime.KeepAlive(s)
	})
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A program that has authorised its callers shows the inbox without the sandbox's
// token.
func TestInboxForTheAuthorised(t *testing.T) {
	s := newSandbox(sandbox.Options{Token: "sandbox-token-0123456789"})
	want := receive(t, s, mailTo("user@example.com"))
	call := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Inbox().ServeHTTP(w, httptest.NewRequest(method, "/anything", http.NoBody))
		return w
	}
	mails := func() []sandbox.Mail {
		t.Helper()
		w := call("GET")
		var inbox struct{ Mails []sandbox.Mail }
		if err := json.Unmarshal(w.Body.Bytes(), &inbox); err != nil || w.Code != http.StatusOK || inbox.Mails == nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return inbox.Mails
	}
	if diff := cmp.Diff([]sandbox.Mail{want}, mails()); diff != "" {
		t.Error(diff)
	}
	if w := call("POST"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	if w := call("DELETE"); w.Code != http.StatusNoContent || len(mails()) != 0 {
		t.Errorf("DELETE: %d", w.Code)
	}
}
