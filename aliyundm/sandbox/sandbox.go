// Package sandbox is a simulated Aliyun Direct Mail with an inbox.
//
// A [Sandbox] is an http.Handler with three parts: Direct Mail's own API at /,
// the inbox of the mails it accepted at /inbox, and at /faults the faults that it
// injects. It checks a call as Direct Mail does, signature included,
// and answers with Direct Mail's codes, statuses and messages; which of these
// are documented and which inferred is in docs/sandbox.md. It sends nothing.
//
// The checks are written from Aliyun's documents alone and share no code with
// any client, so that a client's mistake does not go unnoticed here.
package sandbox

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An Account is an access key the sandbox knows.
type Account struct {
	AccessKeyID     string
	AccessKeySecret string `json:"-"`

	// SecurityToken makes the key a temporary one of STS: a call must carry
	// this token. A call with a token is refused when this is empty.
	SecurityToken string `json:"-"`

	// Senders are the sender addresses (AccountName) that exist, whatever their
	// case. Empty means that any address does.
	Senders []string

	// Region is the id of the only region where the senders exist. Empty means
	// that they exist in every one. A call says by RegionId which one it is for.
	Region string

	// Denied is a key whose RAM policy does not allow dm:SingleSendMail.
	Denied bool

	// SendOnly is a key whose RAM policy allows dm:SingleSendMail and nothing else.
	SendOnly bool

	// Status is the account's UserStatus, a sum: 1 frozen, 2 overdue, 4 restricted,
	// 8 deleted. With any but 0 it cannot send.
	Status int

	// Frozen are the senders that are frozen, Unverified the sender domains that
	// are not verified, both whatever their case.
	Frozen, Unverified []string
}

// Format prints the account without its secrets, whatever the verb.
func (a Account) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s [redacted] %s}", a.AccessKeyID, strings.Join(a.Senders, ","))
}

// Options configure a [Sandbox]. The zero value knows no account, so that it
// refuses every call, and is otherwise usable as it is.
type Options struct {
	// Accounts are the keys known at first; see [Sandbox.SetAccounts].
	Accounts []Account

	// Token is what /inbox and /faults want as "Authorization: Bearer". Without
	// one they answer only requests that came over the loopback interface and
	// name a loopback host.
	Token string `json:"-"`

	// RatePerSecond is how many calls an account may make in any one second.
	// 0 means 100, Aliyun's number; negative means no limit.
	RatePerSecond int

	// DailyQuota is how many recipients an account may have in a day of China
	// Standard Time. 0 means no quota: a new account's 2,000 would end a load
	// test within minutes.
	DailyQuota int

	// MaxMails is how many mails the inbox keeps, the newest. 0 means 1,000.
	// The inbox is also kept below 64 MiB.
	MaxMails int

	// Now tells the time; nil means time.Now.
	Now func() time.Time

	// Log gets one line a call, without addresses, bodies and codes. nil means
	// no log.
	Log *slog.Logger
}

// Format prints the options without their secrets, whatever the verb.
func (o Options) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%v rate=%d quota=%d mails=%d}", o.Accounts, o.RatePerSecond, o.DailyQuota, o.MaxMails)
}

// A Sandbox is a simulated Direct Mail. It is safe for concurrent use.
type Sandbox struct {
	tokenSum  *[sha256.Size]byte // nil without a token
	rate      int                // calls in any second; negative: no limit
	quota     int                // recipients a day; 0: no limit
	now       func() time.Time
	log       *slog.Logger
	accounts  atomic.Pointer[accounts]
	nonces    *nonces
	envelopes atomic.Uint64 // the last EnvId
	inbox     *inbox
	faults    *faults
	private   http.Handler // what is not Direct Mail's
	closed    chan struct{}
	close     func()
}

