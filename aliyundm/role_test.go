package aliyundm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
)

// A clock is moved by tests.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// An issuer is what gives keys: the metadata service and STS. Each key is another
// one, and the sandbox knows the last two.
type issuer struct {
	clock   *clock
	sandbox *sandbox.Sandbox
	life    time.Duration

	fetches atomic.Int64
	busy    atomic.Int64 // fetches at one time
	most    atomic.Int64
	answer  atomic.Pointer[func(http.ResponseWriter)] // instead of a key; nil is none
	gate    atomic.Pointer[chan struct{}]             // fetches wait for it; nil is none

	mu    sync.Mutex
	known []sandbox.Account
}

func newIssuer() *issuer {
	return &issuer{clock: newClock(), sandbox: sandbox.New(sandbox.Options{}), life: time.Hour}
}

func (i *issuer) answers(f func(http.ResponseWriter)) { i.answer.Store(&f) }

func (i *issuer) answersWithKeys() { i.answer.Store(nil) }

// holds makes fetches wait for the returned function.
func (i *issuer) holds() (release func()) {
	gate := make(chan struct{})
	i.gate.Store(&gate)
	return func() { i.gate.Store(nil); close(gate) }
}

// issue answers with a key, or with what it was told to.
func (i *issuer) issue(w http.ResponseWriter, wrap func(key map[string]string) any) {
	n := i.fetches.Add(1)
	if busy := i.busy.Add(1); busy > i.most.Load() {
		i.most.Store(busy)
	}
	defer i.busy.Add(-1)
	if gate := i.gate.Load(); gate != nil {
		<-*gate
	}
	if answer := i.answer.Load(); answer != nil {
		(*answer)(w)
		return
	}
	account := sandbox.Account{
		AccessKeyID: fmt.Sprintf("STS.%d", n), AccessKeySecret: fmt.Sprintf("role-secret-%d", n), SecurityToken: fmt.Sprintf("role-token-%d", n),
	}
	i.mu.Lock()
	i.known = append(i.known, account)
	i.sandbox.SetAccounts(i.known[max(0, len(i.known)-2):])
	i.mu.Unlock()
	_ = json.NewEncoder(w).Encode(wrap(map[string]string{
		"AccessKeyId": account.AccessKeyID, "AccessKeySecret": account.AccessKeySecret, "SecurityToken": account.SecurityToken,
		"Expiration": i.clock.Now().Add(i.life).UTC().Format("2006-01-02T15:04:05Z"),
	}))
}

const metadataRoles = "/latest/meta-data/ram/security-credentials/"

// metadata is an ECS instance's metadata service that wants tokens, with one role.
func (i *issuer) metadata(t testing.TB) string {
	tokens := sync.Map{}
	var issued atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-aliyun-ecs-metadata-token-ttl-seconds") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		token := fmt.Sprintf("metadata-token-%d", issued.Add(1))
		tokens.Store(token, true)
		_, _ = io.WriteString(w, token)
	})
	mux.HandleFunc("GET "+metadataRoles+"{role...}", func(w http.ResponseWriter, r *http.Request) {
		_, ok := tokens.Load(r.Header.Get("X-aliyun-ecs-metadata-token"))
		switch role := r.PathValue("role"); {
		case !ok:
			w.WriteHeader(http.StatusForbidden)
		case role == "":
			_, _ = io.WriteString(w, "mail-role\n")
		case role == "mail-role":
			i.issue(w, func(key map[string]string) any { key["Code"] = "Success"; return key })
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	return serveURL(t, mux)
}

// sts is STS for one role, which one token opens.
func (i *issuer) sts(t testing.TB, token func() string) string {
	return serveURL(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch {
		case r.Method != http.MethodPost || query.Get("Action") != "AssumeRoleWithOIDC" || query.Get("Version") != "2015-04-01":
			refuseSTS(w, http.StatusNotFound, "InvalidAction.NotFound", "no such action")
		case strings.Contains(r.URL.RawQuery, token()):
			refuseSTS(w, http.StatusBadRequest, "InvalidParameter", "the token is in the URL")
		case r.PostFormValue("OIDCToken") != token():
			refuseSTS(w, http.StatusBadRequest, "AuthenticationFail.OIDCToken.Expired", "This JWT Token has already expired: "+r.PostFormValue("OIDCToken"))
		case r.PostFormValue("RoleArn") != "acs:ram::1:role/mail" || r.PostFormValue("OIDCProviderArn") != "acs:ram::1:oidc-provider/ack":
			refuseSTS(w, http.StatusNotFound, "EntityNotExist.Role", "The role not exists: secret-role")
		case r.PostFormValue("RoleSessionName") != "dmconnector" || r.PostFormValue("DurationSeconds") != "3600":
			refuseSTS(w, http.StatusBadRequest, "InvalidParameter", "name and duration")
		default:
			i.issue(w, func(key map[string]string) any { return map[string]any{"Credentials": key, "RequestId": "R"} })
		}
	}))
}

