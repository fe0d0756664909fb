package aliyundm

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	connectTimeout = 2 * time.Second
	// idleTimeout is below the 15 s after which Alibaba Cloud's load balancers
	// give up an idle connection by default: a request written to one that the
	// server is closing has an unknown outcome.
	idleTimeout = 10 * time.Second
	// callTimeout ends a call whose context has no earlier deadline.
	callTimeout = 30 * time.Second
)

// NewHTTPClient returns an HTTP client made for this job, to be shared by all
// [Client] values of a process. It connects within 2 s, takes at most 2 s more for TLS,
// and for a proxy's answer, keeps up to 256 connections a host for 10 s, follows no
// redirects, and goes through the proxy that the environment names, except to loopback.
// While name service does not work, it uses a name's last addresses, for at most an hour.
// A call that is given up has its connection reset, so that it cannot arrive later.
//
// It speaks HTTP/1.1 only. HTTP/2 would put all mails in flight on one
// connection, so that its loss makes the outcome of all of them unknown.
func NewHTTPClient() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	transport := &http.Transport{
		Proxy:               proxy,
		DialContext:         dialer{connectTimeout, newNames(net.DefaultResolver)}.dial,
		TLSHandshakeTimeout: connectTimeout,
		// Resumption makes up for connections given up early.
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        32 << 10, // most mails leave in one write
	}
	return &http.Client{Timeout: callTimeout, CheckRedirect: noRedirect, Transport: transport}
}

// errProxy says nothing of the proxy's address, which may have a password.
var errProxy = errors.New("the proxy's address in the environment is not a URL: percent-encode the user and the password in it (@ as %40, / as %2F, # as %23)")

// proxy is [http.ProxyFromEnvironment], which leaves loopback out. It refuses an address
// of which a piece of the password would be taken for the host.
func proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil || u != nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		return nil, errProxy
	}
	return u, nil
}

// noRedirect makes a redirect an answer: a mail goes to the configured host only.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
