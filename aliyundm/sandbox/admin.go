package sandbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxWait      = time.Minute
	maxFaultBody = 64 << 10
)

// routes are the inbox and the faults.
func (s *Sandbox) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /inbox", s.listMails)
	mux.HandleFunc("DELETE /inbox", s.clearMails)
	mux.HandleFunc("GET /inbox/{address}", s.listMails)
	mux.HandleFunc("GET /inbox/{address}/latest", s.latestMail)
	mux.HandleFunc("GET /faults", s.showFaults)
	mux.HandleFunc("PUT /faults", s.putFaults)
	mux.HandleFunc("DELETE /faults", s.clearFaults)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "not_found", "there is no such route, or not with this method")
	})
	return mux
}

// Inbox shows the mails as {"mails": […]}, newest first, and empties the inbox on
// DELETE, whatever the path. It asks for no token: it is for a program whose own
// callers it has authorised already.
func (s *Sandbox) Inbox() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			answer(w, map[string][]Mail{"mails": s.Mails()})
		case http.MethodDelete:
			s.clearMails(w, r)
		default:
			problem(w, http.StatusMethodNotAllowed, "method_not_allowed", "the inbox is read with GET, and emptied with DELETE")
		}
	})
}

// guard keeps others out: whoever has no token, and web pages of other sites,
// which a browser on this machine may have open.
func (s *Sandbox) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		w.Header().Set("Referrer-Policy", "no-referrer")
		asUnsafe := *r // reading the inbox is as good as doing something
		asUnsafe.Method = http.MethodPost
		switch {
		case protection.Check(&asUnsafe) != nil:
			problem(w, http.StatusForbidden, "forbidden", "cross-origin requests are refused")
		case s.tokenSum == nil && !viaLoopback(r):
			problem(w, http.StatusForbidden, "forbidden", "without a token, only requests to a loopback host over loopback are answered")
		case s.tokenSum != nil && !s.hasToken(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem(w, http.StatusUnauthorized, "unauthorized", "the sandbox's token is wanted as Authorization: Bearer")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Sandbox) hasToken(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], s.tokenSum[:]) == 1
}

// viaLoopback reports whether the request came to a loopback address and names a
// loopback host. The host keeps out web pages whose name was made to resolve to
// this machine (DNS rebinding).
func viaLoopback(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && !local.IP.IsLoopback() {
		return false
	}
	named := url.URL{Host: r.Host}
	host := strings.TrimSuffix(strings.ToLower(named.Hostname()), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (s *Sandbox) listMails(w http.ResponseWriter, r *http.Request) {
	mails, _ := s.inbox.find(r.PathValue("address"), 0, time.Time{})
	if text := r.URL.Query().Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			problem(w, http.StatusBadRequest, "invalid_request", "limit is not a number from 1 on")
			return
		}
		mails = mails[:min(limit, len(mails))]
	}
	answer(w, mails)
}

func (s *Sandbox) clearMails(w http.ResponseWriter, _ *http.Request) {
	s.inbox.clear()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sandbox) latestMail(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if _, _, err := parseSince(query.Get("since")); err != nil {
		problem(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	wait, err := time.ParseDuration(cmp.Or(query.Get("wait"), "0"))
	if err != nil || wait < 0 || wait > maxWait {
		problem(w, http.StatusBadRequest, "invalid_request", "wait is not a duration up to 60s, such as 10s")
		return
	}
	liftDeadline(w)
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	m, err := s.Wait(ctx, r.PathValue("address"), query.Get("since"))
	if err != nil {
		problem(w, http.StatusNotFound, "not_found", "there is no such mail")
		return
	}
	answer(w, m)
}

func (s *Sandbox) showFaults(w http.ResponseWriter, _ *http.Request) { answer(w, s.faults.state()) }

func (s *Sandbox) putFaults(w http.ResponseWriter, r *http.Request) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFaultBody))
	d.DisallowUnknownFields()
	var list []Fault
	err := d.Decode(&list)
	if err == nil && !errors.Is(d.Decode(new(any)), io.EOF) {
		err = errors.New("there is more than one JSON value")
	}
	if err == nil {
		err = s.SetFaults(list...)
	}
	if err != nil {
		problem(w, http.StatusBadRequest, "invalid_request", "a list of faults is wanted: "+err.Error())
		return
	}
	answer(w, s.faults.state())
}

func (s *Sandbox) clearFaults(w http.ResponseWriter, _ *http.Request) {
	_ = s.SetFaults()
	w.WriteHeader(http.StatusNoContent)
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, v any) {
	body, _ := json.Marshal(v) // mails and faults always can be
	send(w, http.StatusOK, "application/json", body)
}

// problem writes an error as RFC 9457 wants it.
func problem(w http.ResponseWriter, status int, code, message string) {
	body, _ := json.Marshal(struct {
		Type    string `json:"type"`
		Title   string `json:"title"`
		Status  int    `json:"status"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}{"urn:dmconnector:problem:" + code, http.StatusText(status), status, code, message})
	send(w, status, "application/problem+json", body)
}
