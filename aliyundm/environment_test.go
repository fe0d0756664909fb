package aliyundm_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"dmconnector/aliyundm"
)

// sendTo makes this test binary a program that sends one mail there.
var sendTo = flag.String("send-to", "", "only send a mail to this endpoint")

// sendFromChild prints nothing if the answer was the refusal that
// TestEnvironment gives.
func sendFromChild() {
	client, err := aliyundm.NewClient(aliyundm.Options{Endpoint: *sendTo, Credentials: testKey})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.SingleSendMail(context.Background(), testMail())
	if e, ok := errors.AsType[*aliyundm.Error](err); !ok || e.Code != "SignatureDoesNotMatch" {
		fmt.Println(err)
	}
}

// askMetadata makes this test binary a program that sends one mail with a key of the
// metadata service there.
var askMetadata = flag.String("ask-metadata", "", "only send a mail with a key from this metadata service")

// askFromChild prints what came of it.
func askFromChild() {
	client, err := aliyundm.NewClient(aliyundm.Options{ECSRole: &aliyundm.ECSRole{Endpoint: *askMetadata}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.SingleSendMail(context.Background(), testMail())
	fmt.Println(err)
}

// The answers of the metadata service are the machine's identity: no proxy is to see
// them.
func TestMetadataIsAskedPastEveryProxy(t *testing.T) {
	var asked atomic.Bool
	proxy := serveURL(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-ask-metadata", "http://metadata.invalid")
	cmd.Env = append(os.Environ(), "HTTP_PROXY="+proxy, "http_proxy="+proxy, "NO_PROXY=", "no_proxy=")
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "no key for the role: the metadata service") {
		t.Errorf("the program ended with %v and printed %q", err, output)
	}
	if asked.Load() {
		t.Error("a proxy was asked")
	}
}

// TestEnvironment: nothing in the environment makes the SDK talk, takes another
// key or leads loopback through a proxy.
func TestEnvironment(t *testing.T) {
	calls := make(chan map[string]string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		params := readForm(t, body)
		calls <- params
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"Code":"SignatureDoesNotMatch","Message":"server string to sign is:%s"}`, stringToSign("POST", params))
	}))
	t.Cleanup(server.Close)

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-send-to", server.URL)
	cmd.Env = append(os.Environ(),
		"DEBUG=sdk",
		"ALIBABA_CLOUD_ACCESS_KEY_ID=envid", "ALIBABA_CLOUD_ACCESS_KEY_SECRET=envsecret",
		"ALIBABA_CLOUD_SECURITY_TOKEN=envtoken", "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED=true",
		"HTTP_PROXY=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1",
		"HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=", "no_proxy=",
	)
	output, err := cmd.CombinedOutput()
	if err != nil || len(output) > 0 {
		t.Fatalf("the program ended with %v and printed %q", err, output)
	}
	params := <-calls
	if params["AccessKeyId"] != testKey.AccessKeyID || params["Signature"] != signature("POST", params, testKey.AccessKeySecret) {
		t.Errorf("signed by %s with another secret", params["AccessKeyId"])
	}
	if token, ok := params["SecurityToken"]; ok {
		t.Errorf("security token %q", token)
	}
}