func refuseSTS(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Code": code, "Message": message, "RequestId": "2D086F6A-0000-4000-8000-006DED011A85"})
}

func serveURL(t testing.TB, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// A roleStage has a client whose keys come from a simulated source.
type roleStage struct {
	*issuer
	client    *aliyundm.Client
	token     string // of OIDC; its file is tokenFile
	tokenFile string
	failures  atomic.Int64
}

func newRoleStage(t testing.TB, kind string) *roleStage {
	t.Helper()
	s := &roleStage{issuer: newIssuer(), token: "oidc-token-1", tokenFile: filepath.Join(t.TempDir(), "token")}
	t.Cleanup(s.sandbox.Close)
	transport := aliyundm.NewHTTPClient()
	t.Cleanup(transport.CloseIdleConnections)
	options := aliyundm.Options{
		Endpoint: serveURL(t, s.sandbox), HTTP: transport, OnKeyError: func(error) { s.failures.Add(1) },
	}
	if kind == "ecs" {
		options.ECSRole = &aliyundm.ECSRole{Endpoint: s.metadata(t)}
	} else {
		s.writeToken(t, s.token+"\n")
		options.OIDCRole = &aliyundm.OIDCRole{
			RoleARN: "acs:ram::1:role/mail", ProviderARN: "acs:ram::1:oidc-provider/ack", TokenFile: s.tokenFile,
			Endpoint: s.sts(t, func() string { return s.token }),
		}
	}
	var err error
	if s.client, err = aliyundm.NewClient(options); err != nil {
		t.Fatal(err)
	}
	s.client.SetClock(s.clock.Now)
	return s
}

func (s *roleStage) writeToken(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(s.tokenFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *roleStage) send(t testing.TB) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := s.client.SingleSendMail(ctx, testMail())
	return err
}

func (s *roleStage) mustSend(t testing.TB) {
	t.Helper()
	if err := s.send(t); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition is true.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

var roleKinds = []string{"ecs", "oidc"}

func TestRoleSendsWithATemporaryKeyAndRenewsItInTime(t *testing.T) {
	for _, kind := range roleKinds {
		t.Run(kind, func(t *testing.T) {
			s := newRoleStage(t, kind)
			for range 3 {
				s.mustSend(t)
			}
			s.clock.advance(49 * time.Minute)
			s.mustSend(t)
			if n := s.fetches.Load(); n != 1 {
				t.Fatalf("%d keys were fetched for one that is good for an hour", n)
			}
			s.clock.advance(2 * time.Minute) // less than ten are left
			release := s.holds()
			for range 3 {
				s.mustSend(t) // with the old key, without waiting
			}
			eventually(t, "the renewal", func() bool { return s.fetches.Load() == 2 })
			release()
			s.clock.advance(20 * time.Minute) // the old one has ended
			s.mustSend(t)
			if n := s.fetches.Load(); n != 2 {
				t.Errorf("%d keys were fetched, not 2", n)
			}
		})
	}
}

func TestKeyIsUsedUntilItsEndWhereItCannotBeRenewed(t *testing.T) {
	for _, kind := range roleKinds {
		t.Run(kind, func(t *testing.T) {
			s := newRoleStage(t, kind)
			s.mustSend(t)
			s.answers(func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
			for range 9 {
				s.clock.advance(time.Minute)
				s.mustSend(t)
			}
			s.clock.advance(50 * time.Minute) // one is left
			for n := int64(1); n <= 4; n++ {
				s.mustSend(t)
				eventually(t, "a failure that is told", func() bool { return s.failures.Load() >= n })
				s.clock.advance(10 * time.Second)
			}
			s.mustSend(t) // 20 s are left
			s.clock.advance(11 * time.Second)
			e := mustFail(t, nil, s.send(t))
			if e.Class != aliyundm.Retry || !strings.HasPrefix(e.Message, "no key for the role: ") {
				t.Errorf("got %v", e)
			}
			s.answersWithKeys()
			s.clock.advance(time.Minute)
			s.mustSend(t)
		})
	}
}

// However many send, one key is fetched at a time, no mail fails, and none waits
// while the key is good. The race detector watches.
func TestKeysRotateUnderLoad(t *testing.T) {
	for _, kind := range roleKinds {
		t.Run(kind, func(t *testing.T) {
			s := newRoleStage(t, kind)
			var (
				senders sync.WaitGroup
				done    = make(chan struct{})
				ended   [8]atomic.Int64 // calls, by sender
				failed  atomic.Pointer[error]
			)
			for n := range ended {
				senders.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						err := s.send(t)
						ended[n].Add(1)
						if e, ok := errors.AsType[*aliyundm.Error](err); ok && e.Throttled() {
							continue // it takes a hundred a second with one key
						}
						if err != nil {
							failed.Store(&err)
							return
						}
					}
				})
			}
			const rotations = 5
			for n := 0; n < rotations && failed.Load() == nil; n++ {
				eventually(t, "a new key", func() bool {
					return s.client.KeyExpires().After(s.clock.Now().Add(55*time.Minute)) || failed.Load() != nil
				})
				for i := range ended { // nobody holds a key any more that is two keys old
					at := ended[i].Load()
					eventually(t, "calls", func() bool { return ended[i].Load() >= at+2 || failed.Load() != nil })
				}
				s.clock.advance(51 * time.Minute)
			}
			close(done)
			senders.Wait()
			if err := failed.Load(); err != nil {
				t.Fatal(*err)
			}
			if s.most.Load() != 1 || s.fetches.Load() > rotations+1 {
				t.Errorf("%d fetches for %d keys, %d of them at once", s.fetches.Load(), rotations, s.most.Load())
			}
		})
	}
}