// New makes a sandbox. It runs no goroutines of its own.
func New(o Options) *Sandbox {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	start := uint64(max(now().UnixMilli(), 0)) // ids go on from here, higher than before a restart
	s := &Sandbox{
		now:    now,
		log:    cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		rate:   cmp.Or(o.RatePerSecond, 100),
		quota:  o.DailyQuota,
		nonces: newNonces(maxNonces),
		inbox:  &inbox{maxMails: cmp.Or(o.MaxMails, 1000), last: start, arrived: make(chan struct{})},
		faults: &faults{replaced: make(chan struct{})},
		closed: make(chan struct{}),
	}
	s.close = sync.OnceFunc(func() { close(s.closed) })
	s.envelopes.Store(start)
	if o.Token != "" {
		sum := sha256.Sum256([]byte(o.Token))
		s.tokenSum = &sum
	}
	s.private = s.guard(s.routes())
	known := newAccounts(o.Accounts, nil)
	s.accounts.Store(&known)
	return s
}

// SetAccounts replaces the accounts. Entries with one AccessKeyID are one
// account: the first's secret and token count, the senders of all exist. An
// entry without an AccessKeyID or a secret is left out, for anybody could sign
// for it.
func (s *Sandbox) SetAccounts(list []Account) {
	known := newAccounts(list, *s.accounts.Load())
	s.accounts.Store(&known)
}

// Close releases every request that waits, for a mail or because of a fault.
// It is for the server's shutdown, which waits for requests in flight; what has
// been closed goes on to serve, but no longer waits.
func (s *Sandbox) Close() { s.close() }

// ServeHTTP answers Direct Mail's API, and the inbox and the faults.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if first == "inbox" || first == "faults" {
		s.private.ServeHTTP(w, r)
		return
	}
	s.serveCall(w, r)
}

// serveCall answers one call of Direct Mail's API.
func (s *Sandbox) serveCall(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Acs-Request-Id", id)
	w.Header().Set("X-Acs-Trace-Id", strings.ToLower(strings.ReplaceAll(requestID(), "-", "")))
	if len(r.RequestURI) > maxURL {
		s.page(w, r, http.StatusRequestURITooLong)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		s.page(w, r, http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // nobody is there to be answered
	}
	c := readCall(r, id, body)
	if reason := s.check(c); reason != nil {
		s.fail(w, c, reason)
		return
	}
	s.deliver(w, c)
}

// deliver answers a call that passed every check, which accepts its mail if it is for
// one, or injects a fault.
func (s *Sandbox) deliver(w http.ResponseWriter, c *call) {
	v := receipt{RequestID: c.id}
	if c.sends() {
		v.EnvID = fmt.Sprintf("600000%013d", s.envelopes.Add(1))
	}
	f := s.faults.take(c)
	accepted := f == nil || *f.Accept
	if accepted && !s.accept(w, c, v) {
		return
	}
	if f != nil {
		s.log.InfoContext(c.r.Context(), "fault injected", "fault", f.Kind, "accepted", accepted, "request_id", c.id)
		if f.Kind != "delay" && f.Kind != "hang" {
			s.inject(w, c, f, v)
			return
		}
		s.hold(w, c, f)
		if !accepted && !s.accept(w, c, v) {
			return
		}
	}
	if c.sends() {
		c.succeed(w, v)
		return
	}
	s.log.InfoContext(c.r.Context(), "query answered", "action", c.sign.action, "request_id", c.id)
	c.succeed(w, queries[c.sign.action].answer(s, c))
}

// accept stores the mail of a call for each recipient; a query has none. If the quota
// is used up, it answers so and returns false.
func (s *Sandbox) accept(w http.ResponseWriter, c *call, v receipt) bool {
	if !c.sends() {
		return true
	}
	now := s.now()
	if !c.account.usage.send(s.quota, len(c.recipients), now) {
		s.fail(w, c, c.refuse("InvalidQuota"))
		return false
	}
	s.inbox.add(newMail(c, v), c.recipients, now)
	s.log.InfoContext(c.r.Context(), "mail accepted", "to", masked(c.recipients[0]),
		"recipients", len(c.recipients), "env_id", v.EnvID, "request_id", c.id)
	return true
}
