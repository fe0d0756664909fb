package aliyundm_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"dmconnector/aliyundm"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *sendTo != "" {
		sendFromChild()
		return
	}
	if *askMetadata != "" {
		askFromChild()
		return
	}
	goleak.VerifyTestMain(m)
}

var testKey = aliyundm.Credentials{AccessKeyID: "testid", AccessKeySecret: "testsecret"}

const receiptJSON = `{"EnvId":"600000000000000642","RequestId":"2D086F6A-0000-4000-8000-006DED011A85"}`

// mustClient returns a client with connections of its own, closed when the test ends.
func mustClient(t testing.TB, o aliyundm.Options) *aliyundm.Client {
	t.Helper()
	o.Credentials.AccessKeyID = cmp.Or(o.Credentials.AccessKeyID, testKey.AccessKeyID)
	o.Credentials.AccessKeySecret = cmp.Or(o.Credentials.AccessKeySecret, testKey.AccessKeySecret)
	if o.HTTP == nil {
		o.HTTP = aliyundm.NewHTTPClient()
	}
	t.Cleanup(o.HTTP.CloseIdleConnections)
	client, err := aliyundm.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// serve returns a client of a server with the given handler.
func serve(t testing.TB, handler http.HandlerFunc) *aliyundm.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return mustClient(t, aliyundm.Options{Endpoint: server.URL})
}

func testMail() *aliyundm.Mail {
	return &aliyundm.Mail{
		AccountName: "no-reply@example.com", To: "user@example.com",
		Subject: "Your code", TextBody: "Your code is 123456",
	}
}

// roundTrip is an http.RoundTripper made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}
}

// mustFail returns the error of a call, which must be an *aliyundm.Error without a receipt.
func mustFail(t testing.TB, receipt *aliyundm.Receipt, err error) *aliyundm.Error {
	t.Helper()
	e, ok := errors.AsType[*aliyundm.Error](err)
	if !ok || receipt != nil {
		t.Fatalf("receipt %v, error %v; want no receipt and an *aliyundm.Error", receipt, err)
	}
	return e
}

// timeless leaves the time out of a log: its digits are no mail's.
var timeless = &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}}

// printAll shows values in every way that comes to mind.
func printAll(t testing.TB, values ...any) []string {
	t.Helper()
	var shown []string
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			shown = append(shown, fmt.Sprintf(verb, value))
		}
		var b strings.Builder
		slog.New(slog.NewTextHandler(&b, timeless)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&b, timeless)).Info("json", "value", value)
		shown = append(shown, b.String())
		if marshalled, err := json.Marshal(value); err == nil {
			shown = append(shown, string(marshalled))
		}
	}
	return shown
}