func TestMissingKeyFailsWithoutAMail(t *testing.T) {
	tests := map[string]struct {
		kind    string
		prepare func(*testing.T, *roleStage)
		want    aliyundm.Error // Message is a part
	}{
		"metadata fails":       {"ecs", answering(500, ""), aliyundm.Error{Class: aliyundm.Retry, Status: 500, Message: "the metadata service of the ECS instance failed"}},
		"metadata says no key": {"ecs", answering(200, `{"Code":"AssumeRoleUnauthorized"}`), aliyundm.Error{Class: aliyundm.Retry, Status: 200, Message: "answered without one"}},
		"no role":              {"ecs", answering(404, ""), aliyundm.Error{Class: aliyundm.Operator, Status: 404, Message: "has no such RAM role"}},
		"refused":              {"ecs", answering(403, ""), aliyundm.Error{Class: aliyundm.Operator, Status: 403, Message: "refuses to give one"}},
		"no end of it":         {"ecs", answering(200, strings.Repeat("x", 100_000)), aliyundm.Error{Class: aliyundm.Retry, Message: "did not answer"}},
		"an old key":           {"ecs", func(_ *testing.T, s *roleStage) { s.life = -time.Minute }, aliyundm.Error{Class: aliyundm.Operator, Message: "had already expired"}},
		"STS throttles": {
			"oidc", answering(400, `{"Code":"Throttling.User","Message":"Request was denied due to user flow control."}`),
			aliyundm.Error{Class: aliyundm.Retry, Code: "Throttling.User", Status: 400, Message: "denied due to user flow control"},
		},
		"STS refuses as Direct Mail might": {
			"oidc", answering(400, `{"Code":"InvalidQuota"}`),
			aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidQuota", Status: 400},
		},
		"STS fails":         {"oidc", answering(503, `{"Code":"ServiceUnavailable"}`), aliyundm.Error{Class: aliyundm.Retry, Code: "ServiceUnavailable", Status: 503}},
		"STS is a stranger": {"oidc", answering(200, "<html>oidc-token-1</html>"), aliyundm.Error{Class: aliyundm.Retry, Status: 200, Message: "answered without one"}},
		"wrong token": {
			"oidc", func(t *testing.T, s *roleStage) { s.writeToken(t, "another-token") },
			aliyundm.Error{Class: aliyundm.Operator, Code: "AuthenticationFail.OIDCToken.Expired", Status: 400, RequestID: "2D086F6A-0000-4000-8000-006DED011A85"},
		},
		"empty token": {"oidc", func(t *testing.T, s *roleStage) { s.writeToken(t, "\n") }, aliyundm.Error{Class: aliyundm.Operator, Message: "it is empty"}},
		"two tokens": {
			"oidc", func(t *testing.T, s *roleStage) { s.writeToken(t, "oidc\ntoken") },
			aliyundm.Error{Class: aliyundm.Operator, Message: "save the token alone, as UTF-8: character 5 is not a token's"},
		},
		"token in UTF-16": {
			"oidc", func(t *testing.T, s *roleStage) { s.writeToken(t, "\xff\xfeo\x00") },
			aliyundm.Error{Class: aliyundm.Operator, Message: "save the token alone, as UTF-8: character 1 is not a token's"},
		},
		"no token": {
			"oidc", func(_ *testing.T, s *roleStage) { _ = os.Remove(s.tokenFile) },
			aliyundm.Error{Class: aliyundm.Operator, Message: "no such file"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newRoleStage(t, tt.kind)
			tt.prepare(t, s)
			e := mustFail(t, nil, s.send(t))
			if e.Class != tt.want.Class || e.Code != tt.want.Code || e.Status != tt.want.Status || e.RequestID != tt.want.RequestID && tt.want.RequestID != "" {
				t.Errorf("got %+v", e)
			}
			if !strings.Contains(e.Message, tt.want.Message) || !strings.HasPrefix(e.Message, "no key for the role") {
				t.Errorf("message %q", e.Message)
			}
			if mails := s.sandbox.Mails(); len(mails) > 0 {
				t.Errorf("%d mails were sent", len(mails))
			}
			mustHide(t, printAll(t, e, s.client))
		})
	}
}

func answering(status int, body string) func(*testing.T, *roleStage) {
	return func(_ *testing.T, s *roleStage) {
		s.answers(func(w http.ResponseWriter) { w.WriteHeader(status); _, _ = io.WriteString(w, body) })
	}
}

// mustHide looks for what is secret about a role.
func mustHide(t *testing.T, shown []string) {
	t.Helper()
	for _, text := range shown {
		for _, secret := range []string{"role-secret", "role-token", "oidc-token", "another-token", "metadata-token", "secret-role"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is shown: %s", secret, text)
			}
		}
	}
}

func TestRoleShowsNoKey(t *testing.T) {
	for _, kind := range roleKinds {
		s := newRoleStage(t, kind)
		s.mustSend(t)
		mustHide(t, printAll(t, s.client, *s.client))
	}
}

// A source that hangs keeps nobody longer than their own deadline, and asks nobody
// to wait who has a key.
func TestHangingSourceEndsWithItsCaller(t *testing.T) {
	s := newRoleStage(t, "oidc")
	release := s.holds()
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.client.SingleSendMail(ctx, testMail())
	if e := mustFail(t, nil, err); e.Class != aliyundm.Retry || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("got %v", e)
	}
	canceled, cancelIt := context.WithCancel(t.Context())
	cancelIt()
	_, err = s.client.SingleSendMail(canceled, testMail())
	if e := mustFail(t, nil, err); e.Class != aliyundm.Retry || !errors.Is(e, context.Canceled) {
		t.Errorf("got %v", e)
	}
}

// A source that fails is not asked once a mail.
func TestFailingSourceIsLeftInPeace(t *testing.T) {
	s := newRoleStage(t, "ecs")
	answering(500, "")(t, s)
	for range 20 {
		mustFail(t, nil, s.send(t))
	}
	if n := s.fetches.Load(); n != 1 {
		t.Errorf("it was asked %d times at once", n)
	}
	for range 10 {
		s.clock.advance(5 * time.Second)
		mustFail(t, nil, s.send(t))
	}
	if n := s.fetches.Load(); n != 11 {
		t.Errorf("it was asked %d times, not every five seconds", n)
	}
}

// Direct Mail may take a key no more before its time.
func TestRefusedKeyIsReplaced(t *testing.T) {
	s := newRoleStage(t, "ecs")
	s.mustSend(t)
	s.sandbox.SetAccounts(nil)
	if e := mustFail(t, nil, s.send(t)); e.Code != "InvalidAccessKeyId.NotFound" {
		t.Fatal(e)
	}
	if n := s.fetches.Load(); n != 1 {
		t.Fatalf("a key that is seconds old was replaced")
	}
	s.clock.advance(time.Minute)
	mustFail(t, nil, s.send(t))
	_ = s.send(t) // has it renewed
	eventually(t, "a send with another key", func() bool { return s.send(t) == nil })
	if n := s.fetches.Load(); n != 2 {
		t.Errorf("%d keys were fetched", n)
	}
}

// A call may be refused with a key that has been replaced meanwhile.
func TestRefusalOfAnOldKeyReplacesNothing(t *testing.T) {
	s := newRoleStage(t, "ecs")
	s.mustSend(t)
	s.clock.advance(time.Minute)
	renewsAt := s.client.KeyRenewsAt()
	s.client.RefuseKey(aliyundm.Credentials{AccessKeyID: "STS.0", AccessKeySecret: "x", SecurityToken: "y"}, "InvalidAccessKeyId.NotFound")
	if got := s.client.KeyRenewsAt(); !got.Equal(renewsAt) {
		t.Errorf("the key is replaced at %v, not %v", got, renewsAt)
	}
}

func TestRoleOptionsAreChecked(t *testing.T) {
	whole := aliyundm.OIDCRole{RoleARN: "a", ProviderARN: "b", TokenFile: "c"}
	plain := whole
	plain.Endpoint = "http://sts.example.com"
	for name, o := range map[string]aliyundm.Options{
		"nothing of a role":          {OIDCRole: &aliyundm.OIDCRole{}},
		"plain http":                 {OIDCRole: &plain},
		"a path as a role's name":    {ECSRole: &aliyundm.ECSRole{Name: "../token"}},
		"a key beside an OIDC role":  {Credentials: testKey, OIDCRole: &whole},
		"a key beside an ECS role":   {Credentials: testKey, ECSRole: &aliyundm.ECSRole{}},
		"a key's id beside a role":   {Credentials: aliyundm.Credentials{AccessKeyID: "a"}, ECSRole: &aliyundm.ECSRole{}},
		"an ECS beside an OIDC role": {ECSRole: &aliyundm.ECSRole{}, OIDCRole: &whole},
	} {
		if _, err := aliyundm.NewClient(o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := aliyundm.NewClient(aliyundm.Options{OIDCRole: &whole}); err != nil {
		t.Error(err)
	}
}

// The token's file is read for each key, as Kubernetes replaces it.
func TestTokenFileIsReadAgain(t *testing.T) {
	s := newRoleStage(t, "oidc")
	s.mustSend(t)
	s.token = "oidc-token-2"
	s.writeToken(t, "\ufeff"+s.token+"\r\n")
	s.clock.advance(2 * time.Hour)
	s.mustSend(t)
	if n := s.fetches.Load(); n != 2 {
		t.Errorf("%d keys were fetched", n)
	}
}
